//! What a waiting state waits for, as it is kept in the bucket.

use serde::{Deserialize, Serialize};
use stagehost_batch::{Batch, PixelSize};
use stagehost_runtime::capability::{TranscodeJob, TranscodeOutput};

/// A state that waits for transcoding jobs.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// The execution's ARN.
    pub execution: String,
    /// The state's name.
    pub state: String,
    /// The token with which Step Functions lets the host end the state.
    pub task_token: String,
    /// The number of the state's try, from zero.
    #[serde(default)]
    pub attempt: u32,
    /// The batch as the stage returned it; the renditions are merged into it.
    pub batch: Batch,
    /// The jobs. Without any, the state ends at once.
    pub jobs: Vec<TicketJob>,
}

// The token is a password for the state, so it is not printed.
impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket")
            .field("execution", &self.execution)
            .field("state", &self.state)
            .field("jobs", &self.jobs)
            .finish_non_exhaustive()
    }
}

/// A job that a state waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TicketJob {
    /// MediaConvert's id of the job.
    pub id: String,
    /// The key of the source video.
    pub source_key: String,
    /// The entity tag of the version that was submitted.
    pub source_etag: String,
    /// The outputs of the job.
    pub outputs: Vec<TicketOutput>,
}

/// One output of a job: [`TranscodeOutput`] as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct TicketOutput {
    pub name: String,
    pub key: String,
    pub pixels: PixelSize,
    pub video_bitrate: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub audio_bitrate: Option<u32>,
}

impl TicketJob {
    /// Returns the submitted `job` under MediaConvert's `id`.
    pub fn new(id: impl Into<String>, job: &TranscodeJob) -> Self {
        Self {
            id: id.into(),
            source_key: job.source_key.clone(),
            source_etag: job.source_etag.clone(),
            outputs: job.outputs.iter().map(TicketOutput::from).collect(),
        }
    }
}

impl From<&TranscodeOutput> for TicketOutput {
    fn from(output: &TranscodeOutput) -> Self {
        Self {
            name: output.name.clone(),
            key: output.key.clone(),
            pixels: output.pixels,
            video_bitrate: output.video_bitrate,
            audio_bitrate: output.audio_bitrate,
        }
    }
}
