//! The reference receiver: the backend's side of the contract.
//!
//! The backend is another team's; the contract is this project's. So there is one receiver that takes it at its word: it
//! accepts batches in every shape that is promised to be accepted, believes no callback that is not signed twice, refuses
//! one that strays from the contract, and keeps what came in the backend's three tables, in SQLite, so that a local run
//! can be queried.

mod contract;
mod migrations;
mod routes;
mod signature;
mod store;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::watch;

pub use contract::{
    CallbackBody, CallbackDetail, CallbackError, CallbackOutput, CallbackStatus, ContractError, Provider,
};
pub use routes::router;
pub use signature::{SecretError, Untrusted, WebhookSecret};

use store::{Store, Table};

/// What starts the execution of a batch that was posted.
#[async_trait]
pub trait BatchStarter: Send + Sync + 'static {
    /// Starts it and returns the execution's ARN. `batch` is the document as posted, with the ids filled in. The error is
    /// a sentence for the one who posted.
    async fn start(&self, batch: Value) -> Result<String, String>;
}

/// A callback that was believed.
#[derive(Clone, Debug)]
pub struct Callback {
    /// `webhook-id`.
    pub webhook_id: String,
    /// The trace header, if it came.
    pub traceparent: Option<String>,
    /// As it came, byte for byte.
    pub raw: String,
    /// Read by the contract.
    pub body: CallbackBody,
}

/// Why the receiver cannot do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    /// SQLite's word.
    #[error("the receiver's database{}: {source}", path.as_ref().map(|path| format!(" {}", path.display())).unwrap_or_default())]
    Database {
        /// Where it is; `None` in memory.
        path: Option<PathBuf>,
        /// What it says.
        source: rusqlite::Error,
    },
}

/// How the receiver behaves.
#[derive(Clone, Debug)]
pub struct ReceiverOptions {
    /// The database's file; `None` keeps it in memory.
    pub database: Option<PathBuf>,
    /// Shared with the sender of callbacks.
    pub secret: WebhookSecret,
    /// The header that carries the trace context.
    pub trace_header: String,
}

/// The receiver. Cheap to clone; every clone is the same receiver.
#[derive(Clone)]
pub struct Receiver {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    options: ReceiverOptions,
    starter: Mutex<Option<Arc<dyn BatchStarter>>>,
    /// Those of this run; the database has those of earlier ones, too.
    callbacks: Mutex<Vec<Callback>>,
    arrived: watch::Sender<u64>,
}

impl Receiver {
    /// Opens the database.
    ///
    /// # Errors
    /// [`ReceiverError::Database`].
    pub fn open(options: ReceiverOptions) -> Result<Self, ReceiverError> {
        let store = Store::open(options.database.as_deref())
            .map_err(|source| ReceiverError::Database { path: options.database.clone(), source })?;
        let (arrived, _) = watch::channel(0);
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                options,
                starter: Mutex::new(None),
                callbacks: Mutex::new(Vec::new()),
                arrived,
            }),
        })
    }

    /// Who starts the executions of posted batches. Without one they are kept, and the poster is told.
    pub fn set_starter(&self, starter: Arc<dyn BatchStarter>) {
        *self.inner.starter.lock().unwrap_or_else(PoisonError::into_inner) = Some(starter);
    }

    /// The callbacks of this run, in the order in which they arrived.
    pub fn callbacks(&self) -> Vec<Callback> {
        self.inner.callbacks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many callbacks have arrived in this run; changes when one does.
    pub fn arrivals(&self) -> watch::Receiver<u64> {
        self.inner.arrived.subscribe()
    }

    /// Waits for a callback that `wanted` accepts, looking at those that are there first.
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

    /// Rows of `listing_media_batches`, newest first, at most 1,000; of one listing if one is given.
    ///
    /// # Errors
    /// [`ReceiverError::Database`].
    pub async fn batches(&self, listing: Option<&str>) -> Result<Vec<Value>, ReceiverError> {
        self.show(Table::Batches, listing).await
    }

    /// Rows of `listing_media_assets`, in the same way.
    ///
    /// # Errors
    /// [`ReceiverError::Database`].
    pub async fn assets(&self, listing: Option<&str>) -> Result<Vec<Value>, ReceiverError> {
        self.show(Table::Assets, listing).await
    }

    /// Rows of `listing_media_jobs`, in the same way.
    ///
    /// # Errors
    /// [`ReceiverError::Database`].
    pub async fn jobs(&self, listing: Option<&str>) -> Result<Vec<Value>, ReceiverError> {
        self.show(Table::Jobs, listing).await
    }

    /// Messages that were sent to a queue which nobody reads here.
    ///
    /// # Errors
    /// [`ReceiverError::Database`].
    pub async fn dead_letters(&self) -> Result<Vec<Value>, ReceiverError> {
        self.show(Table::DeadLetters, None).await
    }

    /// Keeps a message of a queue and returns its id.
    ///
    /// # Errors
    /// [`ReceiverError::Database`].
    pub async fn keep_dead_letter(&self, queue: &str, body: &str, attributes: Value) -> Result<String, ReceiverError> {
        let id = uuid::Uuid::new_v4().to_string();
        let (queue, message, body) = (queue.to_owned(), id.clone(), body.to_owned());
        self.inner
            .store
            .blocking(move |store| store.dead_letter(&queue, &message, &body, &attributes))
            .await
            .map_err(|source| self.database(source))?;
        Ok(id)
    }

    async fn show(&self, table: Table, listing: Option<&str>) -> Result<Vec<Value>, ReceiverError> {
        let listing = listing.map(str::to_owned);
        self.inner
            .store
            .blocking(move |store| store.show(table, listing.as_deref()))
            .await
            .map_err(|source| self.database(source))
    }

    fn database(&self, source: rusqlite::Error) -> ReceiverError {
        ReceiverError::Database { path: self.inner.options.database.clone(), source }
    }

    fn starter(&self) -> Option<Arc<dyn BatchStarter>> {
        self.inner.starter.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A verified, well-formed callback. False if it came before.
    async fn take(&self, callback: Callback) -> Result<bool, ReceiverError> {
        let kept = callback.clone();
        let new = self
            .inner
            .store
            .blocking(move |store| store.callback(&kept.webhook_id, kept.traceparent.as_deref(), &kept.raw, &kept.body))
            .await
            .map_err(|source| self.database(source))?;
        if new {
            self.inner.callbacks.lock().unwrap_or_else(PoisonError::into_inner).push(callback);
            self.inner.arrived.send_modify(|count| *count += 1);
        }
        Ok(new)
    }
}
