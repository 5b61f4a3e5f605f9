//! The jobs as MediaConvert knows them: looks a job up by its id, finds one by the host's entry in its user metadata, cancels one.

use std::time::Duration;

use aws_sdk_mediaconvert::types::{Job, Order};
use stagehost_batch::{Case, Failure};
use time::OffsetDateTime;

use crate::jobs::events::{JobReport, JobStatus, is_job_id};
use crate::sdk_error::failure;

/// The field of the user metadata that names the submission a job belongs to.
pub(crate) const SUBMISSION: &str = "submission";

/// How many pages of twenty jobs are looked through for one.
const MAX_PAGES: usize = 100;

/// How far the clocks of this machine and of MediaConvert may differ.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// The jobs of one account, or of one queue of it.
#[derive(Clone)]
pub(crate) struct MediaJobs {
    client: aws_sdk_mediaconvert::Client,
    queue: Option<String>,
}

impl MediaJobs {
    pub(crate) fn new(client: aws_sdk_mediaconvert::Client, queue: Option<String>) -> Self {
        Self { client, queue }
    }

    /// Returns the state of a job; `None` if MediaConvert does not know it.
    pub(crate) async fn get(&self, id: &str) -> Result<Option<JobReport>, Failure> {
        let what = format!("looking up MediaConvert's job {id}");
        match self.client.get_job().id(id).send().await {
            Ok(output) => Ok(output.job().and_then(report_of)),
            Err(error) => match failure(&what, &error) {
                failure if failure.case == Case::Missing => Ok(None),
                failure => Err(failure),
            },
        }
    }

    /// Returns the job that was submitted with `submission` in its user metadata, not before `since`.
    ///
    /// Errors: `Transient` if there are more jobs since then than are looked through.
    pub(crate) async fn find(&self, submission: &str, since: OffsetDateTime) -> Result<Option<JobReport>, Failure> {
        let what = "looking for a job that may have been submitted to MediaConvert";
        let oldest = since - CLOCK_SKEW;
        let mut token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let page = self
                .client
                .list_jobs()
                .set_queue(self.queue.clone())
                .order(Order::Descending)
                .max_results(20)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| failure(what, &error))?;
            let is_it = |job: &&Job| metadata(job, SUBMISSION) == Some(submission);
            if let Some(found) = page.jobs().iter().find(is_it).and_then(report_of) {
                return Ok(Some(found));
            }
            let created = |job: &Job| job.created_at().map(aws_sdk_mediaconvert::primitives::DateTime::secs);
            let all_older = page.jobs().iter().all(|job| created(job).is_some_and(|at| at < oldest.unix_timestamp()));
            token = page.next_token;
            if all_older || token.is_none() {
                return Ok(None);
            }
        }
        let message = format!("{what}: it is not among the newest {} jobs, and older ones may be it", MAX_PAGES * 20);
        Err(Failure::new(Case::Transient, message))
    }

    /// Cancels a job. Returns whether MediaConvert accepted that: it does only while a job waits in its queue, and a job that has
    /// begun goes on to its end.
    pub(crate) async fn cancel(&self, id: &str) -> Result<bool, Failure> {
        match self.client.cancel_job().id(id).send().await {
            Ok(_) => Ok(true),
            Err(error) => {
                let refused = error.as_service_error().is_some_and(|error| {
                    error.is_conflict_exception() || error.is_not_found_exception() || error.is_bad_request_exception()
                });
                if refused { Ok(false) } else { Err(failure(&format!("cancelling MediaConvert's job {id}"), &error)) }
            }
        }
    }
}

/// Returns what a job's description says, as its event would.
pub(crate) fn report_of(job: &Job) -> Option<JobReport> {
    let id = job.id().filter(|id| is_job_id(id))?;
    Some(JobReport {
        job_id: id.to_owned(),
        ticket: metadata(job, "ticket").map(str::to_owned),
        status: job.status().map_or(JobStatus::Running, |status| JobStatus::of(status.as_str())),
        error_code: job.error_code().map(i64::from),
        error_message: job.error_message().map(str::to_owned),
        progress: None,
    })
}

fn metadata<'a>(job: &'a Job, name: &str) -> Option<&'a str> {
    job.user_metadata().and_then(|fields| fields.get(name)).map(String::as_str)
}
