//! What every page needs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::batches::summary::Summaries;
use crate::guard::{AcceptedHosts, SessionToken};
use crate::patience::in_time;
use crate::source::bench::StageBench;
use crate::source::error::SourceError;
use crate::source::executions::ExecutionSource;
use crate::source::intake::BatchIntake;
use crate::source::journal::{CallJournal, CallbackJournal, DeadLetterQueue, KnownCalls};
use crate::source::media::MediaFiles;
use crate::source::pins::PinsDesk;

/// Where the console's pages get everything from. What is absent is left out of the pages.
#[derive(Clone)]
pub struct ConsoleParts {
    /// The executions.
    pub executions: Arc<dyn ExecutionSource>,
    /// The media bucket.
    pub media: Arc<dyn MediaFiles>,
    /// Calls of stages, with what they printed.
    pub calls: Option<Arc<dyn CallJournal>>,
    /// Callbacks as the backend got them.
    pub callbacks: Option<Arc<dyn CallbackJournal>>,
    /// The dead-letter queue.
    pub dead_letters: Option<Arc<dyn DeadLetterQueue>>,
    /// The pins.
    pub pins: Option<Arc<dyn PinsDesk>>,
    /// Starts uploaded batches.
    pub intake: Option<Arc<dyn BatchIntake>>,
    /// Calls single stages.
    pub bench: Option<Arc<dyn StageBench>>,
}

/// How the console behaves.
#[derive(Clone, Debug)]
pub struct ConsoleOptions {
    /// What the pages are of: `this machine`, `listing-media-staging`.
    pub title: String,
    /// Whether batches can be started and stopped, files uploaded and pins changed.
    pub allow_changes: bool,
    /// The names under which the pages can be opened.
    pub hosts: AcceptedHosts,
    /// How often the services are asked for news while a page is open.
    pub poll: Duration,
    /// The address to give to the AWS CLI; `None` on AWS.
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
}

/// The sources, the options and what is remembered.
pub(crate) struct App {
    pub(crate) parts: ConsoleParts,
    pub(crate) options: ConsoleOptions,
    pub(crate) token: SessionToken,
    pub(crate) summaries: Summaries,
    /// Becomes true when open streams must end.
    pub(crate) closing: watch::Sender<bool>,
}

impl App {
    /// Returns the calls of an execution; none where no calls are kept.
    ///
    /// # Errors
    /// If they cannot be read, or not in time.
    pub(crate) async fn calls(&self, execution_arn: &str) -> Result<KnownCalls, SourceError> {
        match &self.parts.calls {
            Some(journal) => in_time("the log", journal.calls(execution_arn)).await,
            None => Ok(KnownCalls::default()),
        }
    }
}

/// What handlers get.
pub(crate) type Shared = Arc<App>;
