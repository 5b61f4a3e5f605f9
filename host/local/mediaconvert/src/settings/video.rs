//! The picture: `videoSelector` of an input, `h264Settings` of an output.

use super::picture::PictureSize;
use crate::document::strict::{StrictObject, missing};
use crate::error::MediaConvertError;

/// Bits per second, in the range of the API.
const BITRATE: std::ops::RangeInclusive<u32> = 1_000..=1_152_000_000;

/// The rotation of the picture. By default the service ignores the rotation in the file's metadata.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Rotate {
    /// The rotation in the file's metadata.
    Auto,
    /// Clockwise degrees from the stored picture: 0, 90, 180 or 270.
    Fixed(u16),
    /// `DEGREE_0`.
    #[default]
    None,
}

/// How bits are distributed over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RateControl {
    /// Constant quality (1 to 10) up to a maximum rate.
    Quality { level: u32, max: u32 },
    /// An average rate with an optional maximum.
    Variable { average: u32, max: Option<u32> },
    /// A constant rate.
    Constant { rate: u32 },
}

/// The distance between key frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum KeyFrames {
    #[default]
    Auto,
    Count(u32),
    /// In milliseconds.
    Millis(u32),
}

/// The picture of an output.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Video {
    pub(crate) size: PictureSize,
    pub(crate) rate: RateControl,
    /// The size of the decoder's buffer, in bits.
    pub(crate) buffer: Option<u32>,
    /// As x264 names it.
    pub(crate) profile: &'static str,
    pub(crate) level: Option<&'static str>,
    pub(crate) preset: &'static str,
    /// Frames per second as a fraction; `None` keeps the rate of the source.
    pub(crate) frame_rate: Option<(u32, u32)>,
    pub(crate) key_frames: KeyFrames,
    pub(crate) b_frames: Option<u32>,
    pub(crate) references: Option<u32>,
    pub(crate) scene_cuts: bool,
    pub(crate) cavlc: bool,
}

/// Reads `videoSelector` of an input.
pub(super) fn read_selector(mut fields: StrictObject) -> Result<Rotate, MediaConvertError> {
    fields.ignore(&["colorSpaceUsage", "maxLuminance"]);
    fields.only("alphaBehavior", &["DISCARD"])?;
    fields.only("colorSpace", &["FOLLOW"])?;
    fields.only("embeddedTimecodeOverride", &["NONE"])?;
    fields.only("padVideo", &["DISABLED"])?;
    fields.only("sampleRange", &["FOLLOW"])?;
    fields.only("selectorType", &["AUTO"])?;
    let rotate = fields.choice(
        "rotate",
        &[
            ("AUTO", Rotate::Auto),
            ("DEGREE_0", Rotate::None),
            ("DEGREES_90", Rotate::Fixed(90)),
            ("DEGREES_180", Rotate::Fixed(180)),
            ("DEGREES_270", Rotate::Fixed(270)),
        ],
    )?;
    fields.finish()?;
    Ok(rotate.unwrap_or_default())
}

/// Reads `h264Settings` of an output.
pub(super) fn read(mut fields: StrictObject, size: PictureSize) -> Result<Video, MediaConvertError> {
    // These tune the encoder and do not change the picture beyond its bit rate.
    fields.ignore(&[
        "adaptiveQuantization",
        "dynamicSubGop",
        "endOfStreamMarkers",
        "fieldEncoding",
        "flickerAdaptiveQuantization",
        "gopBReference",
        "gopClosedCadence",
        "hrdBufferFinalFillPercentage",
        "hrdBufferInitialFillPercentage",
        "minIInterval",
        "repeatPps",
        "slices",
        "spatialAdaptiveQuantization",
        "syntax",
        "temporalAdaptiveQuantization",
        "unregisteredSeiTimecode",
        "writeMp4PackagingType",
    ]);
    fields.only("bandwidthReductionFilter", &["DISABLED"])?;
    fields.only("explicitWeightedPrediction", &["DISABLED"])?;
    fields.only("framerateConversionAlgorithm", &["DUPLICATE_DROP"])?;
    fields.only("interlaceMode", &["PROGRESSIVE"])?;
    // Pixels are square in any case.
    fields.only("parControl", &["SPECIFIED", "INITIALIZE_FROM_SOURCE"])?;
    fields.number("parNumerator", 1..=1)?;
    fields.number("parDenominator", 1..=1)?;
    fields.only("saliencyAwareEncoding", &["DISABLED"])?;
    fields.only("scanTypeConversionMode", &["INTERLACED"])?;
    fields.only("slowPal", &["DISABLED"])?;
    fields.only("telecine", &["NONE"])?;
    fields.number("softness", 0..=0)?;

    let rate = rate_control(&mut fields)?;
    let buffer = fields.number("hrdBufferSize", 0..=1_152_000_000)?.filter(|bits| *bits > 0);
    let profile = fields
        .choice("codecProfile", &[("MAIN", "main"), ("HIGH", "high"), ("BASELINE", "baseline")])?
        .unwrap_or("main");
    let level = fields.choice("codecLevel", LEVELS)?.flatten();
    let preset = fields
        .choice(
            "qualityTuningLevel",
            &[("SINGLE_PASS", "veryfast"), ("SINGLE_PASS_HQ", "fast"), ("MULTI_PASS_HQ", "medium")],
        )?
        .unwrap_or("veryfast");
    let scene_cuts = fields
        .choice("sceneChangeDetect", &[("ENABLED", true), ("TRANSITION_DETECTION", true), ("DISABLED", false)])?
        .unwrap_or(true);
    let cavlc = fields.choice("entropyEncoding", &[("CABAC", false), ("CAVLC", true)])?.unwrap_or(false);
    let b_frames = fields.number("numberBFramesBetweenReferenceFrames", 0..=7)?;
    let references = fields.number("numberReferenceFrames", 1..=6)?;
    let frame_rate = frame_rate(&mut fields)?;
    let key_frames = key_frames(&mut fields)?;
    fields.finish()?;
    Ok(Video {
        size,
        rate,
        buffer,
        profile,
        level,
        preset,
        frame_rate,
        key_frames,
        b_frames,
        references,
        scene_cuts,
        cavlc,
    })
}

fn rate_control(fields: &mut StrictObject) -> Result<RateControl, MediaConvertError> {
    #[derive(Clone, Copy)]
    enum Mode {
        Quality,
        Variable,
        Constant,
    }
    let bitrate = fields.number("bitrate", BITRATE)?;
    let max = fields.number("maxBitrate", BITRATE)?;
    let level = match fields.object("qvbrSettings")? {
        None => None,
        Some(mut qvbr) => {
            let level = qvbr.number("qvbrQualityLevel", 1..=10)?;
            qvbr.ignore(&["qvbrQualityLevelFineTune"]);
            qvbr.number("maxAverageBitrate", 0..=0)?;
            qvbr.finish()?;
            level
        }
    };
    let mode = fields
        .choice("rateControlMode", &[("QVBR", Mode::Quality), ("VBR", Mode::Variable), ("CBR", Mode::Constant)])?;
    let missing = |name: &str| missing(&fields.at(name));
    match mode.ok_or_else(|| missing("rateControlMode"))? {
        Mode::Quality => {
            Ok(RateControl::Quality { level: level.unwrap_or(7), max: max.ok_or_else(|| missing("maxBitrate"))? })
        }
        Mode::Variable => Ok(RateControl::Variable { average: bitrate.ok_or_else(|| missing("bitrate"))?, max }),
        Mode::Constant => Ok(RateControl::Constant { rate: bitrate.ok_or_else(|| missing("bitrate"))? }),
    }
}

fn frame_rate(fields: &mut StrictObject) -> Result<Option<(u32, u32)>, MediaConvertError> {
    let numerator = fields.number("framerateNumerator", 1..=i32::MAX as u32)?;
    let denominator = fields.number("framerateDenominator", 1..=i32::MAX as u32)?;
    let specified =
        fields.choice("framerateControl", &[("INITIALIZE_FROM_SOURCE", false), ("SPECIFIED", true)])?.unwrap_or(false);
    if !specified {
        return Ok(None);
    }
    let numerator = numerator.ok_or_else(|| missing(&fields.at("framerateNumerator")))?;
    let denominator = denominator.ok_or_else(|| missing(&fields.at("framerateDenominator")))?;
    if numerator / denominator > 240 {
        return Err(MediaConvertError::bad_request(format!(
            "{}: {numerator}/{denominator} is more than 240 frames per second",
            fields.at("framerateNumerator")
        )));
    }
    Ok(Some((numerator, denominator)))
}

fn key_frames(fields: &mut StrictObject) -> Result<KeyFrames, MediaConvertError> {
    #[derive(Clone, Copy, PartialEq)]
    enum Unit {
        Auto,
        Frames,
        Seconds,
    }
    let path = fields.at("gopSize");
    let size = fields.take("gopSize");
    let unit = fields
        .choice("gopSizeUnits", &[("AUTO", Unit::Auto), ("FRAMES", Unit::Frames), ("SECONDS", Unit::Seconds)])?
        .unwrap_or(Unit::Auto);
    let Some(size) = size else { return Ok(KeyFrames::Auto) };
    let bad = || crate::document::strict::wrong(&path, "a number from 0 to 10,000", &size);
    let number = size.as_f64().filter(|n| (0.0..=10_000.0).contains(n)).ok_or_else(bad)?;
    Ok(match unit {
        _ if number == 0.0 => KeyFrames::Auto,
        Unit::Auto => KeyFrames::Auto,
        Unit::Frames => KeyFrames::Count((number as u32).max(1)),
        Unit::Seconds => KeyFrames::Millis(((number * 1000.0) as u32).max(1)),
    })
}

const LEVELS: &[(&str, Option<&'static str>)] = &[
    ("AUTO", None),
    ("LEVEL_1", Some("1")),
    ("LEVEL_1_1", Some("1.1")),
    ("LEVEL_1_2", Some("1.2")),
    ("LEVEL_1_3", Some("1.3")),
    ("LEVEL_2", Some("2")),
    ("LEVEL_2_1", Some("2.1")),
    ("LEVEL_2_2", Some("2.2")),
    ("LEVEL_3", Some("3")),
    ("LEVEL_3_1", Some("3.1")),
    ("LEVEL_3_2", Some("3.2")),
    ("LEVEL_4", Some("4")),
    ("LEVEL_4_1", Some("4.1")),
    ("LEVEL_4_2", Some("4.2")),
    ("LEVEL_5", Some("5")),
    ("LEVEL_5_1", Some("5.1")),
    ("LEVEL_5_2", Some("5.2")),
];
