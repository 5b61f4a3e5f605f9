//! `FRAME_CAPTURE`: some frames of the film as JPEG files.

use super::location::Location;
use super::picture::PictureSize;
use crate::document::strict::{StrictObject, missing};
use crate::error::MediaConvertError;

/// The most captures of one output. The service allows ten million.
const MOST: u32 = 100;

/// The pictures to take from a film.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Frames {
    pub(crate) size: PictureSize,
    /// Seconds between two captures; the first one is the first frame.
    pub(crate) interval: f64,
    /// The most captures.
    pub(crate) most: u32,
    /// 1 to 100, as the service counts it.
    pub(crate) quality: u32,
    /// Bucket and key without number and extension.
    base: Location,
    extension: String,
}

impl Frames {
    /// Returns where the capture with this number is stored: `{base}.{seven digits}.{extension}`, as the service names it.
    pub(crate) fn file(&self, number: u32) -> Location {
        let Location { bucket, key } = &self.base;
        Location { bucket: bucket.clone(), key: format!("{key}.{number:07}.{}", self.extension) }
    }
}

/// Reads `frameCaptureSettings`. `base` has the name modifier, but no extension.
pub(super) fn read(
    mut fields: StrictObject,
    size: PictureSize,
    base: Location,
    extension: String,
) -> Result<Frames, MediaConvertError> {
    let numerator = fields.number("framerateNumerator", 1..=i32::MAX as u32)?;
    let denominator = fields.number("framerateDenominator", 1..=i32::MAX as u32)?;
    let most = fields.number("maxCaptures", 1..=MOST)?.ok_or_else(|| missing(&fields.at("maxCaptures")))?;
    let quality = fields.number("quality", 1..=100)?.unwrap_or(80);
    let numerator = numerator.ok_or_else(|| missing(&fields.at("framerateNumerator")))?;
    let denominator = denominator.ok_or_else(|| missing(&fields.at("framerateDenominator")))?;
    fields.finish()?;
    Ok(Frames { size, interval: f64::from(denominator) / f64::from(numerator), most, quality, base, extension })
}
