//! What the receiver remembers, in SQLite.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Transaction, named_params, params};
use serde_json::{Map, Value};
use stagehost_batch::{Batch, Id};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::contract::{CallbackBody, CallbackStatus};
use super::migrations::migrate;

/// Rows that one query gives at most, the newest first.
const PAGE: u32 = 1_000;

/// The database. Cheap to clone. Calls block for as long as SQLite takes; from async code use
/// [`blocking`](Store::blocking).
#[derive(Clone)]
pub(super) struct Store(Arc<Mutex<Connection>>);

/// A job that was taken in.
pub(super) struct Accepted {
    pub(super) job_id: Id,
    pub(super) batch_id: Option<Id>,
    pub(super) status: String,
    pub(super) execution_arn: Option<String>,
    /// It was there already.
    pub(super) known: bool,
}

/// Which table to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Batches,
    Assets,
    Jobs,
    Callbacks,
    DeadLetters,
}

type Result<T> = rusqlite::Result<T>;

impl Store {
    /// Opens the database, making it and its tables where needed. `None`: in memory.
    pub(super) fn open(path: Option<&Path>) -> Result<Self> {
        let mut connection = match path {
            Some(path) => Connection::open(path)?,
            None => Connection::open_in_memory()?,
        };
        connection.busy_timeout(Duration::from_secs(10))?;
        // Somebody may read the file with the sqlite3 program while a batch runs.
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
        let store = self.clone();
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(result) => result,
            Err(error) => Err(rusqlite::Error::InvalidParameterName(format!("the database's thread ended: {error}"))),
        }
    }

    fn transaction<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        // A panic while the lock was held rolled the transaction back.
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction()?;
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }

    /// Takes in a batch as it came. The same job and retry a second time is the same row.
    pub(super) fn accept(&self, batch: &Batch, body: &str) -> Result<Accepted> {
        self.transaction(|t| {
            let listing = batch.listing.id.to_string();
            if let Some(job) = &batch.job_id {
                let known = t
                    .query_row(
                        "SELECT j.status, j.execution_arn, b.batch_id FROM listing_media_jobs j
                         JOIN listing_media_batches b ON b.id = j.batch
                         WHERE j.listing_id = ?1 AND j.job_id = ?2 AND j.retry = ?3",
                        params![listing, job.to_string(), batch.retry],
                        |row| {
                            Ok(Accepted {
                                job_id: job.clone(),
                                batch_id: row.get::<_, Option<String>>(2)?.map(|id| Id::from_text(&id)),
                                status: row.get(0)?,
                                execution_arn: row.get(1)?,
                                known: true,
                            })
                        },
                    )
                    .optional()?;
                if let Some(known) = known {
                    return Ok(known);
                }
            }
            let row = insert_batch(t, &listing, batch, "RECEIVED", Some(body))?;
            // The backend numbers what comes without a number.
            let batch_id = batch.batch_id.clone().unwrap_or(Id::Number(row.unsigned_abs()));
            t.execute("UPDATE listing_media_batches SET batch_id = ?2 WHERE id = ?1", params![row, batch_id.to_string()])?;
            for asset in &batch.assets {
                t.execute(
                    "INSERT OR IGNORE INTO listing_media_assets (batch, raw_key, type, status, error_code, error_message)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![
                        row,
                        asset.key,
                        asset.media_type.name(),
                        if asset.problem.is_some() { "FAILED" } else { "PENDING" },
                        asset.problem.as_ref().map(|problem| &problem.code),
                        asset.problem.as_ref().map(|problem| &problem.message),
                    ],
                )?;
            }
            let job_id = match &batch.job_id {
                Some(id) => id.clone(),
                None => free_job_id(t, &listing, row.unsigned_abs())?,
            };
            insert_job(t, row, &listing, &job_id, batch.retry, "RECEIVED")?;
            Ok(Accepted { job_id, batch_id: Some(batch_id), status: "RECEIVED".into(), execution_arn: None, known: false })
        })
    }

    /// Notes how starting the execution went.
    pub(super) fn started(
        &self,
        listing: &str,
        job: &Id,
        retry: u32,
        outcome: std::result::Result<&str, &str>,
    ) -> Result<()> {
        self.transaction(|t| {
            let (status, arn, reason) = match outcome {
                Ok(arn) => ("STARTED", Some(arn), None),
                Err(reason) => ("START_FAILED", None, Some(reason)),
            };
            // The callback may have been faster than this note.
            t.execute(
                "UPDATE listing_media_jobs SET status = ?4, execution_arn = coalesce(?5, execution_arn), failure_reason = ?6
                 WHERE listing_id = ?1 AND job_id = ?2 AND retry = ?3 AND finished_at IS NULL",
                params![listing, job.to_string(), retry, status, arn, reason],
            )?;
            Ok(())
        })
    }

    /// Keeps a callback and enters what it reports. False if this id was there before: nothing is changed then.
    pub(super) fn callback(
        &self,
        webhook_id: &str,
        trace: Option<&str>,
        raw: &str,
        callback: &CallbackBody,
    ) -> Result<bool> {
        self.transaction(|t| {
            let new = t.execute(
                "INSERT OR IGNORE INTO callbacks (webhook_id, traceparent, body, received_at) VALUES (?1, ?2, ?3, ?4)",
                params![webhook_id, trace, raw, now()],
            )?;
            if new == 1 {
                enter(t, callback)?;
            }
            Ok(new == 1)
        })
    }

    /// Keeps what somebody sends to a queue that nobody reads here.
    pub(super) fn dead_letter(&self, queue: &str, message_id: &str, body: &str, attributes: &Value) -> Result<()> {
        self.transaction(|t| {
            t.execute(
                "INSERT INTO dead_letters (queue, message_id, body, attributes, received_at) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![queue, message_id, body, attributes.to_string(), now()],
            )?;
            Ok(())
        })
    }

    /// A table's rows as JSON objects with the columns' names, the newest first; of one listing if one is given.
    pub(super) fn show(&self, table: Table, listing: Option<&str>) -> Result<Vec<Value>> {
        let sql = match table {
            Table::Batches => "SELECT * FROM listing_media_batches WHERE :listing IS NULL OR listing_id = :listing",
            Table::Assets => {
                "SELECT a.*, b.listing_id, b.batch_id FROM listing_media_assets a
                 JOIN listing_media_batches b ON b.id = a.batch WHERE :listing IS NULL OR b.listing_id = :listing"
            }
            Table::Jobs => "SELECT * FROM listing_media_jobs WHERE :listing IS NULL OR listing_id = :listing",
            Table::Callbacks => "SELECT * FROM callbacks WHERE :listing IS NULL",
            Table::DeadLetters => "SELECT * FROM dead_letters WHERE :listing IS NULL",
        };
        self.transaction(|t| {
            let mut query = t.prepare(&format!("SELECT * FROM ({sql}) ORDER BY id DESC LIMIT {PAGE}"))?;
            let columns: Vec<String> = query.column_names().map(str::to_owned).collect();
            let mut rows = query.query(named_params! {":listing": listing})?;
            let mut shown = Vec::new();
            while let Some(row) = rows.next()? {
                let mut object = Map::new();
                for (index, column) in columns.iter().enumerate() {
                    object.insert(column.clone(), json(column, row.get_ref(index)?));
                }
                shown.push(Value::Object(object));
            }
            Ok(shown)
        })
    }
}

fn now() -> String {
    OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default()
}

fn insert_batch(t: &Transaction<'_>, listing: &str, batch: &Batch, status: &str, body: Option<&str>) -> Result<i64> {
    t.execute(
        "INSERT INTO listing_media_batches (listing_id, batch_id, external_id, traceparent, status, body, received_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
        params![
            listing,
            batch.batch_id.as_ref().map(Id::to_string),
            batch.external_id,
            batch.traceparent,
            status,
            body,
            now()
        ],
    )?;
    Ok(t.last_insert_rowid())
}

fn insert_job(t: &Transaction<'_>, batch: i64, listing: &str, job: &Id, retry: u32, status: &str) -> Result<i64> {
    t.execute(
        "INSERT INTO listing_media_jobs (batch, listing_id, job_id, retry, status, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![batch, listing, job.to_string(), retry, status, now()],
    )?;
    Ok(t.last_insert_rowid())
}

/// The first number from `wish` on that no job of the listing has.
fn free_job_id(t: &Transaction<'_>, listing: &str, wish: u64) -> Result<Id> {
    let mut query = t.prepare("SELECT 1 FROM listing_media_jobs WHERE listing_id = ?1 AND job_id = ?2")?;
    let mut number = wish;
    while query.exists(params![listing, number.to_string()])? {
        number += 1;
    }
    Ok(Id::Number(number))
}

/// Enters what a callback reports into the three tables. A batch that did not come in through here (an execution started
/// by hand) gets its rows now.
fn enter(t: &Transaction<'_>, callback: &CallbackBody) -> Result<()> {
    let Some(listing) = callback.listing().map(Id::to_string) else { return Ok(()) };
    let job = callback.job_id.clone().unwrap_or_else(|| Id::Text(callback.execution_arn.clone()));
    let known: Option<(i64, i64)> = t
        .query_row(
            "SELECT id, batch FROM listing_media_jobs WHERE listing_id = ?1 AND (execution_arn = ?2 OR job_id = ?3)
             ORDER BY execution_arn = ?2 DESC, retry DESC LIMIT 1",
            params![listing, callback.execution_arn, job.to_string()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let (job_row, batch_row) = match known {
        Some(known) => known,
        None => {
            t.execute(
                "INSERT INTO listing_media_batches (listing_id, batch_id, external_id, traceparent, status, received_at, updated_at)
                 VALUES (?1, ?2, ?3, ?4, 'RECEIVED', ?5, ?5)",
                params![
                    listing,
                    callback.batch_id.as_ref().map(Id::to_string),
                    callback.external_id,
                    callback.traceparent,
                    now()
                ],
            )?;
            let batch = t.last_insert_rowid();
            (insert_job(t, batch, &listing, &job, 0, "STARTED")?, batch)
        }
    };
    let status = name(callback.status);
    t.execute(
        "UPDATE listing_media_batches SET status = ?2, updated_at = ?3 WHERE id = ?1",
        params![batch_row, status, now()],
    )?;
    t.execute(
        "UPDATE listing_media_jobs SET status = ?2, execution_arn = ?3, started_at = ?4, finished_at = ?5,
             failure_reason = ?6, error = ?7, assets_zipped = ?8, zip_bundles = ?9, zip_size_bytes = ?10,
             unzipped_size_bytes = ?11
         WHERE id = ?1",
        params![
            job_row,
            status,
            callback.execution_arn,
            callback.started_at,
            now(),
            callback.failure_reason,
            callback.error.as_ref().and_then(|error| serde_json::to_string(error).ok()),
            saturate(callback.assets_zipped),
            serde_json::to_string(&callback.zip_bundles).unwrap_or_default(),
            saturate(callback.zip_size_bytes),
            saturate(callback.unzipped_size_bytes),
        ],
    )?;
    for output in &callback.outputs {
        let outputs = serde_json::to_string(&output.outputs).unwrap_or_else(|_| "{}".into());
        t.execute(
            "INSERT INTO listing_media_assets
                 (batch, raw_key, status, processed_key, thumbnail_key, outputs, error_code, error_message)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (batch, raw_key) DO UPDATE SET status = excluded.status, processed_key = excluded.processed_key,
                 thumbnail_key = excluded.thumbnail_key, outputs = excluded.outputs, error_code = excluded.error_code,
                 error_message = excluded.error_message",
            params![
                batch_row,
                output.raw_key,
                if output.error_code.is_some() { "FAILED" } else { "PROCESSED" },
                output.processed_key,
                output.thumbnail_key,
                outputs,
                output.error_code,
                output.error_message,
            ],
        )?;
    }
    Ok(())
}

fn saturate(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn name(status: CallbackStatus) -> String {
    match serde_json::to_value(status) {
        Ok(Value::String(name)) => name,
        _ => "FAILED".into(),
    }
}

/// A column as JSON; ids are numbers again where they were, and documents are documents.
fn json(column: &str, value: rusqlite::types::ValueRef<'_>) -> Value {
    use rusqlite::types::ValueRef;
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) | ValueRef::Blob(text) => {
            let text = String::from_utf8_lossy(text).into_owned();
            match column {
                "listing_id" | "batch_id" | "job_id" => {
                    serde_json::to_value(Id::from_text(&text)).unwrap_or(Value::String(text))
                }
                "outputs" | "zip_bundles" | "error" | "attributes" => {
                    serde_json::from_str(&text).unwrap_or(Value::String(text))
                }
                _ => Value::String(text),
            }
        }
    }
}
