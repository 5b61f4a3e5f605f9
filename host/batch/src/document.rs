//! The strict types of the batch document. They serialise to the canonical shape, whose JSON Schema is
//! `statemachine/schemas/batch.schema.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::Id;
use crate::media::MediaType;

/// A set of files that were uploaded together, and everything known about them so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
// `remote` turns the derived code into private functions, which the trait implementations below call around a recount.
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct Batch {
    /// The listing that they belong to; written under the same field name as it was read.
    #[serde(flatten)]
    pub listing: Listing,
    /// The backend's id of the batch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub batch_id: Option<Id>,
    /// The backend's id of the job.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub job_id: Option<Id>,
    /// The backend's own reference, returned unchanged.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub external_id: Option<String>,
    /// How often the backend has sent this job before.
    #[serde(default)]
    pub retry: u32,
    /// W3C trace context.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub traceparent: Option<String>,
    /// The execution that processes the batch; set by the first state.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub execution: Option<Execution>,
    /// The revision of the pins that this execution began with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revision: Option<u64>,
    /// The files.
    pub assets: Vec<Asset>,
    /// Archives of the files.
    #[serde(default)]
    pub bundles: Vec<Bundle>,
    /// Files that stages made from the batch as a whole, one for each name.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub files: Vec<Rendition>,
    /// What stages found out about the batch as a whole, by name; see [`attribute_fault`](crate::attribute_fault).
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub attributes: BTreeMap<String, String>,
    /// States that failed as a whole.
    #[serde(default)]
    pub problems: Vec<Problem>,
    /// Sums, for the state machine's Choice states. They are computed on every read and write, never taken from a document;
    /// in between, [`Batch::recount`] updates them.
    #[serde(default)]
    pub counts: Counts,
}

/// The listing's id, and the name of the field that it came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ListingFields", into = "ListingFields")]
pub struct Listing {
    /// The listing's id.
    pub id: Id,
    /// The field it came in.
    pub field: ListingField,
}

/// The two names of the field for the listing's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListingField {
    /// `listingId`
    ListingId,
    /// `listingIdentityId`
    ListingIdentityId,
}

impl ListingField {
    /// Returns the name in documents.
    pub fn name(self) -> &'static str {
        match self {
            ListingField::ListingId => "listingId",
            ListingField::ListingIdentityId => "listingIdentityId",
        }
    }
}

/// A [`Listing`] in JSON: exactly one of the two fields.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListingFields {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    listing_id: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    listing_identity_id: Option<Id>,
}

impl TryFrom<ListingFields> for Listing {
    type Error = &'static str;

    fn try_from(fields: ListingFields) -> Result<Self, Self::Error> {
        match (fields.listing_id, fields.listing_identity_id) {
            (Some(id), None) => Ok(Listing { id, field: ListingField::ListingId }),
            (None, Some(id)) => Ok(Listing { id, field: ListingField::ListingIdentityId }),
            _ => Err("exactly one of `listingId` and `listingIdentityId` is needed"),
        }
    }
}

impl From<Listing> for ListingFields {
    fn from(listing: Listing) -> Self {
        match listing.field {
            ListingField::ListingId => ListingFields { listing_id: Some(listing.id), listing_identity_id: None },
            ListingField::ListingIdentityId => {
                ListingFields { listing_id: None, listing_identity_id: Some(listing.id) }
            }
        }
    }
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

/// The size of a picture in pixels, after its orientation is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PixelSize {
    /// Horizontally.
    pub width: u32,
    /// Vertically.
    pub height: u32,
}

/// One uploaded file. The fields are those of `types.asset` in the WIT contract.
///
/// A file that is refused before any stage sees it (a key outside the layout, an unknown type) stays in the batch, so that
/// the backend gets a result for it: with its key unchanged, a `problem` that quotes the fault, and as `media_type` the
/// nearest known type or else `PROJECT_DOC`. No stage is called for a file with a problem, so this type is never used.
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
    /// What stages found out about the file beyond the other fields, by name; see
    /// [`attribute_fault`](crate::attribute_fault).
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub attributes: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<Problem>,
}

/// A file made from an asset, or from the batch as a whole.
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

/// A recorded failure: the state, the stable name, a message.
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
    /// All assets.
    pub assets: u32,
    /// Assets that are verified and have no problem.
    pub valid: u32,
    /// Assets with a problem.
    pub failed: u32,
    /// Valid assets of either video type.
    pub videos: u32,
    /// States that failed as a whole (`problems`).
    pub problems: u32,
}

impl Asset {
    /// Returns a file of which only key and type are known.
    pub fn new(key: impl Into<String>, media_type: MediaType) -> Self {
        Asset {
            key: key.into(),
            media_type,
            content_type: None,
            bytes: None,
            etag: None,
            sha256: None,
            crc32: None,
            pixels: None,
            orientation: None,
            duration_ms: None,
            has_audio: None,
            title: None,
            sequence: None,
            verified: false,
            renditions: Vec::new(),
            attributes: BTreeMap::new(),
            problem: None,
        }
    }

    /// Returns whether it is verified and has no problem.
    pub fn is_valid(&self) -> bool {
        self.verified && self.problem.is_none()
    }
}

impl Batch {
    /// Returns a batch of `listing` without files.
    pub fn new(listing: Listing) -> Self {
        Batch {
            listing,
            batch_id: None,
            job_id: None,
            external_id: None,
            retry: 0,
            traceparent: None,
            execution: None,
            revision: None,
            assets: Vec::new(),
            bundles: Vec::new(),
            files: Vec::new(),
            attributes: BTreeMap::new(),
            problems: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// Returns the asset with this key.
    pub fn asset(&self, key: &str) -> Option<&Asset> {
        self.assets.iter().find(|asset| asset.key == key)
    }

    /// Updates [`Batch::counts`].
    pub fn recount(&mut self) {
        self.counts = Counts::of(self);
    }
}

impl Counts {
    /// Returns the sums for `batch`.
    pub fn of(batch: &Batch) -> Self {
        let count = |wanted: &dyn Fn(&Asset) -> bool| {
            let found = batch.assets.iter().filter(|asset| wanted(asset)).count();
            u32::try_from(found).unwrap_or(u32::MAX)
        };
        Counts {
            assets: count(&|_| true),
            valid: count(&Asset::is_valid),
            failed: count(&|asset| asset.problem.is_some()),
            videos: count(&|asset| asset.is_valid() && asset.media_type.is_video()),
            problems: u32::try_from(batch.problems.len()).unwrap_or(u32::MAX),
        }
    }
}

impl Serialize for Batch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.counts == Counts::of(self) {
            return Batch::serialize(self, serializer);
        }
        let mut fresh = self.clone();
        fresh.recount();
        Batch::serialize(&fresh, serializer)
    }
}

impl<'de> Deserialize<'de> for Batch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut batch = Batch::deserialize(deserializer)?;
        batch.recount();
        Ok(batch)
    }
}
