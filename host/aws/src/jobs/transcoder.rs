//! Transcoding by MediaConvert.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_mediaconvert::types::StatusUpdateInterval;
use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::{CallScope, Submission, TranscodeJob, Transcoder};

use crate::ids::{hash, ticket_id};
use crate::jobs::events::{JobReport, JobStatus, is_job_id};
use crate::jobs::job_settings;
use crate::jobs::receipts::{self, Transcoding};
use crate::jobs::source_film::{self, Sound};
use crate::jobs::ticket::TicketOutput;
use crate::jobs::waiting_states;
use crate::objects::bucket::MediaBucket;
use crate::sdk_error::failure;

/// How jobs are submitted.
#[derive(Clone, Debug)]
pub struct MediaConvertOptions {
    /// Name or ARN of the queue; `None` means the account's default queue.
    pub queue: Option<String>,
    /// ARN of the role that MediaConvert assumes to read and write the bucket. Without it, no job is submitted.
    pub role: Option<String>,
    /// Name of the job template, `toq-media-video-preset-<env>`.
    pub job_template: Option<String>,
    /// The names of the job template's outputs, in the template's order.
    pub template_outputs: Vec<String>,
    /// How often a running job reports. Each report keeps the waiting state alive, so this must be well below the
    /// state's `HeartbeatSeconds`. MediaConvert offers certain intervals from 10 s to 10 min; the next shorter one is
    /// used.
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
    /// Returns the part of these options that shapes a job's files; see [`Transcoding::settings`].
    pub(crate) fn receipt_settings(&self) -> String {
        self.job_template.clone().unwrap_or_default()
    }
}

/// The runtime's [`Transcoder`] on MediaConvert.
///
/// Submitting is idempotent within an execution: the request token is derived from the execution, the state, the
/// source's version and the outputs, so a state that is tried again gets the jobs that it submitted before.
#[derive(Clone)]
pub struct MediaConvertTranscoder {
    bucket: MediaBucket,
    client: aws_sdk_mediaconvert::Client,
    options: MediaConvertOptions,
}

impl MediaConvertTranscoder {
    pub(crate) fn new(bucket: MediaBucket, client: aws_sdk_mediaconvert::Client, options: MediaConvertOptions) -> Self {
        Self { bucket, client, options }
    }
}

#[async_trait]
impl Transcoder for MediaConvertTranscoder {
    async fn submit(&self, scope: &CallScope, mut job: TranscodeJob) -> Result<Submission, Failure> {
        let outputs: Vec<_> = job.outputs.iter().map(TicketOutput::from).collect();
        let transcoding = Transcoding {
            batch: &scope.batch,
            source_key: &job.source_key,
            source_etag: &job.source_etag,
            outputs: &outputs,
            settings: &self.options.receipt_settings(),
        };
        if let Some(renditions) = receipts::find(&self.bucket, transcoding).await? {
            return Ok(Submission::UpToDate(renditions));
        }
        let token = request_token(scope, &job);
        let film = source_film::read(&self.bucket, scope, &job).await?;
        if film.sound == Sound::Missing {
            job.outputs.iter_mut().for_each(|output| output.audio_bitrate = None);
        }
        let settings = job_settings::settings(self.bucket.name(), &job, &film)?;
        let what = format!("submitting {} to MediaConvert", job.source_key);
        let role = self.options.role.as_deref().filter(|role| !role.is_empty()).ok_or_else(|| {
            Failure::new(
                Case::Denied,
                format!("{what}: no MediaConvert role is configured for this host; set MEDIACONVERT_ROLE"),
            )
        })?;
        let template_fits = job_settings::template_fits(&self.options.template_outputs, &job);
        let template = self.options.job_template.as_ref().filter(|_| template_fits);
        let ticket = ticket_id(&scope.execution, &scope.state);
        let output = self
            .client
            .create_job()
            .role(role)
            .set_queue(self.options.queue.clone())
            .set_job_template(template.cloned())
            .settings(settings)
            .client_request_token(token)
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
            .ok_or_else(|| Failure::new(Case::Internal, format!("{what}: the answer contains no valid job id")))?
            .to_owned();
        // A job that an earlier attempt submitted may have ended since then, and its event may have been handled
        // already.
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
                waiting_states::write_report(&self.bucket, &report).await?;
            }
        }
        Ok(Submission::Running(id))
    }
}

/// Returns the token by which MediaConvert recognises a repeated request.
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

/// Cuts a value of the user metadata to MediaConvert's limit of 256 characters.
fn clipped(text: &str) -> String {
    text.chars().take(256).collect()
}

/// Returns the longest of MediaConvert's intervals that is not longer than `wanted`, or the shortest.
fn status_interval(wanted: Duration) -> StatusUpdateInterval {
    const KNOWN: [u64; 15] = [10, 12, 15, 20, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600];
    let seconds = KNOWN.into_iter().rev().find(|known| *known <= wanted.as_secs()).unwrap_or(KNOWN[0]);
    StatusUpdateInterval::from(format!("SECONDS_{seconds}").as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_reports_at_least_as_often_as_configured() {
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
