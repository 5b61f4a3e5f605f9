//! The durable record of a submission, so that a video is submitted once whatever fails.
//!
//! MediaConvert recognises a repeated request by its client request token, but for one minute only ("Preventing duplicate
//! jobs", MediaConvert API Reference). A state may be tried again hours later. So each submission has a record in the
//! bucket, `pipeline/tickets-submitted/<id>.json`. Its id follows from the execution, the state, the version of the source and the
//! outputs.
//! The record is changed by compare-and-set only, and goes through these phases:
//!
//! 1. *intended*: written before the job is requested, with the time and the round. The job carries a token made of id and
//!    round, as its request token and in its user metadata. All attempts of the request end within [`REQUEST_TIME`], which is shorter
//!    than the minute, so that MediaConvert itself recognises a repeated attempt.
//! 2. *accepted*: MediaConvert's id of the job is noted.
//! 3. *void*: no job of this round counts. MediaConvert refused the request, or the job was given up.
//!
//! A try that finds a record acts by it:
//!
//! - *accepted*: it asks for the job (GetJob) and waits for that one;
//! - *intended*: the answer was lost, or another try is about to get it. The job is looked for by its user metadata (ListJobs).
//!   If there is none, and the intention is so old that no request of it can be under way any more, the try takes the record over
//!   with the next round;
//! - *void*, or MediaConvert does not know the job any more: the next round.
//!
//! The record is deleted with the ticket of the state, or by the sweep once the execution is gone.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stagehost_batch::{Case, Failure, list_digest};
use stagehost_storage::{Found, Storage as _, StorageError, Tag};
use time::OffsetDateTime;

use crate::ids::ticket_id;
use crate::jobs::ticket::TicketOutput;
use crate::objects::bucket::MediaBucket;

/// The longest time for all attempts of one request for a job.
pub(crate) const REQUEST_TIME: Duration = Duration::from_secs(40);

/// How old an intention must be before another try may take it over: [`REQUEST_TIME`], a few seconds before the request, and
/// time in which MediaConvert lists what it has accepted.
pub(crate) const UNDECIDED: Duration = Duration::from_secs(75);

/// The prefix of all records. It begins like the tickets', so that the sweep lists both with one request.
pub(crate) const PREFIX: &str = "pipeline/tickets-submitted/";

/// The record of a submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubmissionRecord {
    /// The execution's ARN.
    pub(crate) execution: String,
    /// The state's name.
    pub(crate) state: String,
    /// The key of the source.
    pub(crate) source: String,
    /// How often the job was requested anew.
    pub(crate) round: u32,
    /// When this round began, in milliseconds since 1970.
    pub(crate) began: i64,
    pub(crate) phase: Phase,
}

/// Where a submission is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub(crate) enum Phase {
    Intended,
    Accepted { job: String },
    Void,
}

impl SubmissionRecord {
    /// Returns the first round of a submission that begins now.
    pub(crate) fn new(execution: &str, state: &str, source: &str) -> Self {
        let (execution, state, source) = (execution.to_owned(), state.to_owned(), source.to_owned());
        Self { execution, state, source, round: 0, began: now(), phase: Phase::Intended }
    }

    /// Returns the next round, which begins now.
    pub(crate) fn next(&self) -> Self {
        Self { round: self.round.saturating_add(1), began: now(), phase: Phase::Intended, ..self.clone() }
    }

    /// Returns the same round in another phase.
    pub(crate) fn with(&self, phase: Phase) -> Self {
        Self { phase, ..self.clone() }
    }

    pub(crate) fn began(&self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.began) * 1_000_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    pub(crate) fn age(&self) -> Duration {
        Duration::from_millis(u64::try_from(now() - self.began).unwrap_or_default())
    }

    /// Returns the ticket of the state that submitted it.
    pub(crate) fn ticket(&self) -> String {
        ticket_id(&self.execution, &self.state)
    }
}

/// Returns the id of a submission: 64 hexadecimal digits.
pub(crate) fn submission_id(
    execution: &str,
    state: &str,
    source_key: &str,
    source_etag: &str,
    outputs: &[TicketOutput],
) -> String {
    let mut parts = ["job", execution, state, source_key, source_etag].map(str::to_owned).to_vec();
    for output in outputs {
        parts.extend([
            output.name.clone(),
            output.key.clone(),
            format!("{}x{}", output.pixels.width, output.pixels.height),
            format!("{} {:?}", output.video_bitrate, output.audio_bitrate),
        ]);
    }
    list_digest(parts.iter().map(String::as_str))
}

/// Returns the token of a round: 64 hexadecimal digits, the most that MediaConvert takes.
pub(crate) fn round_token(id: &str, round: u32) -> String {
    list_digest(["round", id, &round.to_string()])
}

/// Returns the key of a record.
pub(crate) fn record_key(id: &str) -> String {
    format!("{PREFIX}{id}.json")
}

/// Returns the id in a record's key.
pub(crate) fn id_in(key: &str) -> Option<&str> {
    key.strip_prefix(PREFIX)?.strip_suffix(".json")
}

/// The records in the bucket.
#[derive(Clone)]
pub(crate) struct Submissions {
    store: stagehost_storage::Bucket,
}

impl Submissions {
    pub(crate) fn new(bucket: &MediaBucket) -> Self {
        Self { store: bucket.documents("") }
    }

    /// Returns a record and its tag. One that cannot be read counts as void, so that it is replaced.
    pub(crate) async fn read(&self, id: &str) -> Result<Option<(Option<SubmissionRecord>, Tag)>, Failure> {
        match self.store.get(&record_key(id), None).await.map_err(transient)? {
            Found::Found { bytes, tag } => Ok(Some((serde_json::from_slice(&bytes).ok(), tag))),
            Found::Missing | Found::Unchanged => Ok(None),
        }
    }

    /// Creates a record; `None` if there is one.
    pub(crate) async fn create(&self, id: &str, record: &SubmissionRecord) -> Result<Option<Tag>, Failure> {
        self.store.create(&record_key(id), bytes(record)?).await.map_err(transient)
    }

    /// Replaces a record that still has this tag; else returns `None`.
    pub(crate) async fn replace(&self, id: &str, record: &SubmissionRecord, was: &Tag) -> Result<Option<Tag>, Failure> {
        self.store.replace(&record_key(id), bytes(record)?, was).await.map_err(transient)
    }
}

fn bytes(record: &SubmissionRecord) -> Result<Bytes, Failure> {
    let text = serde_json::to_vec(record);
    text.map(Bytes::from).map_err(|error| Failure::new(Case::Internal, format!("writing a submission: {error}")))
}

fn transient(error: StorageError) -> Failure {
    Failure::new(Case::Transient, error.to_string())
}

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}
