//! The sound: `audioSelectors` of an input, `audioDescriptions` of an output.

use std::collections::HashMap;

use crate::document::strict::{StrictObject, missing};
use crate::error::MediaConvertError;

/// The selector of an output that names none, as on the service.
const DEFAULT_SELECTOR: &str = "Audio Selector 1";

/// The sound of an output.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Audio {
    /// The index of the input's sound track; 0 is the first. `None` is the first that can be decoded.
    pub(crate) track: Option<u32>,
    /// In bits per second.
    pub(crate) bitrate: u32,
    /// In hertz.
    pub(crate) sample_rate: u32,
    /// `None` keeps the channels of the source.
    pub(crate) channels: Option<u32>,
}

/// Reads the selectors. Returns the sound track of each name; `None` for the first that can be decoded.
pub(super) fn read_selectors(fields: StrictObject) -> Result<HashMap<String, Option<u32>>, MediaConvertError> {
    fields
        .entries()
        .into_iter()
        .map(|(path, name, value)| {
            let mut selector = StrictObject::new(path, value)?;
            selector.ignore(&["defaultSelection", "programSelection"]);
            selector.number("offset", 0..=0)?;
            selector.only("selectorType", &["TRACK"])?;
            selector.only("audioDurationCorrection", &["DISABLED", "AUTO"])?;
            let mut tracks = selector.list("tracks")?.into_iter();
            let track = match tracks.next() {
                None => None,
                Some((path, track)) => match track.as_u64().and_then(|n| u32::try_from(n).ok()) {
                    Some(track @ 1..=64) => Some(track - 1),
                    _ => return Err(crate::document::strict::wrong(&path, "a track, 1 to 64", &track)),
                },
            };
            if let Some((path, _)) = tracks.next() {
                return Err(MediaConvertError::bad_request(format!(
                    "{path}: joining sound tracks is not supported by the local MediaConvert; select one"
                )));
            }
            selector.finish()?;
            Ok((name, track))
        })
        .collect()
}

/// Reads one of `audioDescriptions`.
pub(super) fn read(
    mut fields: StrictObject,
    selectors: &HashMap<String, Option<u32>>,
) -> Result<Audio, MediaConvertError> {
    fields.ignore(&[
        "audioType",
        "audioTypeControl",
        "languageCode",
        "languageCodeControl",
        "customLanguageCode",
        "streamName",
    ]);
    let source = fields.string("audioSourceName")?;
    let track = match &source {
        Some(name) => match selectors.get(name) {
            Some(track) => *track,
            // The console's name for a selector that the settings need not define.
            None if name == DEFAULT_SELECTOR => None,
            None => {
                return Err(MediaConvertError::bad_request(format!(
                    "{}: the input has no audio selector {name:?}",
                    fields.at("audioSourceName")
                )));
            }
        },
        None => selectors.get(DEFAULT_SELECTOR).copied().flatten(),
    };
    let mut codec = fields.object("codecSettings")?.ok_or_else(|| missing(&fields.at("codecSettings")))?;
    codec.only("codec", &["AAC"])?;
    let mut aac = codec.object("aacSettings")?.ok_or_else(|| missing(&codec.at("aacSettings")))?;
    codec.finish()?;
    fields.finish()?;

    aac.ignore(&["audioDescriptionBroadcasterMix", "rawFormat", "specification"]);
    aac.only("codecProfile", &["LC"])?;
    aac.only("rateControlMode", &["CBR"])?;
    let bitrate = aac.number("bitrate", 6_000..=1_024_000)?.ok_or_else(|| missing(&aac.at("bitrate")))?;
    let sample_rate = aac.number("sampleRate", 8_000..=96_000)?.ok_or_else(|| missing(&aac.at("sampleRate")))?;
    let channels = aac
        .choice(
            "codingMode",
            &[
                ("CODING_MODE_1_0", Some(1)),
                ("CODING_MODE_2_0", Some(2)),
                ("CODING_MODE_5_1", Some(6)),
                ("CODING_MODE_AUTO", None),
            ],
        )?
        .ok_or_else(|| missing(&aac.at("codingMode")))?;
    aac.finish()?;
    Ok(Audio { track, bitrate, sample_rate, channels })
}
