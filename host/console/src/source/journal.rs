//! What is known about calls of stages, callbacks and dead letters. Where nothing is kept, there is no such source, and the
//! pages say so.

use async_trait::async_trait;

use super::error::SourceError;

/// A call of a stage that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedCall {
    /// The state.
    pub state: String,
    /// Retries of the state before this call.
    pub attempt: u32,
    /// The file; `None` for a stage that gets the whole batch.
    pub key: Option<String>,
    /// The stage's name.
    pub stage: String,
    /// Its version.
    pub version: String,
    /// `sha256:…` of its component.
    pub digest: String,
    /// How long it took, in milliseconds.
    pub millis: f64,
    /// The most memory at once, in bytes.
    pub memory: u64,
    /// The failure's stable name, if it failed.
    pub failure: Option<String>,
    /// What there is to say about it: the failure's message, and what the stage printed.
    pub text: String,
}

/// The calls of an execution, as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct KnownCalls {
    /// The calls, the oldest first.
    pub calls: Vec<LoggedCall>,
    /// Which calls may be missing, a sentence each.
    pub gaps: Vec<String>,
}

/// Ended calls of stages.
#[async_trait]
pub trait CallJournal: Send + Sync + 'static {
    /// Returns the calls of an execution.
    ///
    /// # Errors
    /// [`SourceError::Failed`].
    async fn calls(&self, execution_arn: &str) -> Result<KnownCalls, SourceError>;
}

/// A callback as the backend got it.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenCallback {
    /// When it arrived.
    pub at: String,
    /// The headers that it was signed with, by their names.
    pub headers: Vec<(String, String)>,
    /// The body, byte for byte.
    pub body: String,
}

/// Callbacks that arrived.
#[async_trait]
pub trait CallbackJournal: Send + Sync + 'static {
    /// Returns the callbacks of an execution, the oldest first.
    ///
    /// # Errors
    /// [`SourceError::Failed`].
    async fn callbacks(&self, execution_arn: &str, listing: Option<&str>) -> Result<Vec<SeenCallback>, SourceError>;
}

/// A message in the dead-letter queue.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// Its id.
    pub id: String,
    /// When it was sent, if that is known.
    pub at: Option<String>,
    /// The body: a job that could not be read or started, or a result that could not be delivered.
    pub body: String,
}

/// Messages of the dead-letter queue.
#[derive(Clone, Debug, Default)]
pub struct SeenLetters {
    /// The messages.
    pub letters: Vec<DeadLetter>,
    /// There may be others.
    pub more: bool,
}

/// The dead-letter queue.
#[async_trait]
pub trait DeadLetterQueue: Send + Sync + 'static {
    /// Returns the messages that can be seen now, at most `most` of them.
    ///
    /// # Errors
    /// [`SourceError::Failed`].
    async fn letters(&self, most: usize) -> Result<SeenLetters, SourceError>;
}
