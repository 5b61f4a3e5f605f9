//! All jobs, and the changes of their status.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::event::{Change, event};
use super::job::{FinishedOutput, Job, JobError, JobStatus, Phase};
use super::template::JobTemplate;
use crate::error::MediaConvertError;
use crate::events::EventSink;
use crate::options::Options;
use crate::settings::Plan;
use crate::storage::Storage;

/// The number of jobs to keep. Beyond it, the oldest finished jobs are removed.
const MAX_JOBS: usize = 10_000;

/// All jobs and templates, and what running a job needs.
pub(crate) struct JobTable {
    pub(crate) options: Options,
    pub(crate) storage: Arc<dyn Storage>,
    events: Arc<dyn EventSink>,
    /// One permit for each job that may run at once.
    pub(crate) slots: Semaphore,
    state: Mutex<State>,
}

/// The part of [`JobTable`] behind the lock.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) jobs: HashMap<String, Job>,
    /// Ids, oldest first.
    pub(crate) order: VecDeque<String>,
    /// Client request token → id.
    pub(crate) tokens: HashMap<String, String>,
    pub(crate) templates: HashMap<String, JobTemplate>,
    pub(crate) tasks: JoinSet<()>,
    pub(crate) closing: bool,
}

impl State {
    /// Returns a job by its id.
    pub(crate) fn job(&self, id: &str) -> Result<&Job, MediaConvertError> {
        self.jobs.get(id).ok_or_else(|| MediaConvertError::not_found(format!("There is no job {id:?}")))
    }

    /// Returns a template by its name or ARN.
    pub(crate) fn template(&self, name: &str) -> Result<&JobTemplate, MediaConvertError> {
        let short = name.rsplit_once("jobTemplates/").map_or(name, |(_, short)| short);
        self.templates.get(short).ok_or_else(|| {
            MediaConvertError::not_found(format!(
                "There is no job template {name:?}; create it, or name another in jobTemplate"
            ))
        })
    }

    /// Returns the job that was created with a request token.
    pub(crate) fn job_of_token(&self, token: &str) -> Option<&Job> {
        self.tokens.get(token).and_then(|id| self.jobs.get(id))
    }

    /// Adds a job and removes the oldest finished one beyond the limit.
    pub(crate) fn add(&mut self, job: Job) {
        if let Some(token) = &job.token {
            self.tokens.insert(token.clone(), job.id.clone());
        }
        self.order.push_back(job.id.clone());
        self.jobs.insert(job.id.clone(), job);
        if self.order.len() > MAX_JOBS {
            let oldest = self.order.iter().position(|id| self.jobs.get(id).is_none_or(|job| job.status.is_final()));
            if let Some(job) = oldest.and_then(|at| self.order.remove(at)).and_then(|id| self.jobs.remove(&id)) {
                job.token.and_then(|token| self.tokens.remove(&token));
            }
        }
    }
}

impl JobTable {
    /// Returns an empty table with these templates.
    pub(crate) fn new(
        options: Options,
        storage: Arc<dyn Storage>,
        events: Arc<dyn EventSink>,
        templates: HashMap<String, JobTemplate>,
    ) -> Self {
        let slots = Semaphore::new(options.concurrency.max(1));
        let state = Mutex::new(State { templates, ..State::default() });
        Self { options, storage, events, slots, state }
    }

    /// Locks the jobs and templates.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Returns the ARN of a resource: `jobs/ID`, `queues/NAME`.
    pub(crate) fn arn(&self, resource: &str) -> String {
        format!("arn:aws:mediaconvert:{}:{}:{resource}", self.options.region, self.options.account)
    }

    /// Returns the ARN of a queue that is given by name or ARN; by default that of `Default`.
    pub(crate) fn queue_arn(&self, queue: Option<String>) -> String {
        match queue {
            Some(arn) if arn.starts_with("arn:") => arn,
            Some(name) => self.arn(&format!("queues/{name}")),
            None => self.arn("queues/Default"),
        }
    }

    /// Returns the plan of a job.
    pub(crate) fn plan(&self, id: &str) -> Option<Arc<Plan>> {
        self.lock().jobs.get(id).map(|job| Arc::clone(&job.plan))
    }

    /// Returns the time between two `STATUS_UPDATE` events of a job.
    pub(crate) fn update_interval(&self, id: &str) -> Duration {
        self.options
            .update_interval
            .unwrap_or_else(|| Duration::from_secs(self.lock().jobs.get(id).map_or(60, |job| job.interval)))
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Job)) {
        if let Some(job) = self.lock().jobs.get_mut(id) {
            change(job);
        }
    }

    /// Marks a job as running and publishes that.
    pub(crate) async fn begin(&self, id: &str) {
        self.change(id, |job| {
            job.status = JobStatus::Progressing;
            job.started = Some(OffsetDateTime::now_utc());
        });
        self.publish(id, Change::Status).await;
    }

    /// Moves a job to a phase. Publishes that if updates are frequent.
    pub(crate) async fn phase(&self, id: &str, phase: Phase, percent: u32) {
        self.change(id, |job| (job.phase, job.percent) = (phase, percent));
        if self.options.update_interval.is_some() {
            self.publish(id, Change::Progress).await;
        }
    }

    /// Notes the progress of a job.
    pub(crate) fn progress(&self, id: &str, percent: u32, frames: u64) {
        self.change(id, |job| (job.percent, job.frames) = (percent, frames));
    }

    /// Marks a job as ended and publishes that.
    pub(crate) async fn end(
        &self,
        id: &str,
        status: JobStatus,
        error: Option<JobError>,
        outputs: Vec<Vec<FinishedOutput>>,
    ) {
        self.change(id, |job| {
            job.status = status;
            job.error = error;
            job.outputs = outputs;
            job.finished = Some(OffsetDateTime::now_utc());
            if status == JobStatus::Complete {
                job.percent = 100;
            }
        });
        self.publish(id, Change::Status).await;
    }

    /// Publishes an event, unless the service is shutting down.
    pub(crate) async fn publish(&self, id: &str, change: Change) {
        let event = {
            let state = self.lock();
            match state.jobs.get(id) {
                Some(job) if !state.closing => event(job, change, &self.options.region, &self.options.account),
                _ => return,
            }
        };
        self.events.publish(event).await;
    }
}
