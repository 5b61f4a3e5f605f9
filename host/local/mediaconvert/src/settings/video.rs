//! The picture: `videoSelector` and `videoDescription`.

use crate::error::ApiError;
use crate::node::{Node, missing};

/// Bits per second, in the range of the API.
const BITRATE: std::ops::RangeInclusive<u32> = 1_000..=1_152_000_000;

/// How the picture is turned. The service's default is to leave it as it is stored, even where the file asks for a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Rotate {
    /// As the file's metadata says.
    Auto,
    /// Degrees clockwise from how it is stored: 0, 90, 180 or 270.
    Fixed(u16),
    /// `DEGREE_0`.
    #[default]
    None,
}

/// What to do when the output's shape is not the input's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scaling {
    /// Fit inside, with black bars.
    #[default]
    Default,
    Stretch,
    /// Fit inside; the output becomes smaller than asked for.
    Fit,
    FitNoUpscale,
    /// Cover, and cut off what protrudes.
    Fill,
}

/// How many bits go where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RateControl {
    /// Constant quality (1 to 10) under a ceiling.
    Quality {
        level: u32,
        max: u32,
    },
    /// An average, under a ceiling if there is one.
    Variable {
        average: u32,
        max: Option<u32>,
    },
    Constant {
        rate: u32,
    },
}

/// Distance of key frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum KeyFrames {
    #[default]
    Auto,
    Count(u32),
    /// Thousandths of a second.
    Millis(u32),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Video {
    pub(crate) width: Option<u32>,
    pub(crate) height: Option<u32>,
    pub(crate) scaling: Scaling,
    pub(crate) rate: RateControl,
    /// Bits in the decoder's buffer.
    pub(crate) buffer: Option<u32>,
    /// x264's names.
    pub(crate) profile: &'static str,
    pub(crate) level: Option<&'static str>,
    pub(crate) preset: &'static str,
    /// Frames per second as a fraction; the source's own when absent.
    pub(crate) frame_rate: Option<(u32, u32)>,
    pub(crate) key_frames: KeyFrames,
    pub(crate) b_frames: Option<u32>,
    pub(crate) references: Option<u32>,
    pub(crate) scene_cuts: bool,
    pub(crate) cavlc: bool,
}

/// `videoSelector` of an input.
pub(super) fn read_selector(mut node: Node) -> Result<Rotate, ApiError> {
    node.indifferent(&["colorSpaceUsage", "maxLuminance"]);
    node.only("alphaBehavior", &["DISCARD"])?;
    node.only("colorSpace", &["FOLLOW"])?;
    node.only("embeddedTimecodeOverride", &["NONE"])?;
    node.only("padVideo", &["DISABLED"])?;
    node.only("sampleRange", &["FOLLOW"])?;
    node.only("selectorType", &["AUTO"])?;
    let rotate = node.choice(
        "rotate",
        &[
            ("AUTO", Rotate::Auto),
            ("DEGREE_0", Rotate::None),
            ("DEGREES_90", Rotate::Fixed(90)),
            ("DEGREES_180", Rotate::Fixed(180)),
            ("DEGREES_270", Rotate::Fixed(270)),
        ],
    )?;
    node.finish()?;
    Ok(rotate.unwrap_or_default())
}

/// `videoDescription` of an output.
pub(super) fn read(mut node: Node) -> Result<Video, ApiError> {
    let width = size(&mut node, "width")?;
    let height = size(&mut node, "height")?;
    let scaling = node.choice(
        "scalingBehavior",
        &[
            ("DEFAULT", Scaling::Default),
            ("STRETCH_TO_OUTPUT", Scaling::Stretch),
            ("FIT", Scaling::Fit),
            ("FIT_NO_UPSCALE", Scaling::FitNoUpscale),
            ("FILL", Scaling::Fill),
        ],
    )?;
    node.indifferent(&["timecodeInsertion", "timecodeTrack", "colorMetadata", "dropFrameTimecode"]);
    node.number("sharpness", 50..=50)?;
    node.only("antiAlias", &["ENABLED"])?;
    node.only("afdSignaling", &["NONE"])?;
    node.only("respondToAfd", &["NONE"])?;
    node.only("chromaPositionMode", &["AUTO"])?;
    let mut codec = node.object("codecSettings")?.ok_or_else(|| missing(&node.at("codecSettings")))?;
    codec.only("codec", &["H_264"])?;
    let h264 = codec.object("h264Settings")?.ok_or_else(|| missing(&codec.at("h264Settings")))?;
    codec.finish()?;
    node.finish()?;
    read_h264(h264, (width, height), scaling.unwrap_or_default())
}

/// Even, as H.264 with half the colour samples wants it.
fn size(node: &mut Node, name: &str) -> Result<Option<u32>, ApiError> {
    let size = node.number(name, 32..=8192)?;
    match size {
        Some(odd) if odd % 2 == 1 => {
            Err(ApiError::bad_request(format!("{}: should be an even number of pixels, not {odd}", node.at(name))))
        }
        other => Ok(other),
    }
}

fn read_h264(mut node: Node, (width, height): (Option<u32>, Option<u32>), scaling: Scaling) -> Result<Video, ApiError> {
    // These tune how the encoder spends its bits; the picture is the same, within its bit rate.
    node.indifferent(&[
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
    node.only("bandwidthReductionFilter", &["DISABLED"])?;
    node.only("explicitWeightedPrediction", &["DISABLED"])?;
    node.only("framerateConversionAlgorithm", &["DUPLICATE_DROP"])?;
    node.only("interlaceMode", &["PROGRESSIVE"])?;
    node.only("parControl", &["INITIALIZE_FROM_SOURCE"])?;
    node.only("saliencyAwareEncoding", &["DISABLED"])?;
    node.only("scanTypeConversionMode", &["INTERLACED"])?;
    node.only("slowPal", &["DISABLED"])?;
    node.only("telecine", &["NONE"])?;
    node.number("softness", 0..=0)?;

    let rate = rate_control(&mut node)?;
    let buffer = node.number("hrdBufferSize", 0..=1_152_000_000)?.filter(|bits| *bits > 0);
    let profile =
        node.choice("codecProfile", &[("MAIN", "main"), ("HIGH", "high"), ("BASELINE", "baseline")])?.unwrap_or("main");
    let level = node.choice("codecLevel", LEVELS)?.flatten();
    let preset = node
        .choice(
            "qualityTuningLevel",
            &[("SINGLE_PASS", "veryfast"), ("SINGLE_PASS_HQ", "fast"), ("MULTI_PASS_HQ", "medium")],
        )?
        .unwrap_or("veryfast");
    let scene_cuts = node
        .choice("sceneChangeDetect", &[("ENABLED", true), ("TRANSITION_DETECTION", true), ("DISABLED", false)])?
        .unwrap_or(true);
    let cavlc = node.choice("entropyEncoding", &[("CABAC", false), ("CAVLC", true)])?.unwrap_or(false);
    let b_frames = node.number("numberBFramesBetweenReferenceFrames", 0..=7)?;
    let references = node.number("numberReferenceFrames", 1..=6)?;
    let frame_rate = frame_rate(&mut node)?;
    let key_frames = key_frames(&mut node)?;
    node.finish()?;
    Ok(Video {
        width,
        height,
        scaling,
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

fn rate_control(node: &mut Node) -> Result<RateControl, ApiError> {
    #[derive(Clone, Copy)]
    enum Mode {
        Quality,
        Variable,
        Constant,
    }
    let bitrate = node.number("bitrate", BITRATE)?;
    let max = node.number("maxBitrate", BITRATE)?;
    let level = match node.object("qvbrSettings")? {
        None => None,
        Some(mut qvbr) => {
            let level = qvbr.number("qvbrQualityLevel", 1..=10)?;
            qvbr.indifferent(&["qvbrQualityLevelFineTune"]);
            qvbr.number("maxAverageBitrate", 0..=0)?;
            qvbr.finish()?;
            level
        }
    };
    let mode =
        node.choice("rateControlMode", &[("QVBR", Mode::Quality), ("VBR", Mode::Variable), ("CBR", Mode::Constant)])?;
    let missing = |name: &str| missing(&node.at(name));
    match mode.ok_or_else(|| missing("rateControlMode"))? {
        Mode::Quality => {
            Ok(RateControl::Quality { level: level.unwrap_or(7), max: max.ok_or_else(|| missing("maxBitrate"))? })
        }
        Mode::Variable => Ok(RateControl::Variable { average: bitrate.ok_or_else(|| missing("bitrate"))?, max }),
        Mode::Constant => Ok(RateControl::Constant { rate: bitrate.ok_or_else(|| missing("bitrate"))? }),
    }
}

fn frame_rate(node: &mut Node) -> Result<Option<(u32, u32)>, ApiError> {
    let numerator = node.number("framerateNumerator", 1..=i32::MAX as u32)?;
    let denominator = node.number("framerateDenominator", 1..=i32::MAX as u32)?;
    let specified =
        node.choice("framerateControl", &[("INITIALIZE_FROM_SOURCE", false), ("SPECIFIED", true)])?.unwrap_or(false);
    if !specified {
        return Ok(None);
    }
    let numerator = numerator.ok_or_else(|| missing(&node.at("framerateNumerator")))?;
    let denominator = denominator.ok_or_else(|| missing(&node.at("framerateDenominator")))?;
    if numerator / denominator > 240 {
        return Err(ApiError::bad_request(format!(
            "{}: {numerator}/{denominator} is more than 240 frames per second",
            node.at("framerateNumerator")
        )));
    }
    Ok(Some((numerator, denominator)))
}

fn key_frames(node: &mut Node) -> Result<KeyFrames, ApiError> {
    #[derive(Clone, Copy, PartialEq)]
    enum Unit {
        Auto,
        Frames,
        Seconds,
    }
    let path = node.at("gopSize");
    let size = node.take("gopSize");
    let unit = node
        .choice("gopSizeUnits", &[("AUTO", Unit::Auto), ("FRAMES", Unit::Frames), ("SECONDS", Unit::Seconds)])?
        .unwrap_or(Unit::Auto);
    let Some(size) = size else { return Ok(KeyFrames::Auto) };
    let bad = || crate::node::wrong(&path, "a number from 0 to 10,000", &size);
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
