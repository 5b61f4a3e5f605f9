//! The strict types of the batch document. What is serialised here is the canonical shape; its JSON Schema is
//! `statemachine/schemas/batch.schema.json`.

use serde::{Deserialize, Serialize};

use crate::Id;

/// A set of files that were uploaded together, and all that is known of them so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// The listing they belong to; written as `listingId` or `listingIdentityId`, whichever it came in as.
    #[serde(flatten, with = "crate::document::listing")]
    pub listing: Listing,
    /// The backend's batch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub batch_id: Option<Id>,
    /// The backend's job.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub job_id: Option<Id>,
    /// The backend's own reference, given back as it came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub external_id: Option<String>,
    /// How often the backend has sent this job before.
    #[serde(default)]
    pub retry: u32,
    /// W3C trace context.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub traceparent: Option<String>,
    /// The execution that works on it; set by the first state.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub execution: Option<Execution>,
    /// The revision of the pins that this execution began with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revision: Option<u64>,
    /// The files.
    pub assets: Vec<Asset>,
    /// Archives made of them.
    #[serde(default)]
    pub bundles: Vec<Bundle>,
    /// States that failed as a whole.
    #[serde(default)]
    pub problems: Vec<Problem>,
    /// Sums over `assets`, for the state machine's Choice states. Computed anew on every write; ignored when read.
    #[serde(default)]
    pub counts: Counts,
}

/// Which listing, and in which field the backend said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The listing's id.
    pub id: Id,
    /// The field it came in.
    pub field: ListingField,
}

/// The two names for the same thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListingField {
    /// `listingId`
    ListingId,
    /// `listingIdentityId`
    ListingIdentityId,
}

/// The Step Functions execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// `arn:aws:states:…:execution:…`
    pub arn: String,
    /// Its name, derived from the job.
    pub name: String,
    /// RFC 3339, UTC.
    pub started_at: String,
}

/// What a file was uploaded as. Written as `PHOTO_VERTICAL`, …; in keys as `photo/vertical`, ….
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MediaType {
    /// A portrait photo.
    PhotoVertical,
    /// A landscape photo.
    PhotoHorizontal,
    /// A portrait video.
    VideoVertical,
    /// A landscape video.
    VideoHorizontal,
    /// A PDF of the project.
    ProjectDoc,
    /// A rendering of the project: a picture.
    ProjectRender,
}

/// Pixels, as a person sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PixelSize {
    /// Across.
    pub width: u32,
    /// Down.
    pub height: u32,
}

/// One uploaded file; the fields mean what `types.asset` of the WIT contract says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Asset {
    pub key: String,
    #[serde(rename = "type")]
    pub media_type: MediaType,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub crc32: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pixels: Option<PixelSize>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub orientation: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub has_audio: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sequence: Option<u32>,
    #[serde(default)]
    pub verified: bool,
    #[serde(default)]
    pub renditions: Vec<Rendition>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<Problem>,
}

/// A file made from an asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Rendition {
    pub name: String,
    pub key: String,
    pub content_type: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pixels: Option<PixelSize>,
    pub bytes: u64,
    pub etag: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub crc32: Option<u32>,
    #[serde(default)]
    pub reused: bool,
}

/// A ZIP archive of the batch's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Bundle {
    pub name: String,
    pub key: String,
    pub bytes: u64,
    pub entries: u32,
    pub unpacked_bytes: u64,
    #[serde(default)]
    pub reused: bool,
}

/// A failure as recorded: in which state, under which stable name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Problem {
    pub state: String,
    pub code: String,
    pub message: String,
}

/// Sums over the assets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// All of them.
    pub assets: u32,
    /// Verified, and without a problem.
    pub valid: u32,
    /// With a problem.
    pub failed: u32,
    /// Valid ones of either video type.
    pub videos: u32,
    /// States that failed as a whole (`problems`).
    pub problems: u32,
}
