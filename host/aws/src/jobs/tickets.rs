//! A state that waits for transcoding jobs, and how it is ended exactly when the last of them is.
//!
//! Step Functions hands a *task token* to a state that waits; whoever returns it ends the state. MediaConvert's events
//! know nothing of it, and its user metadata (256 characters a value) is too small for one. So a **ticket** is kept in the
//! bucket for each waiting state: the token, the batch, the jobs and what they were to make.
//!
//! Two things happen in either order, each possibly several times, on machines that share nothing but the bucket:
//!
//! - *open*: the stage has submitted its jobs, the ticket is written, **then** all jobs' reports are read;
//! - *report*: a job has ended, its report is written, **then** the ticket is read, and all its jobs' reports.
//!
//! S3 reads what was written before. So whichever of them comes last sees everything and ends the state; if two do at
//! the same time, Step Functions takes the first answer and refuses the second, which is harmless. A state that is tried
//! again writes its ticket anew, with the newest token; its jobs are the same ones (see
//! [`MediaConvertTranscoder`](crate::MediaConvertTranscoder)), so reports that have come meanwhile still count.
//!
//! What is left behind (reports that came twice, tickets of states that timed out) is for a lifecycle rule on
//! `pipeline/` to remove.

use aws_sdk_sfn::error::ProvideErrorMetadata;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use stagehost_batch::{Batch, Case, Failure, PixelSize, Problem, Rendition};
use stagehost_runtime::capability::TranscodeJob;

use crate::documents::Documents;
use crate::ids::ticket_id;
use crate::jobs::events::{JobReport, JobStatus, is_job_id, is_ticket_id};
use crate::jobs::receipts;
use crate::objects::bucket::Store;
use crate::sdk_error::failure;

/// Requests to the bucket at the same time.
const CONCURRENCY: usize = 16;

/// A waiting state.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// The execution's ARN.
    pub execution: String,
    /// The state's name.
    pub state: String,
    /// What ends it.
    pub task_token: String,
    /// The batch as the stage left it; the renditions are merged into it.
    pub batch: Batch,
    /// What it waits for; nothing means that it ends at once.
    pub jobs: Vec<TicketJob>,
}

// The token is as good as a password for this state, so it is not printed.
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
    /// MediaConvert's id.
    pub id: String,
    /// The asset.
    pub source_key: String,
    /// The version of it that was submitted.
    pub source_etag: String,
    /// What it makes.
    pub outputs: Vec<TicketOutput>,
}

/// What a job makes; the fields of [`TranscodeOutput`](stagehost_runtime::capability::TranscodeOutput).
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
    /// The submitted `job`, which MediaConvert knows as `id`.
    pub fn new(id: impl Into<String>, job: &TranscodeJob) -> Self {
        Self {
            id: id.into(),
            source_key: job.source_key.clone(),
            source_etag: job.source_etag.clone(),
            outputs: job
                .outputs
                .iter()
                .map(|output| TicketOutput {
                    name: output.name.clone(),
                    key: output.key.clone(),
                    pixels: output.pixels,
                    video_bitrate: output.video_bitrate,
                    audio_bitrate: output.audio_bitrate,
                })
                .collect(),
        }
    }
}

/// What came of opening a ticket or of reporting a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The state has been ended, with the batch.
    Ended,
    /// Jobs are still under way.
    Waiting {
        /// Jobs that have ended.
        reported: usize,
        /// All jobs of the state.
        jobs: usize,
    },
    /// The state no longer waits: it was ended before, timed out, or its execution stopped. Nothing is left to do.
    Gone,
    /// The report is kept for a ticket that is not there (yet).
    Kept,
    /// The job is none of this host's.
    Foreign,
}

/// The tickets of all waiting states.
#[derive(Clone)]
pub struct Tickets {
    store: Store,
    states: aws_sdk_sfn::Client,
    /// See [`receipts`].
    settings: String,
}

impl Tickets {
    pub(crate) fn new(store: Store, states: aws_sdk_sfn::Client, settings: String) -> Self {
        Self { store, states, settings }
    }

    /// The stage of a waiting state is through and has submitted `ticket.jobs`. Ends the state if nothing is to be waited
    /// for, or if everything has been reported already.
    ///
    /// # Errors
    /// `Transient` when the bucket or Step Functions did not answer: the state is to be tried again.
    pub async fn open(&self, ticket: Ticket) -> Result<Progress, Failure> {
        if let Some(job) = ticket.jobs.iter().find(|job| !is_job_id(&job.id)) {
            return Err(Failure::new(Case::Internal, format!("{}: {:?} is no job id", ticket.state, job.id)));
        }
        if ticket.jobs.is_empty() {
            return self.end(&ticket, ticket.batch.clone()).await;
        }
        self.store.put_document(&ticket_key(&ticket_id(&ticket.execution, &ticket.state)), &ticket).await?;
        self.settle(ticket).await
    }

    /// A job's event has come. Any order, any number of times.
    ///
    /// # Errors
    /// `Transient` when the bucket or Step Functions did not answer: the event is to be delivered again.
    pub async fn report(&self, report: &JobReport) -> Result<Progress, Failure> {
        let Some(id) = report.ticket.as_deref().filter(|id| is_ticket_id(id) && is_job_id(&report.job_id)) else {
            return Ok(Progress::Foreign);
        };
        if report.status.is_final() {
            keep(&self.store, report).await?;
        }
        let Some(ticket) = self.store.get_document::<Ticket>(&ticket_key(id)).await? else {
            return Ok(Progress::Kept);
        };
        if !ticket.jobs.iter().any(|job| job.id == report.job_id) {
            // A job of an earlier attempt that this one did not submit again.
            return Ok(Progress::Kept);
        }
        if report.status.is_final() { self.settle(ticket).await } else { self.heartbeat(&ticket).await }
    }

    /// Ends the state if every job has been reported.
    async fn settle(&self, ticket: Ticket) -> Result<Progress, Failure> {
        // The futures are made before they are streamed: a closure over borrowed items would keep this future from being
        // `Send` for every lifetime, as async traits want it.
        let reads: Vec<_> = ticket.jobs.iter().map(|job| self.reported(job_key(&job.id))).collect();
        let reports: Vec<Option<JobReport>> = stream::iter(reads).buffered(CONCURRENCY).try_collect().await?;
        let jobs = reports.len();
        let reported: Vec<JobReport> = reports.into_iter().flatten().collect();
        if reported.len() < jobs {
            return Ok(Progress::Waiting { reported: reported.len(), jobs });
        }
        let looks: Vec<_> =
            ticket.jobs.iter().zip(&reported).map(|(job, report)| self.result(&ticket, job, report)).collect();
        let results: Vec<Result<Vec<Rendition>, Problem>> =
            stream::iter(looks).buffered(CONCURRENCY).try_collect().await?;
        let mut batch = ticket.batch.clone();
        for (job, result) in ticket.jobs.iter().zip(results) {
            let Some(asset) = batch.assets.iter_mut().find(|asset| asset.key == job.source_key) else { continue };
            match result {
                Ok(renditions) => renditions.into_iter().for_each(|rendition| asset.add_rendition(rendition)),
                Err(problem) => asset.add_problem(problem),
            }
        }
        let progress = self.end(&ticket, batch).await?;
        if progress == Progress::Ended {
            self.clean_up(&ticket).await;
        }
        Ok(progress)
    }

    /// What a job made, or why it did not; the outer error is a passing one.
    async fn result(
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
        let mut renditions = Vec::with_capacity(job.outputs.len());
        for output in &job.outputs {
            match self.store.head(&output.key, None).await {
                Ok(info) => renditions.push(Rendition {
                    name: output.name.clone(),
                    key: output.key.clone(),
                    content_type: "video/mp4".to_owned(),
                    pixels: Some(output.pixels),
                    bytes: info.bytes,
                    etag: info.etag,
                    crc32: info.crc32,
                    reused: false,
                }),
                Err(failure) if failure.case == Case::Transient => return Err(failure),
                Err(failure) => {
                    let message = format!(
                        "MediaConvert completed job {} but its output cannot be used: {}",
                        job.id, failure.message
                    );
                    return Ok(Err(problem(failure.case, message)));
                }
            }
        }
        if let Err(failure) = receipts::write(&self.store, &ticket.batch, job, &self.settings, &renditions).await {
            // Costs a second transcoding one day, not this batch.
            tracing::warn!(job = %job.id, %failure, "no receipt was written");
        }
        Ok(Ok(renditions))
    }

    async fn end(&self, ticket: &Ticket, batch: Batch) -> Result<Progress, Failure> {
        let output = Documents::new(self.store.clone()).pack(&batch).await?.to_string();
        let what = format!("ending {} of {}", ticket.state, ticket.execution);
        let answer = self.states.send_task_success().task_token(&ticket.task_token).output(output).send().await;
        gone_or(answer.map(|_| Progress::Ended).map_err(|error| (is_gone(&error), failure(&what, &error))))
    }

    async fn heartbeat(&self, ticket: &Ticket) -> Result<Progress, Failure> {
        let what = format!("keeping {} of {} alive", ticket.state, ticket.execution);
        let answer = self.states.send_task_heartbeat().task_token(&ticket.task_token).send().await;
        let waiting = Progress::Waiting { reported: 0, jobs: ticket.jobs.len() };
        gone_or(answer.map(|_| waiting).map_err(|error| (is_gone(&error), failure(&what, &error))))
    }

    async fn clean_up(&self, ticket: &Ticket) {
        let mut keys = vec![ticket_key(&ticket_id(&ticket.execution, &ticket.state))];
        keys.extend(ticket.jobs.iter().map(|job| job_key(&job.id)));
        let deletes: Vec<_> = keys.into_iter().map(|key| self.forget(key)).collect();
        stream::iter(deletes).buffer_unordered(CONCURRENCY).collect::<Vec<()>>().await;
    }

    async fn reported(&self, key: String) -> Result<Option<JobReport>, Failure> {
        self.store.get_document::<JobReport>(&key).await
    }

    async fn forget(&self, key: String) {
        if let Err(failure) = self.store.delete(&key).await {
            tracing::warn!(%failure, "left for the lifecycle rule");
        }
    }
}

/// Keeps a final report until its ticket asks for it.
pub(crate) async fn keep(store: &Store, report: &JobReport) -> Result<(), Failure> {
    store.put_document(&job_key(&report.job_id), report).await
}

fn ticket_key(id: &str) -> String {
    format!("pipeline/tickets/{id}.json")
}

fn job_key(id: &str) -> String {
    format!("pipeline/jobs/{id}.json")
}

/// Why a job made nothing. MediaConvert numbers its errors: 10xx are about the input (1030: a codec that it does not
/// decode), 14xx repeat the HTTP status with which S3 refused something. The number and the text go into the message, whatever the case.
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
    let said = report.error_message.as_deref().unwrap_or("no message");
    (case, format!("{}: MediaConvert job {} failed: {said} ({code})", job.source_key, job.id))
}

/// Whether Step Functions no longer waits with this token.
fn is_gone<E: ProvideErrorMetadata>(
    error: &aws_sdk_sfn::error::SdkError<E, aws_sdk_sfn::config::http::HttpResponse>,
) -> bool {
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    matches!(code, Some("TaskTimedOut" | "TaskDoesNotExist" | "InvalidToken"))
}

fn gone_or(answer: Result<Progress, (bool, Failure)>) -> Result<Progress, Failure> {
    match answer {
        Ok(progress) => Ok(progress),
        Err((true, failure)) => {
            tracing::info!(%failure, "the state no longer waits");
            Ok(Progress::Gone)
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
    fn a_failed_job_is_told_with_the_file_the_job_the_text_and_the_number() {
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
