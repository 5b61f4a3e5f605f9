//! The receiver and what it stores.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::Value;
use stagehost_batch::{Batch, Id};
use tokio::sync::watch;

use super::contract::CallbackBody;
use super::database::Database;
use super::database::batches::Accepted;
use super::database::tables::Table;
use super::signature::WebhookSecret;

/// Starts the execution of a posted batch.
#[async_trait]
pub trait BatchStarter: Send + Sync + 'static {
    /// Starts an execution and returns its ARN. `batch` is the posted document with its ids.
    ///
    /// # Errors
    /// A sentence for the sender of the batch.
    async fn start(&self, batch: Value) -> Result<String, String>;

    /// Returns whether an execution that was started earlier still exists, running or ended. Executions live no longer than
    /// their process.
    async fn exists(&self, execution_arn: &str) -> bool;
}

/// An accepted callback.
#[derive(Clone, Debug)]
pub struct Callback {
    /// The header `webhook-id`.
    pub webhook_id: String,
    /// The trace header, if the callback has one.
    pub traceparent: Option<String>,
    /// The headers that the signatures and the contract consist of, by their lower-case names, as received.
    pub headers: BTreeMap<String, String>,
    /// The body as received, byte for byte.
    pub raw: String,
    /// The parsed body.
    pub body: CallbackBody,
}

/// An error of the receiver.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    /// An error of SQLite.
    #[error("the receiver's database{}: {source}", path.as_ref().map(|path| format!(" {}", path.display())).unwrap_or_default())]
    Database {
        /// The file; `None` if the database is in memory.
        path: Option<PathBuf>,
        /// SQLite's error.
        source: rusqlite::Error,
    },
}

/// The settings of the receiver.
#[derive(Clone, Debug)]
pub struct ReceiverOptions {
    /// The file of the database; `None` for a database in memory.
    pub database: Option<PathBuf>,
    /// The secret that the sender of callbacks uses as well.
    pub secret: WebhookSecret,
    /// The header that carries the trace context.
    pub trace_header: String,
}

/// The receiver. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Receiver {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    options: ReceiverOptions,
    starter: Mutex<Option<Arc<dyn BatchStarter>>>,
    /// The callbacks of this run. The database contains those of earlier runs as well.
    callbacks: Mutex<Vec<Callback>>,
    arrived: watch::Sender<u64>,
}

impl Receiver {
    /// Opens the receiver with its database.
    ///
    /// # Errors
    /// [`ReceiverError::Database`].
    pub fn open(options: ReceiverOptions) -> Result<Self, ReceiverError> {
        let database = Database::open(options.database.as_deref())
            .map_err(|source| ReceiverError::Database { path: options.database.clone(), source })?;
        // Executions live no longer than their process, and one process at a time uses the database.
        let aborted = database
            .abort_running()
            .map_err(|source| ReceiverError::Database { path: options.database.clone(), source })?;
        if aborted > 0 {
            tracing::warn!(jobs = aborted, "jobs that ran when the services were stopped are aborted; post them again");
        }
        let (arrived, _) = watch::channel(0);
        Ok(Self {
            inner: Arc::new(Inner {
                database,
                options,
                starter: Mutex::new(None),
                callbacks: Mutex::new(Vec::new()),
                arrived,
            }),
        })
    }

    /// Sets what starts the executions of posted batches. Without it, batches are stored and the response has an error.
    pub fn set_starter(&self, starter: Arc<dyn BatchStarter>) {
        *self.inner.starter.lock() = Some(starter);
    }

    /// Returns the callbacks of this run in the order of their arrival.
    pub fn callbacks(&self) -> Vec<Callback> {
        self.inner.callbacks.lock().clone()
    }

    /// Returns a receiver of the number of callbacks in this run.
    pub fn arrivals(&self) -> watch::Receiver<u64> {
        self.inner.arrived.subscribe()
    }

    /// Waits for a callback for which `wanted` returns true. Callbacks that have already arrived count.
    pub async fn wait_for(&self, wanted: impl Fn(&Callback) -> bool) -> Callback {
        let mut arrivals = self.arrivals();
        loop {
            arrivals.borrow_and_update();
            if let Some(found) = self.callbacks().into_iter().find(|callback| wanted(callback)) {
                return found;
            }
            // The sender lives as long as this receiver.
            let _ = arrivals.changed().await;
        }
    }

    /// Returns the rows of `listing_media_batches`, of all listings or of one: the newest first, at most 1,000.
    ///
    /// # Errors
    /// [`ReceiverError::Database`].
    pub async fn batches(&self, listing: Option<&str>) -> Result<Vec<Value>, ReceiverError> {
        self.rows(Table::Batches, listing).await
    }

    /// Returns the rows of `listing_media_assets` in the same way.
    ///
    /// # Errors
    /// [`ReceiverError::Database`].
    pub async fn assets(&self, listing: Option<&str>) -> Result<Vec<Value>, ReceiverError> {
        self.rows(Table::Assets, listing).await
    }

    /// Returns the rows of `listing_media_jobs` in the same way.
    ///
    /// # Errors
    /// [`ReceiverError::Database`].
    pub async fn jobs(&self, listing: Option<&str>) -> Result<Vec<Value>, ReceiverError> {
        self.rows(Table::Jobs, listing).await
    }

    /// Returns the messages that were sent to a dead-letter queue.
    ///
    /// # Errors
    /// [`ReceiverError::Database`].
    pub async fn dead_letters(&self) -> Result<Vec<Value>, ReceiverError> {
        self.rows(Table::DeadLetters, None).await
    }

    /// Stores a message of a queue and returns its id.
    ///
    /// # Errors
    /// [`ReceiverError::Database`].
    pub async fn add_dead_letter(&self, queue: &str, body: &str, attributes: Value) -> Result<String, ReceiverError> {
        let id = uuid::Uuid::new_v4().to_string();
        let (queue, message, body) = (queue.to_owned(), id.clone(), body.to_owned());
        self.inner
            .database
            .blocking(move |database| database.add_dead_letter(&queue, &message, &body, &attributes))
            .await
            .map_err(|source| self.database_error(source))?;
        Ok(id)
    }

    /// Returns the rows of a table.
    pub(super) async fn rows(&self, table: Table, listing: Option<&str>) -> Result<Vec<Value>, ReceiverError> {
        let listing = listing.map(str::to_owned);
        self.inner
            .database
            .blocking(move |database| database.rows(table, listing.as_deref()))
            .await
            .map_err(|source| self.database_error(source))
    }

    fn database_error(&self, source: rusqlite::Error) -> ReceiverError {
        ReceiverError::Database { path: self.inner.options.database.clone(), source }
    }

    /// Returns what starts executions, if it is set.
    pub(super) fn starter(&self) -> Option<Arc<dyn BatchStarter>> {
        self.inner.starter.lock().clone()
    }

    /// Stores a verified callback. Returns `false` if it is a duplicate.
    pub(super) async fn add_callback(&self, callback: Callback) -> Result<bool, ReceiverError> {
        let stored = callback.clone();
        let new = self
            .inner
            .database
            .blocking(move |database| {
                let headers = serde_json::to_value(&stored.headers).unwrap_or_default();
                let trace = stored.traceparent.as_deref();
                database.add_callback(&stored.webhook_id, trace, &headers, &stored.raw, &stored.body)
            })
            .await
            .map_err(|source| self.database_error(source))?;
        if new {
            self.inner.callbacks.lock().push(callback);
            self.inner.arrived.send_modify(|count| *count += 1);
        }
        Ok(new)
    }

    /// Stores a posted batch.
    pub(super) async fn add_batch(&self, batch: Batch, body: String) -> Result<Accepted, ReceiverError> {
        self.inner
            .database
            .blocking(move |database| database.add_batch(&batch, &body))
            .await
            .map_err(|source| self.database_error(source))
    }

    /// Stores whether the execution of a job was started.
    pub(super) async fn set_started(
        &self,
        listing: String,
        job: Id,
        retry: u32,
        outcome: Result<String, String>,
    ) -> Result<(), ReceiverError> {
        self.inner
            .database
            .blocking(move |database| {
                let outcome = outcome.as_ref().map(String::as_str).map_err(String::as_str);
                database.set_started(&listing, &job, retry, outcome)
            })
            .await
            .map_err(|source| self.database_error(source))
    }

    /// Returns the settings.
    pub(super) fn options(&self) -> &ReceiverOptions {
        &self.inner.options
    }
}
