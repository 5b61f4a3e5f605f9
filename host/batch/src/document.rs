//! The strict types of the batch document. What is serialised here is the canonical shape; its JSON Schema is
//! `statemachine/schemas/batch.schema.json`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Id, MediaType};

/// A set of files that were uploaded together, and all that is known of them so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
// `remote` makes the derived code private functions, so that the traits below can keep `counts` right around them.
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct Batch {
    /// The listing they belong to; written as `listingId` or `listingIdentityId`, whichever it came in as.
    #[serde(flatten)]
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
    /// Sums, for the state machine's Choice states. Computed anew on every read and write, so what a document claims
    /// is never believed; in between, [`Batch::recount`] brings them up to date.
    #[serde(default)]
    pub counts: Counts,
}

/// Which listing, and in which field the backend said so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ListingFields", into = "ListingFields")]
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

impl ListingField {
    /// As it is written in documents.
    pub fn name(self) -> &'static str {
        match self {
            ListingField::ListingId => "listingId",
            ListingField::ListingIdentityId => "listingIdentityId",
        }
    }
}

/// How a [`Listing`] looks on the wire: exactly one of the two fields.
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

/// Pixels, as a person sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PixelSize {
    /// Across.
    pub width: u32,
    /// Down.
    pub height: u32,
}

/// One uploaded file; the fields mean what `types.asset` of the WIT contract says.
///
/// A file that had to be refused before any stage saw it (a key outside the layout, a type that does not exist) is
/// kept like any other, so that the backend hears of it: with its key as it came, a `problem` that quotes what was
/// wrong, and as `media_type` the nearest one that could be made out, `PROJECT_DOC` failing that. Nothing works on a
/// file that has a problem, so that type only ever fills the place.
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

impl Asset {
    /// A file of which nothing is known but its key and type.
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
            problem: None,
        }
    }

    /// Verified, and no stage failed on it.
    pub fn is_valid(&self) -> bool {
        self.verified && self.problem.is_none()
    }
}

impl Batch {
    /// A batch of `listing` without files.
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
            problems: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// The asset of that key.
    pub fn asset(&self, key: &str) -> Option<&Asset> {
        self.assets.iter().find(|asset| asset.key == key)
    }

    /// Brings [`Batch::counts`] up to date.
    pub fn recount(&mut self) {
        self.counts = Counts::of(self);
    }
}

impl Counts {
    /// The sums for `batch` as it is now.
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
