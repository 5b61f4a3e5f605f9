//! The part of `videoDescription` that all codecs share: size, scaling, preprocessors.

use crate::document::strict::StrictObject;
use crate::error::MediaConvertError;

/// How a picture is scaled to an output of another aspect ratio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scaling {
    /// Fit inside, with black bars.
    #[default]
    Default,
    /// Fill the size, and distort the picture.
    Stretch,
    /// Fit inside; the output is smaller than the given size.
    Fit,
    /// As `Fit`, but never larger than the input.
    FitNoUpscale,
    /// Cover, and crop the rest.
    Fill,
}

/// The size of the pictures of an output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PictureSize {
    pub(crate) width: Option<u32>,
    pub(crate) height: Option<u32>,
    pub(crate) scaling: Scaling,
}

/// Reads the shared part of `videoDescription`, and leaves `codecSettings` in it.
pub(super) fn read(fields: &mut StrictObject) -> Result<PictureSize, MediaConvertError> {
    let width = size(fields, "width")?;
    let height = size(fields, "height")?;
    let scaling = fields.choice(
        "scalingBehavior",
        &[
            ("DEFAULT", Scaling::Default),
            ("STRETCH_TO_OUTPUT", Scaling::Stretch),
            ("FIT", Scaling::Fit),
            ("FIT_NO_UPSCALE", Scaling::FitNoUpscale),
            ("FILL", Scaling::Fill),
        ],
    )?;
    fields.ignore(&["timecodeInsertion", "timecodeTrack", "colorMetadata", "dropFrameTimecode"]);
    fields.number("sharpness", 50..=50)?;
    fields.only("antiAlias", &["ENABLED"])?;
    fields.only("afdSignaling", &["NONE"])?;
    fields.only("respondToAfd", &["NONE"])?;
    fields.only("chromaPositionMode", &["AUTO"])?;
    if let Some(preprocessors) = fields.object("videoPreprocessors")? {
        read_preprocessors(preprocessors)?;
    }
    Ok(PictureSize { width, height, scaling: scaling.unwrap_or_default() })
}

/// Reads a width or height. It must be even, because 4:2:0 chroma subsampling halves it.
fn size(fields: &mut StrictObject, name: &str) -> Result<Option<u32>, MediaConvertError> {
    let size = fields.number(name, 32..=8192)?;
    match size {
        Some(odd) if odd % 2 == 1 => Err(MediaConvertError::bad_request(format!(
            "{}: should be an even number of pixels, not {odd}",
            fields.at(name)
        ))),
        other => Ok(other),
    }
}

/// Reads the preprocessors. Interlaced pictures become whole ones and all colours become BT.709 in any case, so the values
/// that request this are accepted; any other would give another picture.
fn read_preprocessors(mut fields: StrictObject) -> Result<(), MediaConvertError> {
    if let Some(mut colours) = fields.object("colorCorrector")? {
        colours.only("colorSpaceConversion", &["FORCE_709"])?;
        colours.only("hdrToSdrToneMapper", &["PRESERVE_DETAILS", "VIBRANT"])?;
        colours.only("sampleRangeConversion", &["LIMITED_RANGE_SQUEEZE"])?;
        colours.number("brightness", 50..=50)?;
        colours.number("contrast", 50..=50)?;
        colours.number("saturation", 50..=50)?;
        colours.number("hue", 0..=0)?;
        colours.finish()?;
    }
    if let Some(mut fields_of_a_frame) = fields.object("deinterlacer")? {
        fields_of_a_frame.only("mode", &["DEINTERLACE"])?;
        fields_of_a_frame.only("algorithm", &["INTERPOLATE"])?;
        fields_of_a_frame.only("control", &["NORMAL"])?;
        fields_of_a_frame.finish()?;
    }
    fields.finish()
}
