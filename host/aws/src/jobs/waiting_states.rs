//! Ends a state that waits for transcoding jobs as soon as the last of its jobs has ended.
//!
//! Step Functions gives a *task token* to a waiting state; a call with this token ends the state. MediaConvert's events
//! do not carry the token, and its user metadata (256 characters a value) is too small for it. So the host keeps a
//! **ticket** in the bucket for each waiting state: the token, the batch, and the jobs with their outputs.
//!
//! Two things happen in either order, each possibly several times, on machines that share only the bucket:
//!
//! - *open*: the stage has submitted its jobs; the ticket is written, **then** the reports of all jobs are read;
//! - *report*: a job has ended; its report is written, **then** the ticket and the reports of all its jobs are read.
//!
//! A read from S3 sees every write that was completed before it. So the last of these steps sees everything and ends
//! the state. If two do so at the same time, Step Functions takes the first answer and refuses the second, which does
//! no harm. When a state is tried again, its ticket is written again with the new token, and an earlier try that still goes on
//! cannot replace it (see `ticket_store`). Its jobs are the same, because their request tokens are (see `transcoder`), so
//! reports that have arrived in the meantime still count.
//!
//! Reports that came twice stay in the bucket until the lifecycle rule for `pipeline/` deletes them. The sweep (see `sweep`)
//! looks after tickets whose events do not come.

use aws_sdk_sfn::error::ProvideErrorMetadata;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use stagehost_batch::{Batch, Case, Failure, Problem, Rendition};

use crate::documents::Documents;
use crate::ids::{ticket_id, ticket_key};
use crate::jobs::events::{JobReport, JobStatus, is_job_id, is_ticket_id};
use crate::jobs::media_jobs::MediaJobs;
use crate::jobs::receipts::{self, Transcoding};
use crate::jobs::results;
use crate::jobs::submissions::{Submissions, record_key, submission_id};
use crate::jobs::ticket::{Ticket, TicketJob};
use crate::jobs::ticket_store;
use crate::objects::bucket::MediaBucket;
use crate::objects::in_memory;
use crate::sdk_error::failure;

/// How many requests to the bucket run at the same time.
const CONCURRENCY: usize = 16;

/// Where a state is after a ticket was opened or a job was reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketProgress {
    /// The state was ended with the batch.
    Ended,
    /// Some jobs still run.
    Waiting {
        /// The number of jobs that have ended.
        reported: usize,
        /// The number of all jobs of the state.
        jobs: usize,
    },
    /// The state no longer waits: it has ended, has timed out, or its execution was stopped. Nothing is left to do.
    Gone,
    /// There is no ticket with this job, or not yet. A final report stays in the bucket for it.
    NoTicket,
    /// The job was not submitted by this host.
    Foreign,
}

impl TicketProgress {
    /// Returns its name, for answers and log lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ended => "Ended",
            Self::Waiting { .. } => "Waiting",
            Self::Gone => "Gone",
            Self::NoTicket => "NoTicket",
            Self::Foreign => "Foreign",
        }
    }
}

/// The tickets of all waiting states.
#[derive(Clone)]
pub struct Tickets {
    pub(crate) bucket: MediaBucket,
    pub(crate) states: aws_sdk_sfn::Client,
    pub(crate) jobs: MediaJobs,
    pub(crate) submissions: Submissions,
    /// See [`Transcoding::settings`].
    settings: String,
}

impl Tickets {
    pub(crate) fn new(bucket: MediaBucket, states: aws_sdk_sfn::Client, jobs: MediaJobs, settings: String) -> Self {
        Self { submissions: Submissions::new(&bucket), bucket, states, jobs, settings }
    }

    /// Opens the ticket of a state whose stage has submitted `ticket.jobs`. Ends the state at once if there are no jobs
    /// or if all of them have been reported.
    ///
    /// # Errors
    /// `Transient` if the bucket or Step Functions does not answer; the state must be tried again.
    pub async fn open(&self, ticket: Ticket) -> Result<TicketProgress, Failure> {
        if let Some(job) = ticket.jobs.iter().find(|job| !is_job_id(&job.id)) {
            return Err(Failure::new(
                Case::Internal,
                format!("{}: {:?} is not a valid MediaConvert job id", ticket.state, job.id),
            ));
        }
        if ticket.jobs.is_empty() {
            return self.end(&ticket, ticket.batch.clone()).await;
        }
        let key = ticket_key(&ticket_id(&ticket.execution, &ticket.state));
        let store = self.bucket.documents("");
        let mut gone: Option<String> = None;
        while let Some(later) = ticket_store::write(&store, &key, &ticket, gone.as_deref()).await? {
            if self.heartbeat(&later).await? != TicketProgress::Gone {
                tracing::info!(state = %ticket.state, attempt = ticket.attempt, "a later try of the state waits already");
                return Ok(TicketProgress::Gone);
            }
            // The tries of a redriven execution are counted from zero again.
            gone = Some(later.task_token);
        }
        self.settle(ticket).await
    }

    /// Takes the report of a job's event. Events may arrive in any order and any number of times.
    ///
    /// # Errors
    /// `Transient` if the bucket or Step Functions does not answer; the event must be delivered again.
    pub async fn report(&self, report: &JobReport) -> Result<TicketProgress, Failure> {
        let Some(id) = report.ticket.as_deref().filter(|id| is_ticket_id(id) && is_job_id(&report.job_id)) else {
            return Ok(TicketProgress::Foreign);
        };
        if report.status.is_final() {
            write_report(&self.bucket, report).await?;
        }
        let Some(ticket) = in_memory::read_document::<Ticket>(&self.bucket, &ticket_key(id)).await? else {
            return Ok(TicketProgress::NoTicket);
        };
        if !ticket.jobs.iter().any(|job| job.id == report.job_id) {
            // A job of an earlier attempt that this one did not submit again.
            return Ok(TicketProgress::NoTicket);
        }
        if report.status.is_final() { self.settle(ticket).await } else { self.heartbeat(&ticket).await }
    }

    /// Ends the state if all jobs have been reported.
    pub(crate) async fn settle(&self, ticket: Ticket) -> Result<TicketProgress, Failure> {
        // The futures are collected before they are streamed: with a closure over borrowed items in the stream, this
        // future would not be `Send` for every lifetime, as async traits require.
        let reads: Vec<_> = ticket.jobs.iter().map(|job| self.read_report(&job.id)).collect();
        let reports: Vec<Option<JobReport>> = stream::iter(reads).buffered(CONCURRENCY).try_collect().await?;
        let jobs = reports.len();
        let reported: Vec<JobReport> = reports.into_iter().flatten().collect();
        if reported.len() < jobs {
            return Ok(TicketProgress::Waiting { reported: reported.len(), jobs });
        }
        let checks: Vec<_> =
            ticket.jobs.iter().zip(&reported).map(|(job, report)| self.job_result(&ticket, job, report)).collect();
        let results: Vec<Result<Vec<Rendition>, Problem>> =
            stream::iter(checks).buffered(CONCURRENCY).try_collect().await?;
        let mut batch = ticket.batch.clone();
        for (job, result) in ticket.jobs.iter().zip(results) {
            let Some(asset) = batch.assets.iter_mut().find(|asset| asset.key == job.source_key) else { continue };
            match result {
                Ok(renditions) => renditions.into_iter().for_each(|rendition| asset.add_rendition(rendition)),
                Err(problem) => asset.add_problem(problem),
            }
        }
        let progress = self.end(&ticket, batch).await?;
        if progress == TicketProgress::Ended {
            self.clean_up(&ticket).await;
        }
        Ok(progress)
    }

    /// Returns the renditions of a job, or the problem to record on its file. The outer error is transient.
    async fn job_result(
        &self,
        ticket: &Ticket,
        job: &TicketJob,
        report: &JobReport,
    ) -> Result<Result<Vec<Rendition>, Problem>, Failure> {
        let problem = |case: Case, message: String| Problem {
            state: ticket.state.clone(),
            code: case.name().to_owned(),
            message,
        };
        if report.status != JobStatus::Complete {
            let (case, message) = explain(job, report);
            return Ok(Err(problem(case, message)));
        }
        let renditions = match results::renditions(&self.bucket, job).await {
            Ok(renditions) => renditions,
            Err(failure) if failure.case == Case::Transient => return Err(failure),
            Err(failure) => return Ok(Err(problem(failure.case, failure.message))),
        };
        let transcoding = Transcoding {
            batch: &ticket.batch,
            source_key: &job.source_key,
            source_etag: &job.source_etag,
            outputs: &job.outputs,
            settings: &self.settings,
        };
        if let Err(failure) = receipts::write(&self.bucket, transcoding, &renditions).await {
            // This batch is complete all the same; a later run may transcode the video once more.
            tracing::warn!(job = %job.id, %failure, "no receipt was written; a later run transcodes this video again");
        }
        Ok(Ok(renditions))
    }

    async fn end(&self, ticket: &Ticket, batch: Batch) -> Result<TicketProgress, Failure> {
        let output = Documents::new(self.bucket.clone()).pack(&batch).await?.to_string();
        let what = format!("ending {} of {}", ticket.state, ticket.execution);
        let answer = self.states.send_task_success().task_token(&ticket.task_token).output(output).send().await;
        gone_or(answer.map(|_| TicketProgress::Ended).map_err(|error| (is_gone(&error), failure(&what, &error))))
    }

    pub(crate) async fn heartbeat(&self, ticket: &Ticket) -> Result<TicketProgress, Failure> {
        let what = format!("keeping {} of {} alive", ticket.state, ticket.execution);
        let answer = self.states.send_task_heartbeat().task_token(&ticket.task_token).send().await;
        let waiting = TicketProgress::Waiting { reported: 0, jobs: ticket.jobs.len() };
        gone_or(answer.map(|_| waiting).map_err(|error| (is_gone(&error), failure(&what, &error))))
    }

    async fn clean_up(&self, ticket: &Ticket) {
        self.delete(ticket_key(&ticket_id(&ticket.execution, &ticket.state))).await;
        self.delete_jobs(ticket).await;
    }

    /// Deletes a ticket that still has this entity tag, and what belongs to it.
    pub(crate) async fn remove(&self, ticket: &Ticket, etag: &str) -> Result<(), Failure> {
        let key = ticket_key(&ticket_id(&ticket.execution, &ticket.state));
        if self.bucket.delete_if(&key, etag).await? {
            self.delete_jobs(ticket).await;
        }
        Ok(())
    }

    /// Deletes the reports and the records of a ticket's jobs.
    async fn delete_jobs(&self, ticket: &Ticket) {
        let record = |job: &TicketJob| {
            let id = submission_id(&ticket.execution, &ticket.state, &job.source_key, &job.source_etag, &job.outputs);
            record_key(&id)
        };
        let keys: Vec<String> = ticket.jobs.iter().flat_map(|job| [job_key(&job.id), record(job)]).collect();
        let deletes: Vec<_> = keys.into_iter().map(|key| self.delete(key)).collect();
        stream::iter(deletes).buffer_unordered(CONCURRENCY).collect::<Vec<()>>().await;
    }

    pub(crate) async fn read_report(&self, job: &str) -> Result<Option<JobReport>, Failure> {
        in_memory::read_document::<JobReport>(&self.bucket, &job_key(job)).await
    }

    async fn delete(&self, key: String) {
        if let Err(failure) = self.bucket.delete(&key).await {
            tracing::warn!(%failure, "a finished ticket stays in the bucket until the lifecycle rule deletes it");
        }
    }
}

/// Writes a final report to the bucket, where the ticket of its job finds it.
pub(crate) async fn write_report(bucket: &MediaBucket, report: &JobReport) -> Result<(), Failure> {
    in_memory::write_document(bucket, &job_key(&report.job_id), report).await
}

fn job_key(id: &str) -> String {
    format!("pipeline/jobs/{id}.json")
}

/// Returns why a job has no outputs, with MediaConvert's text and number in the message. The numbers: 10xx are about
/// the input (1030: a codec that it does not decode), 14xx repeat the HTTP status with which S3 refused a request.
fn explain(job: &TicketJob, report: &JobReport) -> (Case, String) {
    if report.status == JobStatus::Canceled {
        return (Case::Internal, format!("{}: transcoding job {} was cancelled", job.source_key, job.id));
    }
    let case = match report.error_code {
        Some(1404) => Case::Missing,
        Some(1401 | 1403) => Case::Denied,
        Some(1030) => Case::Unsupported,
        Some(1000..=1099) => Case::Corrupt,
        _ => Case::Internal,
    };
    let code = report.error_code.map_or_else(|| "no code".to_owned(), |code| format!("code {code}"));
    let text = report.error_message.as_deref().unwrap_or("no message");
    (case, format!("{}: MediaConvert job {} failed: {text} ({code})", job.source_key, job.id))
}

/// Returns whether Step Functions no longer waits with this token.
fn is_gone<E: ProvideErrorMetadata>(
    error: &aws_sdk_sfn::error::SdkError<E, aws_sdk_sfn::config::http::HttpResponse>,
) -> bool {
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    matches!(code, Some("TaskTimedOut" | "TaskDoesNotExist" | "InvalidToken"))
}

/// Turns the answer of a state that no longer waits into `Gone`.
fn gone_or(answer: Result<TicketProgress, (bool, Failure)>) -> Result<TicketProgress, Failure> {
    match answer {
        Ok(progress) => Ok(progress),
        Err((true, failure)) => {
            tracing::info!(%failure, "the state no longer waits");
            Ok(TicketProgress::Gone)
        }
        Err((false, failure)) => Err(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> TicketJob {
        TicketJob { id: "1-a".into(), source_key: "51/raw/v.mp4".into(), source_etag: "e".into(), outputs: vec![] }
    }

    fn report(status: JobStatus, code: Option<i64>) -> JobReport {
        JobReport {
            job_id: "1-a".into(),
            ticket: None,
            status,
            error_code: code,
            error_message: Some("bad stream".into()),
            progress: None,
        }
    }

    #[test]
    fn a_failed_job_is_reported_with_its_file_its_id_the_text_and_the_number() {
        let (case, message) = explain(&job(), &report(JobStatus::Error, Some(1040)));
        assert_eq!(case, Case::Corrupt);
        for part in ["51/raw/v.mp4", "1-a", "bad stream", "1040"] {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn an_error_that_is_not_the_files_fault_is_not_put_on_the_file() {
        assert_eq!(explain(&job(), &report(JobStatus::Error, Some(1030))).0, Case::Unsupported);
        assert_eq!(explain(&job(), &report(JobStatus::Error, Some(1404))).0, Case::Missing);
        assert_eq!(explain(&job(), &report(JobStatus::Error, Some(1403))).0, Case::Denied);
        assert_eq!(explain(&job(), &report(JobStatus::Error, None)).0, Case::Internal);
        assert_eq!(explain(&job(), &report(JobStatus::Canceled, None)).0, Case::Internal);
    }
}
