//! The format of a record: the content of one JSON file. `README.md` of this crate describes it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stagehost_batch::{Asset, Batch, Failure};
use stagehost_runtime::capability::{
    Digests, HttpResponse, ObjectInfo, ObjectPage, Submission, TranscodeJob, WebhookReply,
};
use stagehost_runtime::{CallReport, Grants, Limits, Stage, World};

use crate::cut::Cut;
pub use crate::outcome::{AssetFailure, BatchAdditions, Outcome, Problem};
use crate::scrub;

/// The format that this version writes, and the only one that it reads.
pub const FORMAT: &str = "stagehost-record/1";

/// One call of a stage: its input, its outcome, and all host calls with their answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// [`FORMAT`].
    pub format: String,
    /// When the call began, RFC 3339, UTC.
    pub recorded_at: String,
    /// The version of the host that recorded it.
    pub host: String,
    /// The stage that was called.
    pub stage: StageRef,
    /// The context that was passed to the stage.
    pub context: Context,
    /// The limits of the call.
    pub limits: Limits,
    /// The grants of the call.
    pub grants: Grants,
    /// The batch; the input of a batch stage. For an asset stage it has no files, unless the names of archives depend on
    /// them.
    pub batch: Batch,
    /// The input of an asset stage.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asset: Option<Asset>,
    /// The seed of random numbers, and the clock readings.
    #[serde(rename = "surroundings")]
    pub clocks_and_random: SeedAndReadings,
    /// All host calls in order.
    pub calls: Vec<HostCall>,
    /// The bytes that the stage read.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub contents: Vec<Content>,
    /// The call's outcome.
    pub outcome: Outcome,
    /// Time and resources that the call used.
    pub report: Report,
    /// Where the record ends, if it ends before the call did. Such a record cannot be replayed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cut: Option<Cut>,
}

impl Record {
    /// Returns the file's key, or `batch` for a batch stage.
    pub fn subject(&self) -> &str {
        self.asset.as_ref().map_or("batch", |asset| asset.key.as_str())
    }
}

/// The stage that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct StageRef {
    pub name: String,
    pub version: String,
    /// `sha256:…` of the component.
    pub digest: String,
    pub world: World,
}

impl StageRef {
    pub(crate) fn of(stage: &Stage) -> Self {
        let identity = stage.identity();
        Self {
            name: identity.name.clone(),
            version: identity.version.clone(),
            digest: identity.digest.clone(),
            world: stage.world(),
        }
    }
}

/// `types.context` of the WIT contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Context {
    pub state: String,
    pub execution: String,
    pub started_at: String,
    pub attempt: u32,
    /// The configuration as a JSON object, without credentials; as a text if it is formatted differently from serde_json.
    pub config: Value,
}

impl Context {
    pub(crate) fn config_from(text: &str) -> Value {
        let Some(mut value) = serde_json::from_str::<Value>(text).ok().filter(Value::is_object) else {
            // Nobody knows what is in it.
            return Value::String(scrub::WITHHELD.to_owned());
        };
        let own_format = value.to_string();
        let formatted = own_format == text;
        let found = scrub::config(&mut value);
        if formatted || found { value } else { Value::String(text.to_owned()) }
    }

    /// Returns the configuration as it was passed to the stage, except for credentials.
    pub fn config_text(&self) -> String {
        match &self.config {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        }
    }
}

/// The seed of a call's random numbers, and its clock readings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SeedAndReadings {
    /// The seed of its random numbers: 32 bytes, hexadecimal.
    pub seed: String,
    /// Every reading of the wall clock: nanoseconds since 1970.
    pub wall: Vec<u64>,
    /// Every reading of the monotonic clock, in nanoseconds.
    pub monotonic: Vec<u64>,
    /// Every answer to how much time is left, in milliseconds.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub remaining: Vec<u64>,
}

/// The host's answer to one host call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer<T> {
    /// It succeeded.
    Ok(T),
    /// It was refused or failed.
    Failed(Problem),
}

impl<T: Clone> Answer<T> {
    pub(crate) fn of(result: &Result<T, Failure>) -> Self {
        match result {
            Ok(value) => Self::Ok(value.clone()),
            Err(failure) => Self::Failed(failure.into()),
        }
    }

    pub(crate) fn to_result(&self) -> Result<T, Failure> {
        match self {
            Self::Ok(value) => Ok(value.clone()),
            Self::Failed(problem) => Err(problem.into()),
        }
    }
}

/// One host call. Calls about an object have in `written` how often the call had finished or deleted an object under that key
/// before (absent for zero), because the answers before and after differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[allow(missing_docs)]
pub enum HostCall {
    Stat {
        key: String,
        #[serde(skip_serializing_if = "is_zero", default)]
        written: u32,
        answer: Answer<ObjectInfo>,
    },
    Digest {
        key: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        if_match: Option<String>,
        #[serde(skip_serializing_if = "is_zero", default)]
        written: u32,
        answer: Answer<Digests>,
    },
    /// An object that was opened, and all reads of it.
    Open {
        key: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        if_match: Option<String>,
        #[serde(skip_serializing_if = "is_zero", default)]
        written: u32,
        answer: Answer<ObjectInfo>,
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        reads: Vec<Read>,
    },
    Write(Write),
    List {
        prefix: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        after: Option<String>,
        answer: Answer<ObjectPage>,
    },
    Delete {
        key: String,
        if_match: String,
        answer: Answer<()>,
    },
    Tag {
        key: String,
        name: String,
        value: String,
        answer: Answer<()>,
    },
    Submit {
        job: TranscodeJob,
        answer: Answer<Submission>,
    },
    Deliver {
        body: Payload,
        answer: Answer<WebhookReply>,
    },
    Http {
        request: Request,
        answer: Answer<Response>,
    },
    Exchange(HttpPieces),
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A read of an open object. Consecutive reads are joined; a failed read stands alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Read {
    pub offset: u64,
    /// The number of bytes read; of a failed read, the number requested.
    pub bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failed: Option<Problem>,
}

/// An object that was written or begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Write {
    pub key: String,
    pub content_type: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fingerprint: Option<String>,
    /// Its parts in order.
    pub parts: Vec<Part>,
    /// Steps that the store refused.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub failures: Vec<WriteFailure>,
    pub end: WriteEnd,
}

impl Write {
    /// Returns its length in bytes.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(Part::bytes).sum()
    }

    /// Returns whether the stage finished it, so that it should become visible.
    pub fn is_finished(&self) -> bool {
        matches!(self.end, WriteEnd::Finished { .. })
    }
}

/// A part of an object that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum Part {
    /// A range of a stored object, copied.
    Copied {
        /// The object's key.
        object: String,
        /// Its expected entity tag.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        if_match: Option<String>,
        /// Where the range begins.
        offset: u64,
        /// Its length.
        bytes: u64,
    },
    /// Bytes that the stage made, up to the next copied range.
    Made {
        /// Their number.
        bytes: u64,
        /// Their SHA-256, hexadecimal.
        sha256: String,
    },
}

impl Part {
    /// Returns its length.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Copied { bytes, .. } | Self::Made { bytes, .. } => *bytes,
        }
    }
}

/// A step of writing that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WriteFailure {
    /// The step.
    pub step: Step,
    /// How many bytes the object had by then.
    pub at: u64,
    /// The host's answer.
    pub problem: Problem,
}

/// A step of writing an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Step {
    Create,
    Append,
    AppendObject,
}

/// The end of writing an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WriteEnd {
    /// The stage finished it.
    Finished {
        /// The store's answer.
        answer: Answer<ObjectInfo>,
    },
    /// The stage did not finish it, so nothing became visible.
    Dropped,
}

/// A body: inline if it is a short text, otherwise a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Payload {
    pub bytes: u64,
    /// Hexadecimal. It names the blob.
    pub sha256: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
}

/// A request to another service, without credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Request {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Payload,
}

/// The response to a [`Request`], without credentials in its headers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Payload,
}

impl Response {
    pub(crate) fn with_body(&self, body: bytes::Bytes) -> HttpResponse {
        HttpResponse { status: self.status, headers: self.headers.clone(), body }
    }
}

/// A request to another service whose body, and whose answer's body, came in pieces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpPieces {
    /// The request. Of its body only length and digest are recorded, as far as the service has taken it.
    pub request: Request,
    /// The head of the answer; absent if the stage has not asked for it, or the service failed before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub answer: Option<Answer<ResponseHead>>,
    /// What the stage has read of the answer's body, in order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub pieces: Vec<Payload>,
    /// Whether it has read the body to its end.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub complete: bool,
    /// How the service failed: at the body of the request if there is no answer, otherwise at the body of the answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failed: Option<Problem>,
}

/// The head of the answer to a [`Request`], without credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct ResponseHead {
    pub status: u16,
    pub headers: Vec<(String, String)>,
}

/// The recorded bytes of one version of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Content {
    pub key: String,
    pub etag: String,
    /// The whole object's length.
    pub bytes: u64,
    /// In order, without overlaps.
    pub ranges: Vec<Range>,
}

/// A range of an object that was read, as consecutive blobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Range {
    pub offset: u64,
    pub blobs: Vec<BlobRef>,
}

/// The size and the digest of a blob, which is a file named by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct BlobRef {
    pub bytes: u64,
    /// Hexadecimal.
    pub sha256: String,
}

/// Time and resources that a call used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct Report {
    pub duration_ms: f64,
    /// Bytes of linear memory.
    pub memory_peak: u64,
    pub bytes_read: u64,
    pub bytes_written: u64,
}

impl From<&CallReport> for Report {
    fn from(report: &CallReport) -> Self {
        Self {
            duration_ms: report.duration.as_micros() as f64 / 1e3,
            memory_peak: report.memory_peak as u64,
            bytes_read: report.bytes_read,
            bytes_written: report.bytes_written,
        }
    }
}
