//! The transcoding service, by MediaConvert.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_mediaconvert::types::StatusUpdateInterval;
use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::{CallScope, Submission, TranscodeJob, Transcoder};

use crate::ids::{hash, ticket_id};
use crate::jobs::events::{JobReport, JobStatus, is_job_id};
use crate::jobs::job_settings as job;
use crate::jobs::receipts;
use crate::jobs::tickets::{self, TicketJob};
use crate::objects::bucket::Store;
use crate::sdk_error::failure;

/// How jobs are submitted.
#[derive(Clone, Debug)]
pub struct MediaConvertOptions {
    /// Name or ARN of the queue; `None` is the account's default one.
    pub queue: Option<String>,
    /// ARN of the role that MediaConvert assumes to read and write the bucket. Without one no job is submitted.
    pub role: Option<String>,
    /// Name of the job template, `toq-media-video-preset-<env>`.
    pub job_template: Option<String>,
    /// The names of the template's outputs, in its order.
    pub template_outputs: Vec<String>,
    /// How often a running job reports, which keeps the waiting state alive; must be well below its `HeartbeatSeconds`.
    /// MediaConvert knows certain intervals from 10 s to 10 min: the next shorter one is taken.
    pub status_interval: Duration,
}

impl Default for MediaConvertOptions {
    fn default() -> Self {
        Self {
            queue: None,
            role: None,
            job_template: None,
            template_outputs: vec!["1080p".to_owned(), "720p".to_owned()],
            status_interval: Duration::from_secs(60),
        }
    }
}

impl MediaConvertOptions {
    /// What of these options shapes a job's files; see [`receipts`].
    pub(crate) fn receipt_settings(&self) -> String {
        self.job_template.clone().unwrap_or_default()
    }
}

/// The runtime's [`Transcoder`] on MediaConvert.
///
/// A job is idempotent in its execution: the request token derives from the execution, the source's version and the
/// outputs, so a state that is tried again gets the jobs that it submitted before.
#[derive(Clone)]
pub struct MediaConvertTranscoder {
    store: Store,
    client: aws_sdk_mediaconvert::Client,
    options: MediaConvertOptions,
}

impl MediaConvertTranscoder {
    pub(crate) fn new(store: Store, client: aws_sdk_mediaconvert::Client, options: MediaConvertOptions) -> Self {
        Self { store, client, options }
    }
}

#[async_trait]
impl Transcoder for MediaConvertTranscoder {
    async fn submit(&self, scope: &CallScope, job: TranscodeJob) -> Result<Submission, Failure> {
        let settings = job::settings(self.store.bucket(), &job)?;
        let known = TicketJob::new("", &job);
        let made = receipts::find(&self.store, &scope.batch, &known, &self.options.receipt_settings()).await?;
        if let Some(renditions) = made {
            return Ok(Submission::UpToDate(renditions));
        }
        let what = format!("submitting {} to MediaConvert", job.source_key);
        let role = self.options.role.as_deref().filter(|role| !role.is_empty()).ok_or_else(|| {
            Failure::new(Case::Denied, format!("{what}: no MediaConvert role is configured for this host"))
        })?;
        let template =
            self.options.job_template.as_ref().filter(|_| job::template_fits(&self.options.template_outputs, &job));
        let ticket = ticket_id(&scope.execution, &scope.state);
        let output = self
            .client
            .create_job()
            .role(role)
            .set_queue(self.options.queue.clone())
            .set_job_template(template.cloned())
            .settings(settings)
            .client_request_token(request_token(scope, &job))
            .status_update_interval(status_interval(self.options.status_interval))
            .user_metadata("ticket", &ticket)
            .user_metadata("source", hash([job.source_key.as_str()]))
            .user_metadata("state", clipped(&scope.state))
            .user_metadata("listing", clipped(&scope.batch.listing.id.to_string()))
            .user_metadata("stage", clipped(&format!("{} {}", scope.provenance.stage, scope.provenance.version)))
            .send()
            .await
            .map_err(|error| failure(&what, &error))?;
        let accepted = output.job();
        let id = accepted
            .and_then(aws_sdk_mediaconvert::types::Job::id)
            .filter(|id| is_job_id(id))
            .ok_or_else(|| Failure::new(Case::Internal, format!("{what}: the answer holds no job id")))?
            .to_owned();
        // A job that was submitted by an earlier attempt may have ended since, and its event may be long gone.
        if let Some(accepted) = accepted {
            let status = accepted.status().map_or(JobStatus::Running, |status| JobStatus::of(status.as_str()));
            if status.is_final() {
                let report = JobReport {
                    job_id: id.clone(),
                    ticket: Some(ticket),
                    status,
                    error_code: accepted.error_code().map(i64::from),
                    error_message: accepted.error_message().map(str::to_owned),
                    progress: None,
                };
                tickets::keep(&self.store, &report).await?;
            }
        }
        Ok(Submission::Running(id))
    }
}

/// Remembers the jobs that one call of a stage submitted, for the ticket of its state.
#[derive(Clone)]
pub struct Recorder {
    inner: Arc<dyn Transcoder>,
    jobs: Arc<Mutex<Vec<TicketJob>>>,
}

impl Recorder {
    /// Passes everything on to `inner`.
    pub fn new(inner: Arc<dyn Transcoder>) -> Self {
        Self { inner, jobs: Arc::default() }
    }

    /// The jobs that are running since; the clones of a recorder share them.
    pub fn jobs(&self) -> Vec<TicketJob> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Transcoder for Recorder {
    async fn submit(&self, scope: &CallScope, job: TranscodeJob) -> Result<Submission, Failure> {
        let submission = self.inner.submit(scope, job.clone()).await?;
        if let Submission::Running(id) = &submission {
            let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            if !jobs.iter().any(|known| known.id == *id) {
                jobs.push(TicketJob::new(id.as_str(), &job));
            }
        }
        Ok(submission)
    }
}

fn request_token(scope: &CallScope, job: &TranscodeJob) -> String {
    let mut parts = vec![
        "job".to_owned(),
        scope.execution.clone(),
        scope.state.clone(),
        job.source_key.clone(),
        job.source_etag.clone(),
    ];
    for output in &job.outputs {
        parts.extend([
            output.name.clone(),
            output.key.clone(),
            format!("{}x{}", output.pixels.width, output.pixels.height),
            format!("{} {:?}", output.video_bitrate, output.audio_bitrate),
        ]);
    }
    hash(parts.iter().map(String::as_str))
}

/// MediaConvert takes 256 characters a value.
fn clipped(text: &str) -> String {
    text.chars().take(256).collect()
}

fn status_interval(wanted: Duration) -> StatusUpdateInterval {
    const KNOWN: [u64; 15] = [10, 12, 15, 20, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600];
    let seconds = KNOWN.into_iter().rev().find(|known| *known <= wanted.as_secs()).unwrap_or(KNOWN[0]);
    StatusUpdateInterval::from(format!("SECONDS_{seconds}").as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_reports_at_least_as_often_as_asked() {
        for (wanted, expected) in [(1, "SECONDS_10"), (59, "SECONDS_30"), (60, "SECONDS_60"), (4000, "SECONDS_600")] {
            assert_eq!(status_interval(Duration::from_secs(wanted)).as_str(), expected);
        }
        assert_eq!(status_interval(Duration::from_secs(60)), StatusUpdateInterval::Seconds60);
    }

    #[test]
    fn user_metadata_is_cut_between_characters() {
        assert_eq!(clipped(&"ü".repeat(300)).chars().count(), 256);
    }
}
