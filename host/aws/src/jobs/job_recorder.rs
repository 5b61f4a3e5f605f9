//! Remembers the jobs that one call of a stage submits, for the ticket of its state.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use stagehost_batch::Failure;
use stagehost_runtime::capability::{CallScope, Submission, TranscodeJob, Transcoder};

use crate::jobs::ticket::TicketJob;
use stagehost_runtime::lock;

/// A [`Transcoder`] that passes every job on to another one and remembers those that run. Clones share what they
/// remember.
#[derive(Clone)]
pub struct JobRecorder {
    inner: Arc<dyn Transcoder>,
    jobs: Arc<Mutex<Vec<TicketJob>>>,
}

impl JobRecorder {
    /// Returns a recorder in front of `inner`.
    pub fn new(inner: Arc<dyn Transcoder>) -> Self {
        Self { inner, jobs: Arc::default() }
    }

    /// Returns the jobs that were submitted and run, each once.
    pub fn jobs(&self) -> Vec<TicketJob> {
        lock(&self.jobs).clone()
    }
}

#[async_trait]
impl Transcoder for JobRecorder {
    async fn submit(&self, scope: &CallScope, job: TranscodeJob) -> Result<Submission, Failure> {
        let submission = self.inner.submit(scope, job.clone()).await?;
        if let Submission::Running(id) = &submission {
            let mut jobs = lock(&self.jobs);
            if !jobs.iter().any(|known| known.id == *id) {
                jobs.push(TicketJob::new(id.as_str(), &job));
            }
        }
        Ok(submission)
    }
}
