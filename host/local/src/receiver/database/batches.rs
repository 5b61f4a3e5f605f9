//! Posted batches and their jobs.

use rusqlite::{OptionalExtension as _, Result, Transaction, params};
use stagehost_batch::{Batch, Id};

use super::values::now;

/// A stored job.
pub(crate) struct Accepted {
    pub(crate) job_id: Id,
    pub(crate) batch_id: Option<Id>,
    pub(crate) status: String,
    pub(crate) execution_arn: Option<String>,
    /// The job was stored before.
    pub(crate) duplicate: bool,
}

/// Stores a batch, its assets and its job.
pub(super) fn add(t: &Transaction<'_>, batch: &Batch, body: &str) -> Result<Accepted> {
    let listing = batch.listing.id.to_string();
    if let Some(job) = &batch.job_id {
        let stored = t
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
                        duplicate: true,
                    })
                },
            )
            .optional()?;
        if let Some(stored) = stored {
            return Ok(stored);
        }
    }
    let row = insert_batch(t, &listing, batch, body)?;
    // The backend gives an id to a batch without one.
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
    Ok(Accepted { job_id, batch_id: Some(batch_id), status: "RECEIVED".into(), execution_arn: None, duplicate: false })
}

/// Stores whether the execution of a job was started.
pub(super) fn set_started(
    t: &Transaction<'_>,
    listing: &str,
    job: &Id,
    retry: u32,
    outcome: std::result::Result<&str, &str>,
) -> Result<()> {
    let (status, arn, reason) = match outcome {
        Ok(arn) => ("STARTED", Some(arn), None),
        Err(reason) => ("START_FAILED", None, Some(reason)),
    };
    // The callback may have been stored before.
    t.execute(
        "UPDATE listing_media_jobs
                 SET status = ?4, execution_arn = coalesce(?5, execution_arn), failure_reason = ?6, finished_at = NULL
                 WHERE listing_id = ?1 AND job_id = ?2 AND retry = ?3 AND (finished_at IS NULL OR status = 'ABORTED')",
        params![listing, job.to_string(), retry, status, arn, reason],
    )?;
    Ok(())
}

/// Marks all running jobs as aborted. Returns how many there were.
pub(super) fn abort_running(t: &Transaction<'_>) -> Result<usize> {
    t.execute(
        "UPDATE listing_media_jobs SET status = 'ABORTED', finished_at = ?1,
             failure_reason = 'the local services were stopped while the job ran; post it again'
         WHERE status = 'STARTED' AND finished_at IS NULL",
        params![now()],
    )
}

fn insert_batch(t: &Transaction<'_>, listing: &str, batch: &Batch, body: &str) -> Result<i64> {
    t.execute(
        "INSERT INTO listing_media_batches (listing_id, batch_id, external_id, traceparent, status, body, received_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
        params![
            listing,
            batch.batch_id.as_ref().map(Id::to_string),
            batch.external_id,
            batch.traceparent,
            "RECEIVED",
            body,
            now()
        ],
    )?;
    Ok(t.last_insert_rowid())
}

/// Stores a job and returns its row.
pub(super) fn insert_job(
    t: &Transaction<'_>,
    batch: i64,
    listing: &str,
    job: &Id,
    retry: u32,
    status: &str,
) -> Result<i64> {
    t.execute(
        "INSERT INTO listing_media_jobs (batch, listing_id, job_id, retry, status, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![batch, listing, job.to_string(), retry, status, now()],
    )?;
    Ok(t.last_insert_rowid())
}

/// Returns the first number from `first` on that no job of the listing has.
fn free_job_id(t: &Transaction<'_>, listing: &str, first: u64) -> Result<Id> {
    let mut query = t.prepare("SELECT 1 FROM listing_media_jobs WHERE listing_id = ?1 AND job_id = ?2")?;
    let mut number = first;
    while query.exists(params![listing, number.to_string()])? {
        number += 1;
    }
    Ok(Id::Number(number))
}
