//! Transcoding by MediaConvert.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_sdk_mediaconvert::config::retry::RetryConfig;
use aws_sdk_mediaconvert::config::timeout::TimeoutConfig;
use aws_sdk_mediaconvert::error::SdkError;
use aws_sdk_mediaconvert::types::{Job, JobSettings, StatusUpdateInterval};
use stagehost_batch::{Case, Failure, list_digest};
use stagehost_runtime::capability::{CallScope, Submission, TranscodeJob, Transcoder};

use crate::ids::ticket_id;
use crate::jobs::events::{JobReport, SUBMITTED};
use crate::jobs::media_jobs::{self, MediaJobs, SUBMISSION};
use crate::jobs::receipts::{self, Transcoding};
use crate::jobs::source_film::{self, Sound};
use crate::jobs::submissions::{self, Phase, REQUEST_TIME, SubmissionRecord, Submissions, UNDECIDED, round_token};
use crate::jobs::ticket::TicketOutput;
use crate::jobs::waiting_states;
use crate::jobs::{job_settings, merged_settings};
use crate::objects::bucket::MediaBucket;
use crate::sdk_error::failure;
use stagehost_storage::Tag;

/// The most seconds between an intention and the first attempt of its request.
const MAX_REQUEST_DELAY: Duration = Duration::from_secs(10);

/// How many times a record is read while others change it at the same time.
const MAX_READS: u32 = 64;

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
    /// How old an unanswered request must be before another try of the state may make it again; see `submissions`.
    pub undecided: Duration,
}

impl Default for MediaConvertOptions {
    fn default() -> Self {
        Self {
            queue: None,
            role: None,
            job_template: None,
            template_outputs: vec!["1080p".to_owned(), "720p".to_owned()],
            status_interval: Duration::from_secs(60),
            undecided: UNDECIDED,
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
/// Submitting is idempotent within an execution, however late a state is tried again; `submissions` describes the protocol.
#[derive(Clone)]
pub struct MediaConvertTranscoder {
    bucket: MediaBucket,
    client: aws_sdk_mediaconvert::Client,
    jobs: MediaJobs,
    submissions: Submissions,
    options: MediaConvertOptions,
}

/// Whose turn it is to request a job.
enum Turn {
    /// An earlier try has requested it.
    Known(JobReport),
    /// This one's.
    Own { record: SubmissionRecord, tag: Tag, since: Instant },
}

impl MediaConvertTranscoder {
    pub(crate) fn new(bucket: MediaBucket, client: aws_sdk_mediaconvert::Client, options: MediaConvertOptions) -> Self {
        let jobs = MediaJobs::new(client.clone(), options.queue.clone());
        Self { submissions: Submissions::new(&bucket), bucket, client, jobs, options }
    }

    /// Decides by the record of a submission who requests its job, and writes the intention if it is this try.
    async fn turn(&self, id: &str, first: &SubmissionRecord) -> Result<Turn, Failure> {
        for _ in 0..MAX_READS {
            let since = Instant::now();
            let Some((record, tag)) = self.submissions.read(id).await? else {
                let record = SubmissionRecord::new(&first.execution, &first.state, &first.source);
                match self.submissions.create(id, &record).await? {
                    Some(tag) => return Ok(Turn::Own { record, tag, since }),
                    None => continue,
                }
            };
            let record = record.unwrap_or_else(|| first.with(Phase::Void));
            match &record.phase {
                Phase::Accepted { job } => {
                    if let Some(report) = self.jobs.get(job).await? {
                        return Ok(Turn::Known(report));
                    }
                }
                Phase::Intended => {
                    let age = record.age();
                    if let Some(report) = self.jobs.find(&round_token(id, record.round), record.began()).await? {
                        let accepted = record.with(Phase::Accepted { job: report.job_id.clone() });
                        // The result does not matter: if the record has changed, another try has noted the job.
                        self.submissions.replace(id, &accepted, &tag).await?;
                        return Ok(Turn::Known(report));
                    }
                    if age < self.options.undecided {
                        let left = self.options.undecided - age;
                        tracing::info!(source = %record.source, "an earlier request for this job may still be answered");
                        tokio::time::sleep(left.min(Duration::from_secs(5))).await;
                        continue;
                    }
                }
                Phase::Void => {}
            }
            let next = record.next();
            if let Some(tag) = self.submissions.replace(id, &next, &tag).await? {
                return Ok(Turn::Own { record: next, tag, since });
            }
        }
        Err(Failure::new(Case::Transient, format!("the submission of {} changes all the time", first.source)))
    }

    /// Requests the job of a round and notes its id.
    async fn request(
        &self,
        scope: &CallScope,
        job: &TranscodeJob,
        settings: JobSettings,
        id: &str,
        (record, tag): (SubmissionRecord, Tag),
    ) -> Result<JobReport, Failure> {
        let what = format!("submitting {} to MediaConvert", job.source_key);
        let accepted = match self.create(scope, job, settings.clone(), &round_token(id, record.round)).await {
            Ok(accepted) => accepted,
            Err(error) => {
                if is_refusal(&error) {
                    self.void(id, &record, &tag).await;
                }
                return Err(failure(&what, &error));
            }
        };
        let report = accepted
            .as_ref()
            .and_then(media_jobs::report_of)
            .ok_or_else(|| Failure::new(Case::Internal, format!("{what}: the answer contains no valid job id")))?;
        let made = accepted.as_ref().and_then(Job::settings);
        if let Some(difference) = made.and_then(|made| merged_settings::difference(&settings, made)) {
            self.give_up(&report.job_id).await;
            self.void(id, &record, &tag).await;
            let template = self.options.job_template.as_deref().unwrap_or("no template");
            let message = format!(
                "{what}: MediaConvert made other settings of the request and the job template {template}: {difference}; \
                 correct the template, or remove MEDIACONVERT_JOB_TEMPLATE"
            );
            return Err(Failure::new(Case::Internal, message));
        }
        let noted = record.with(Phase::Accepted { job: report.job_id.clone() });
        if self.submissions.replace(id, &noted, &tag).await?.is_none()
            && let Some((Some(SubmissionRecord { phase: Phase::Accepted { job }, .. }), _)) =
                self.submissions.read(id).await?
            && job != report.job_id
            && let Some(other) = self.jobs.get(&job).await?
        {
            // Only if this process stood still for longer than a request may take.
            self.give_up(&report.job_id).await;
            return Ok(other);
        }
        Ok(report)
    }

    async fn create(
        &self,
        scope: &CallScope,
        job: &TranscodeJob,
        settings: JobSettings,
        token: &str,
    ) -> Result<Option<Job>, SdkError<aws_sdk_mediaconvert::operation::create_job::CreateJobError>> {
        let template_fits = job_settings::template_fits(&self.options.template_outputs, job);
        let template = self.options.job_template.as_ref().filter(|_| template_fits);
        let output = self
            .client
            .create_job()
            .set_role(self.options.role.clone())
            .set_queue(self.options.queue.clone())
            .set_job_template(template.cloned())
            .settings(settings)
            .client_request_token(token)
            .status_update_interval(status_interval(self.options.status_interval))
            // So that the job and its events can be found by the batch's trace.
            .set_user_metadata(
                scope
                    .batch
                    .traceparent
                    .as_deref()
                    .map(|trace| HashMap::from([("traceparent".to_owned(), clipped(trace))])),
            )
            .user_metadata("ticket", ticket_id(&scope.execution, &scope.state))
            .user_metadata(SUBMITTED, submissions::now().to_string())
            .user_metadata(SUBMISSION, token)
            .user_metadata("source", list_digest([job.source_key.as_str()]))
            .user_metadata("state", clipped(&scope.state))
            .user_metadata("listing", clipped(&scope.batch.listing.id.to_string()))
            .user_metadata("stage", clipped(&format!("{} {}", scope.provenance.stage, scope.provenance.version)))
            .customize()
            .config_override(
                aws_sdk_mediaconvert::Config::builder()
                    .retry_config(RetryConfig::standard().with_max_attempts(3))
                    .timeout_config(
                        TimeoutConfig::builder()
                            .connect_timeout(Duration::from_secs(3))
                            .operation_attempt_timeout(REQUEST_TIME / 3)
                            .operation_timeout(REQUEST_TIME)
                            .build(),
                    ),
            )
            .send()
            .await?;
        Ok(output.job)
    }

    /// Notes that no job of this round counts. If that fails, the next try finds an intention without a job, and waits.
    async fn void(&self, id: &str, record: &SubmissionRecord, tag: &Tag) {
        if let Err(failure) = self.submissions.replace(id, &record.with(Phase::Void), tag).await {
            tracing::warn!(%failure, source = %record.source, "the next try of this submission has to wait");
        }
    }

    async fn give_up(&self, job: &str) {
        match self.jobs.cancel(job).await {
            Ok(accepted) => tracing::warn!(job, accepted, "a transcoding job that nobody waits for is cancelled"),
            Err(failure) => tracing::warn!(job, %failure, "a transcoding job that nobody waits for goes on"),
        }
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
        if self.options.role.as_deref().is_none_or(str::is_empty) {
            let message = format!(
                "submitting {} to MediaConvert: no MediaConvert role is configured for this host; set MEDIACONVERT_ROLE",
                job.source_key
            );
            return Err(Failure::new(Case::Denied, message));
        }
        let film = source_film::read(&self.bucket, scope, &job).await?;
        if film.sound == Sound::Missing {
            job.outputs.iter_mut().for_each(|output| output.audio_bitrate = None);
        }
        let settings = job_settings::settings(self.bucket.name(), &job, &film)?;
        let id =
            submissions::submission_id(&scope.execution, &scope.state, &job.source_key, &job.source_etag, &outputs);
        let first = SubmissionRecord::new(&scope.execution, &scope.state, &job.source_key);
        let report = match Box::pin(self.turn(&id, &first)).await? {
            Turn::Known(report) => report,
            Turn::Own { since, .. } if since.elapsed() > MAX_REQUEST_DELAY => {
                let message = format!("{}: noting its submission took too long", job.source_key);
                return Err(Failure::new(Case::Transient, message));
            }
            Turn::Own { record, tag, .. } => Box::pin(self.request(scope, &job, settings, &id, (record, tag))).await?,
        };
        // A job that an earlier try submitted may have ended since then, and its event may have been handled already.
        if report.status.is_final() {
            let ticket = Some(ticket_id(&scope.execution, &scope.state));
            waiting_states::write_report(&self.bucket, &JobReport { ticket, ..report.clone() }).await?;
        }
        Ok(Submission::Running(report.job_id))
    }
}

/// Returns whether MediaConvert has certainly made no job.
fn is_refusal<E>(error: &SdkError<E>) -> bool {
    match error {
        SdkError::ConstructionFailure(_) => true,
        SdkError::ServiceError(error) => {
            let status = error.raw().status().as_u16();
            (400..500).contains(&status) && status != 408
        }
        _ => false,
    }
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
