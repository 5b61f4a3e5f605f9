//! Looks after the states that wait for transcoding jobs, on a schedule.
//!
//! Events alone are not enough. MediaConvert sends none while a job waits in its queue, so a state would miss its heartbeat although
//! nothing is wrong with its job. A final event can be lost. And nothing stops the jobs of an execution that was stopped. So every few minutes
//! each open ticket is compared with what MediaConvert and Step Functions say:
//!
//! | found | done |
//! |---|---|
//! | a job has ended, without a report | its report is written; if it was the last one, the state is ended |
//! | a job waits or runs | a heartbeat of the state |
//! | the execution is over | its waiting jobs are cancelled; ticket, reports and records are deleted |
//! | no state waits with the token, but the execution goes on | nothing: the state's next try takes the jobs over |
//! | a record of a submission without a ticket, of an execution that is over | its job is cancelled, the record deleted |
//!
//! Each step may be repeated, and two sweeps at the same time do no harm.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use serde::Serialize;
use stagehost_batch::{Case, Failure};
use stagehost_storage::{Found, Storage as _};

use crate::ids::{TICKETS, ticket_key};
use crate::jobs::events::{JobReport, JobStatus};
use crate::jobs::submissions::{self, Phase, SubmissionRecord, id_in, round_token};
use crate::jobs::ticket::Ticket;
use crate::jobs::waiting_states::{TicketProgress, Tickets, write_report};
use crate::sdk_error::failure;

/// How the names of tickets and of submissions begin. Nothing else begins so.
const OF_WAITING_STATES: &str = "pipeline/tickets";

/// How many tickets are looked after at the same time.
const CONCURRENCY: usize = 8;

/// How long a submission has for its ticket: longer than a function runs.
const WITHOUT_TICKET: Duration = Duration::from_secs(20 * 60);

/// What one sweep found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepReport {
    /// Open tickets.
    pub tickets: usize,
    /// States that got a heartbeat.
    pub alive: usize,
    /// States that were ended because an event was lost.
    pub ended: usize,
    /// Executions that are over, whose tickets or submissions were removed.
    pub removed: usize,
    /// Jobs that MediaConvert agreed to cancel.
    pub cancelled: usize,
    /// Tickets and submissions that could not be looked after; the log says why.
    pub failed: usize,
}

/// What was done for one ticket or submission.
#[derive(Clone, Copy, Debug)]
enum Done {
    Nothing,
    Alive,
    Ended,
    Removed { cancelled: usize },
}

impl Tickets {
    /// Looks after all open tickets once.
    ///
    /// # Errors
    /// If the bucket cannot be listed. What fails for a single ticket is logged and counted.
    pub async fn sweep(&self) -> Result<SweepReport, Failure> {
        let store = self.bucket.documents("");
        let transient = |error: stagehost_storage::StorageError| Failure::new(Case::Transient, error.to_string());
        let found = store.list(OF_WAITING_STATES).await.map_err(transient)?;
        let of = |prefix: &str| found.iter().filter(|name| name.starts_with(prefix)).cloned().collect::<Vec<_>>();
        let (tickets, submissions) = (of(TICKETS), of(submissions::PREFIX));
        let mut report = SweepReport { tickets: tickets.len(), ..SweepReport::default() };

        let work: Vec<_> = tickets.iter().map(|key| Box::pin(self.sweep_ticket(key))).collect();
        let done: Vec<_> = stream::iter(work).buffered(CONCURRENCY).collect().await;
        for (key, done) in tickets.iter().zip(done) {
            report.add(key, done);
        }
        let with_ticket: BTreeSet<&str> = tickets.iter().map(String::as_str).collect();
        let mut over = HashMap::new();
        for key in &submissions {
            let done = Box::pin(self.sweep_submission(key, &with_ticket, &mut over)).await;
            report.add(key, done);
        }
        Ok(report)
    }

    async fn sweep_ticket(&self, key: &str) -> Result<Done, Failure> {
        let store = self.bucket.documents("");
        let found = store.get(key, None).await;
        let Found::Found { bytes, tag } = found.map_err(|e| Failure::new(Case::Transient, e.to_string()))? else {
            // It was ended meanwhile.
            return Ok(Done::Nothing);
        };
        let ticket: Ticket = serde_json::from_slice(&bytes)
            .map_err(|error| Failure::new(Case::Internal, format!("{key} is not a ticket: {error}")))?;
        let mut running = Vec::new();
        for job in &ticket.jobs {
            if self.read_report(&job.id).await?.is_some() {
                continue;
            }
            match self.jobs.get(&job.id).await {
                Ok(Some(report)) if report.status.is_final() => {
                    tracing::warn!(job = %job.id, status = ?report.status, "the event of a job's end was lost");
                    write_report(&self.bucket, &JobReport { ticket: key_of(key), ..report }).await?;
                }
                Ok(Some(_)) => running.push(job.id.as_str()),
                Ok(None) => {
                    let message = format!("MediaConvert does not know job {} of {}", job.id, ticket.execution);
                    return Err(Failure::new(Case::Missing, message));
                }
                // MediaConvert may be down for longer than a heartbeat's limit, while its jobs go on.
                Err(failure) if failure.case == Case::Transient => {
                    tracing::warn!(job = %job.id, %failure, "a job counts as running");
                    running.push(job.id.as_str());
                }
                Err(failure) => return Err(failure),
            }
        }
        let progress = match running.is_empty() {
            true => self.settle(ticket.clone()).await?,
            false => self.heartbeat(&ticket).await?,
        };
        // A heartbeat that is accepted does not say that the execution goes on: the token of a stopped one may still be known.
        match progress {
            TicketProgress::Ended => Ok(Done::Ended),
            TicketProgress::Gone | TicketProgress::Waiting { .. } if self.is_over(&ticket.execution).await? => {
                let mut cancelled = 0;
                for job in running {
                    cancelled += usize::from(self.jobs.cancel(job).await?);
                }
                self.remove(&ticket, &tag.to_string()).await?;
                tracing::info!(execution = %ticket.execution, cancelled, "the ticket of an execution that is over");
                Ok(Done::Removed { cancelled })
            }
            TicketProgress::Gone | TicketProgress::NoTicket | TicketProgress::Foreign => Ok(Done::Nothing),
            TicketProgress::Waiting { .. } => Ok(Done::Alive),
        }
    }

    /// Looks after a submission whose state has no ticket: its function has ended before it could write one.
    async fn sweep_submission(
        &self,
        key: &str,
        with_ticket: &BTreeSet<&str>,
        over: &mut HashMap<String, bool>,
    ) -> Result<Done, Failure> {
        let Some(id) = id_in(key) else { return Ok(Done::Nothing) };
        let Some((Some(record), tag)) = self.submissions.read(id).await? else { return Ok(Done::Nothing) };
        if record.age() < WITHOUT_TICKET || with_ticket.contains(ticket_key(&record.ticket()).as_str()) {
            return Ok(Done::Nothing);
        }
        let is_over = match over.get(&record.execution) {
            Some(known) => *known,
            None => self.is_over(&record.execution).await?,
        };
        over.insert(record.execution.clone(), is_over);
        if !is_over {
            return Ok(Done::Nothing);
        }
        let job = self.job_of(id, &record).await?.filter(|job| job.status == JobStatus::Running);
        let cancelled = match job {
            Some(job) => self.jobs.cancel(&job.job_id).await?,
            None => false,
        };
        self.bucket.delete_if(key, &tag.to_string()).await?;
        Ok(Done::Removed { cancelled: usize::from(cancelled) })
    }

    async fn job_of(&self, id: &str, record: &SubmissionRecord) -> Result<Option<JobReport>, Failure> {
        match &record.phase {
            Phase::Accepted { job } => self.jobs.get(job).await,
            Phase::Intended => self.jobs.find(&round_token(id, record.round), record.began()).await,
            Phase::Void => Ok(None),
        }
    }

    /// Returns whether an execution has ended. One that waits to be redriven has not.
    async fn is_over(&self, execution: &str) -> Result<bool, Failure> {
        match self.states.describe_execution().execution_arn(execution).send().await {
            Ok(output) => Ok(!matches!(output.status().as_str(), "RUNNING" | "PENDING_REDRIVE")),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_execution_does_not_exist()) => Ok(true),
            Err(error) => Err(failure(&format!("asking for {execution}"), &error)),
        }
    }
}

impl SweepReport {
    fn add(&mut self, key: &str, done: Result<Done, Failure>) {
        match done {
            Ok(Done::Nothing) => {}
            Ok(Done::Alive) => self.alive += 1,
            Ok(Done::Ended) => self.ended += 1,
            Ok(Done::Removed { cancelled }) => {
                self.removed += 1;
                self.cancelled += cancelled;
            }
            Err(failure) => {
                tracing::error!(key, %failure, "the sweep could not look after this");
                self.failed += 1;
            }
        }
    }
}

/// Returns the ticket's id in its key.
fn key_of(key: &str) -> Option<String> {
    key.strip_prefix(TICKETS)?.strip_suffix(".json").map(str::to_owned)
}
