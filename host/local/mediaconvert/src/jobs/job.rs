//! A job and its JSON in the API.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::settings::Plan;

/// The status of a job. The last three are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobStatus {
    /// Queued.
    Submitted,
    /// Running.
    Progressing,
    /// All outputs are stored.
    Complete,
    /// Failed; no output is stored.
    Error,
    /// Stopped by request.
    Canceled,
}

impl JobStatus {
    /// Returns the name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "SUBMITTED",
            Self::Progressing => "PROGRESSING",
            Self::Complete => "COMPLETE",
            Self::Error => "ERROR",
            Self::Canceled => "CANCELED",
        }
    }

    /// Returns the status of a name in the API.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Submitted, Self::Progressing, Self::Complete, Self::Error, Self::Canceled]
            .into_iter()
            .find(|status| status.as_str() == word)
    }

    /// Returns whether the status is final.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Complete | Self::Error | Self::Canceled)
    }
}

/// The phase of a job that is `PROGRESSING`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Probing,
    Transcoding,
    Uploading,
}

impl Phase {
    pub(crate) const ALL: [Self; 3] = [Self::Probing, Self::Transcoding, Self::Uploading];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Probing => "PROBING",
            Self::Transcoding => "TRANSCODING",
            Self::Uploading => "UPLOADING",
        }
    }
}

/// Why a job ended in `ERROR`. The codes are those of the service's user guide ("Error codes").
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JobError {
    pub(crate) code: u32,
    pub(crate) message: String,
}

/// A finished output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FinishedOutput {
    pub(crate) path: String,
    pub(crate) duration_ms: u64,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// A job.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) queue: String,
    pub(crate) role: String,
    pub(crate) token: Option<String>,
    pub(crate) template: Option<String>,
    pub(crate) metadata: Map<String, Value>,
    /// Merged with those of the template.
    pub(crate) settings: Value,
    pub(crate) plan: Arc<Plan>,
    /// Seconds between two `STATUS_UPDATE` events.
    pub(crate) interval: u64,
    pub(crate) status: JobStatus,
    pub(crate) phase: Phase,
    pub(crate) percent: u32,
    pub(crate) frames: u64,
    pub(crate) submitted: OffsetDateTime,
    pub(crate) started: Option<OffsetDateTime>,
    pub(crate) finished: Option<OffsetDateTime>,
    pub(crate) error: Option<JobError>,
    /// The finished outputs of each output group.
    pub(crate) outputs: Vec<Vec<FinishedOutput>>,
    /// Set to true to cancel the job.
    pub(crate) cancel: watch::Sender<bool>,
}

impl Job {
    /// Returns the `job` object of the API's responses.
    pub(crate) fn to_json(&self) -> Value {
        let mut timing = json!({"submitTime": epoch(self.submitted)});
        if let Some(started) = self.started {
            timing["startTime"] = epoch(started);
        }
        if let Some(finished) = self.finished {
            timing["finishTime"] = epoch(finished);
        }
        let mut job = json!({
            "arn": self.arn,
            "id": self.id,
            "createdAt": epoch(self.submitted),
            "queue": self.queue,
            "role": self.role,
            "status": self.status.as_str(),
            "statusUpdateInterval": format!("SECONDS_{}", self.interval),
            "settings": self.settings,
            "timing": timing,
            "userMetadata": self.metadata,
            "priority": 0,
            "retryCount": 0,
            "accelerationSettings": {"mode": "DISABLED"},
            "accelerationStatus": "NOT_APPLICABLE",
            "billingTagsSource": "JOB",
        });
        if let Some(template) = &self.template {
            job["jobTemplate"] = json!(template);
        }
        if let Some(token) = &self.token {
            job["clientRequestToken"] = json!(token);
        }
        if self.status == JobStatus::Progressing {
            job["currentPhase"] = json!(self.phase.as_str());
            job["jobPercentComplete"] = json!(self.percent);
        }
        if let Some(error) = &self.error {
            job["errorCode"] = json!(error.code);
            job["errorMessage"] = json!(error.message);
        }
        if self.status == JobStatus::Complete {
            job["jobPercentComplete"] = json!(100);
            job["outputGroupDetails"] = self
                .outputs
                .iter()
                .map(|group| {
                    let details: Vec<_> = group
                        .iter()
                        .map(|output| {
                            json!({
                                "durationInMs": output.duration_ms,
                                "videoDetails": {"widthInPx": output.width, "heightInPx": output.height},
                            })
                        })
                        .collect();
                    json!({"outputDetails": details})
                })
                .collect();
        }
        job
    }
}

/// Returns a time as the API writes it: seconds since 1970 with milliseconds.
pub(crate) fn epoch(time: OffsetDateTime) -> Value {
    json!(time.unix_timestamp_nanos().div_euclid(1_000_000) as f64 / 1000.0)
}

/// Returns a new id in the form of the service: milliseconds since 1970, and six letters or digits.
pub(crate) fn new_id(now: OffsetDateTime) -> String {
    const LETTERS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let random = uuid::Uuid::new_v4();
    let suffix: String =
        random.as_bytes().iter().take(6).map(|byte| char::from(LETTERS[usize::from(byte % 36)])).collect();
    format!("{}-{suffix}", now.unix_timestamp_nanos().div_euclid(1_000_000))
}
