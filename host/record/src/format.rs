//! What a record looks like: the content of one JSON file. `README.md` of this crate describes it for people.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stagehost_batch::{Asset, Batch, Bundle, Case, Failure};
use stagehost_runtime::capability::{Digests, HttpResponse, ObjectInfo, Submission, TranscodeJob, WebhookReply};
use stagehost_runtime::{Additions, CallOutput, CallReport, Grants, Limits, World};

/// The format that is written, and the only one that is read.
pub const FORMAT: &str = "stagehost-record/1";

/// One call of a stage: everything that went in, everything that came out, and what the host was asked in between.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// [`FORMAT`].
    pub format: String,
    /// When the call began, RFC 3339, UTC.
    pub recorded_at: String,
    /// Version of the host that recorded it.
    pub host: String,
    /// What was called.
    pub stage: StageRef,
    /// What the stage was told about the call.
    pub context: Context,
    /// What the call might use.
    pub limits: Limits,
    /// What it might read, write and call.
    pub grants: Grants,
    /// The batch that the call was about; the input of a batch stage. For an asset stage without its files, unless the
    /// names of archives depend on them.
    pub batch: Batch,
    /// The input of an asset stage.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asset: Option<Asset>,
    /// Chance and time.
    pub surroundings: Seen,
    /// What the host was asked, in the order in which it was.
    pub calls: Vec<HostCall>,
    /// The bytes that the stage read.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub contents: Vec<Content>,
    /// What came of the call.
    pub outcome: Outcome,
    /// What it took.
    pub report: Report,
}

impl Record {
    /// The file, or `batch` for a batch stage.
    pub fn subject(&self) -> &str {
        self.asset.as_ref().map_or("batch", |asset| asset.key.as_str())
    }
}

/// Which bytes ran.
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

/// `types.context` of the WIT contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Context {
    pub state: String,
    pub execution: String,
    pub started_at: String,
    pub attempt: u32,
    /// The configuration; as a text only where it is not a JSON object written in the usual way.
    pub config: Value,
}

impl Context {
    pub(crate) fn config_from(text: &str) -> Value {
        let value = serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
        let again = value.as_ref().map(Value::to_string);
        value.filter(|_| again.as_deref() == Some(text)).unwrap_or_else(|| Value::String(text.to_owned()))
    }

    /// The configuration as the stage saw it.
    pub fn config_text(&self) -> String {
        match &self.config {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        }
    }
}

/// What the stage saw of chance and time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Seen {
    /// The seed of its random numbers: 32 bytes, hexadecimal.
    pub seed: String,
    /// Every reading of the wall clock: nanoseconds since 1970.
    pub wall: Vec<u64>,
    /// Every reading of the monotonic clock, in nanoseconds.
    pub monotonic: Vec<u64>,
}

/// The host's answer to one question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer<T> {
    /// It was given.
    Ok(T),
    /// It was refused, or something went wrong.
    Failed(Problem),
}

impl<T: Clone> Answer<T> {
    pub(crate) fn of(result: &Result<T, Failure>) -> Self {
        match result {
            Ok(value) => Self::Ok(value.clone()),
            Err(failure) => Self::Failed(failure.into()),
        }
    }

    pub(crate) fn give(&self) -> Result<T, Failure> {
        match self {
            Self::Ok(value) => Ok(value.clone()),
            Self::Failed(problem) => Err(problem.into()),
        }
    }
}

/// A failure, by its stable name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Problem {
    /// `Stage.Missing`, …
    pub code: String,
    pub message: String,
}

impl From<&Failure> for Problem {
    fn from(failure: &Failure) -> Self {
        Self { code: failure.case.name().to_owned(), message: failure.message.clone() }
    }
}

impl From<&Problem> for Failure {
    fn from(problem: &Problem) -> Self {
        let case = Case::ALL.into_iter().find(|case| case.name() == problem.code);
        Failure::new(case.unwrap_or(Case::Internal), problem.message.clone())
    }
}

/// One question to the host. Questions about one object carry how many objects the call had finished under that key before
/// (`written`, nothing for none): what was there before a call wrote differs from what is there after.
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
    /// An object that was opened, and everything that was read of it.
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
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Reads that follow on one another are one; one that failed stands alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Read {
    pub offset: u64,
    /// Given; or, with a failure, asked for.
    pub bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failed: Option<Problem>,
}

/// An object that was written, or begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Write {
    pub key: String,
    pub content_type: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fingerprint: Option<String>,
    /// What it is made of, in order.
    pub parts: Vec<Part>,
    /// Steps that the store refused.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub failures: Vec<WriteFailure>,
    pub end: WriteEnd,
}

impl Write {
    /// Its length in bytes.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(Part::bytes).sum()
    }

    /// Whether the stage asked for it to become visible.
    pub fn is_meant(&self) -> bool {
        matches!(self.end, WriteEnd::Finished { .. })
    }
}

/// Bytes of an object that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum Part {
    /// A range of a stored object, copied.
    Copied {
        /// The object's key.
        object: String,
        /// Which version of it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        if_match: Option<String>,
        /// Where the range begins.
        offset: u64,
        /// How long it is.
        bytes: u64,
    },
    /// Bytes that the stage made, up to the next range that is copied.
    Made {
        /// How many.
        bytes: u64,
        /// Their SHA-256, hexadecimal.
        sha256: String,
    },
}

impl Part {
    /// Its length.
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
    /// Which step.
    pub step: Step,
    /// How many bytes the object had by then.
    pub at: u64,
    /// What the host said.
    pub problem: Problem,
}

/// What a stage does with an object that it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Step {
    Create,
    Append,
    AppendObject,
}

/// How the writing of an object ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WriteEnd {
    /// The stage finished it, and this is what the store said.
    Finished {
        /// The store's answer.
        answer: Answer<ObjectInfo>,
    },
    /// It was never finished: nothing became visible.
    Dropped,
}

/// A body: inline where it is a short text, otherwise a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Payload {
    pub bytes: u64,
    /// Hexadecimal; the blob's name.
    pub sha256: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<String>,
}

/// A request to another service, without what may be secret in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Request {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Payload,
}

/// Its response, without what may be secret in its headers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Payload,
}

impl Response {
    pub(crate) fn with(&self, body: bytes::Bytes) -> HttpResponse {
        HttpResponse { status: self.status, headers: self.headers.clone(), body }
    }
}

/// What is known of the bytes of one version of an object.
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

/// Bytes of an object that were read, as blobs that follow on one another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Range {
    pub offset: u64,
    pub blobs: Vec<Blob>,
}

/// Bytes in a file of their own, named by their digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Blob {
    pub bytes: u64,
    /// Hexadecimal.
    pub sha256: String,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The asset as an asset stage gave it back.
    Asset(Box<Asset>),
    /// What a batch stage adds.
    Batch(Added),
    /// The stage said so, or broke.
    Failed(Problem),
}

/// What a batch stage adds to the batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Added {
    pub assets: Vec<Asset>,
    pub bundles: Vec<Bundle>,
    pub failures: Vec<AssetFailure>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

/// A file on which a batch stage failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct AssetFailure {
    pub key: String,
    #[serde(flatten)]
    pub problem: Problem,
}

impl Outcome {
    pub(crate) fn of(outcome: &Result<CallOutput, Failure>) -> Self {
        match outcome {
            Ok(CallOutput::Asset(asset)) => Self::Asset(asset.clone()),
            Ok(CallOutput::Batch(Additions { assets, bundles, failures, note })) => Self::Batch(Added {
                assets: assets.clone(),
                bundles: bundles.clone(),
                failures: failures
                    .iter()
                    .map(|(key, failure)| AssetFailure { key: key.clone(), problem: failure.into() })
                    .collect(),
                note: note.clone(),
            }),
            Err(failure) => Self::Failed(failure.into()),
        }
    }
}

/// What a call took.
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
