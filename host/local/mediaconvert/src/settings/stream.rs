//! `HLS_GROUP_SETTINGS`: films cut into segments, with a playlist for each and one above them.

use super::film::Film;
use super::location::Location;
use crate::document::strict::{StrictObject, missing};
use crate::error::MediaConvertError;

/// One rendition of a stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stream {
    pub(crate) film: Film,
    /// The wanted length of a segment, in seconds. Segments begin with key frames.
    pub(crate) segment: u32,
    /// Bucket and key of the playlist above, without extension.
    base: Location,
    /// What the names of this rendition's files have in addition.
    modifier: String,
}

impl Stream {
    pub(super) fn new(film: Film, segment: u32, base: Location, modifier: String) -> Self {
        Self { film, segment, base, modifier }
    }

    /// Returns where the playlist above all renditions is stored.
    pub(crate) fn master(&self) -> Location {
        self.at(".m3u8", "")
    }

    /// Returns where this rendition's playlist is stored.
    pub(crate) fn playlist(&self) -> Location {
        self.at(".m3u8", &self.modifier)
    }

    /// Returns where a segment is stored. The service counts them from 1.
    pub(crate) fn segment_file(&self, number: u32) -> Location {
        self.at(&format!("_{number:05}.ts"), &self.modifier)
    }

    fn at(&self, end: &str, modifier: &str) -> Location {
        let Location { bucket, key } = &self.base;
        Location { bucket: bucket.clone(), key: format!("{key}{modifier}{end}") }
    }
}

/// Reads `hlsGroupSettings`. Returns the destination as it is written, its path, and the length of segments in seconds.
pub(super) fn read_group(mut fields: StrictObject) -> Result<(String, String, u32), MediaConvertError> {
    let path = fields.at("destination");
    let destination = fields.string("destination")?.ok_or_else(|| missing(&path))?;
    let segment = fields.number("segmentLength", 1..=3_600)?.ok_or_else(|| missing(&fields.at("segmentLength")))?;
    fields.number("minSegmentLength", 0..=0)?;
    fields.only("segmentControl", &["SEGMENTED_FILES"])?;
    fields.only("segmentLengthControl", &["EXACT", "GOP_MULTIPLE"])?;
    fields.only("directoryStructure", &["SINGLE_DIRECTORY"])?;
    fields.only("manifestDurationFormat", &["FLOATING_POINT"])?;
    fields.only("manifestCompression", &["NONE"])?;
    fields.only("outputSelection", &["MANIFESTS_AND_SEGMENTS"])?;
    fields.only("programDateTime", &["EXCLUDE"])?;
    fields.only("streamInfResolution", &["INCLUDE"])?;
    fields.only("captionLanguageSetting", &["OMIT", "NONE"])?;
    // Encryption, storage class and ACL depend on the store; the others are hints for players.
    fields.ignore(&["destinationSettings", "clientCache", "codecSpecification", "targetDurationCompatibilityMode"]);
    fields.finish()?;
    Ok((path, destination, segment))
}
