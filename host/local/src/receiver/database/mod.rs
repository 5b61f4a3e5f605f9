//! The receiver's database, in SQLite.

pub(super) mod batches;
mod callbacks;
mod migrations;
pub(super) mod tables;
mod values;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, Transaction, params};
use serde_json::Value;
use stagehost_batch::{Batch, Id};

use super::contract::CallbackBody;
use batches::Accepted;
use migrations::migrate;
use tables::Table;
use values::now;

type Result<T> = rusqlite::Result<T>;

/// The database. Cheap to clone. Its methods block; from async code use
/// [`blocking`](Database::blocking).
#[derive(Clone)]
pub(super) struct Database(Arc<Mutex<Connection>>);

impl Database {
    /// Opens the database and creates or migrates its tables. `None` is a database in memory.
    pub(super) fn open(path: Option<&Path>) -> Result<Self> {
        let mut connection = match path {
            Some(path) => Connection::open(path)?,
            None => Connection::open_in_memory()?,
        };
        connection.busy_timeout(Duration::from_secs(10))?;
        // With WAL, a person can read the file with the sqlite3 program while a batch runs.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        migrate(&mut connection)?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    /// Runs `work` on a thread that may block.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let database = self.clone();
        match tokio::task::spawn_blocking(move || work(&database)).await {
            Ok(result) => result,
            Err(error) => Err(rusqlite::Error::InvalidParameterName(format!("the database's thread ended: {error}"))),
        }
    }

    /// Runs `work` in a transaction, which is rolled back if it fails.
    fn transaction<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut connection = self.0.lock();
        let transaction = connection.transaction()?;
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }

    /// Stores a posted batch. The same job and retry a second time is the same row.
    pub(super) fn add_batch(&self, batch: &Batch, body: &str) -> Result<Accepted> {
        self.transaction(|t| batches::add(t, batch, body))
    }

    /// Stores whether the execution of a job was started: its ARN, or the reason why not.
    pub(super) fn set_started(
        &self,
        listing: &str,
        job: &Id,
        retry: u32,
        outcome: std::result::Result<&str, &str>,
    ) -> Result<()> {
        self.transaction(|t| batches::set_started(t, listing, job, retry, outcome))
    }

    /// Stores a callback and the results that it reports. Returns `false` and changes nothing if the id is known.
    pub(super) fn add_callback(
        &self,
        webhook_id: &str,
        trace: Option<&str>,
        headers: &Value,
        raw: &str,
        callback: &CallbackBody,
    ) -> Result<bool> {
        self.transaction(|t| callbacks::add(t, webhook_id, trace, headers, raw, callback))
    }

    /// Marks the jobs as aborted that were running when the process of their executions ended.
    pub(super) fn abort_running(&self) -> Result<usize> {
        self.transaction(batches::abort_running)
    }

    /// Stores a message of a queue.
    pub(super) fn add_dead_letter(&self, queue: &str, message_id: &str, body: &str, attributes: &Value) -> Result<()> {
        self.transaction(|t| {
            t.execute(
                "INSERT INTO dead_letters (queue, message_id, body, attributes, received_at) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![queue, message_id, body, attributes.to_string(), now()],
            )?;
            Ok(())
        })
    }

    /// Returns the rows of a table as JSON objects, of all listings or of one; the newest first, at most 1,000.
    pub(super) fn rows(&self, table: Table, listing: Option<&str>) -> Result<Vec<Value>> {
        self.transaction(|t| tables::rows(t, table, listing))
    }
}
