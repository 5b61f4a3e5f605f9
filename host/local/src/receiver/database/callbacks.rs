//! Callbacks and the results that they report.

use rusqlite::{OptionalExtension as _, Result, Transaction, params};
use serde_json::Value;
use stagehost_batch::Id;

use super::batches::insert_job;
use super::values::now;
use crate::receiver::contract::{CallbackBody, CallbackStatus};

/// Stores a callback and its results. Returns `false` and changes nothing if the id is known.
pub(super) fn add(
    t: &Transaction<'_>,
    webhook_id: &str,
    trace: Option<&str>,
    headers: &Value,
    raw: &str,
    callback: &CallbackBody,
) -> Result<bool> {
    let listing = callback.listing().map(Id::to_string);
    let new = t.execute(
        "INSERT OR IGNORE INTO callbacks (webhook_id, traceparent, headers, listing_id, body, received_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![webhook_id, trace, headers.to_string(), listing, raw, now()],
    )?;
    if new == 1 {
        add_results(t, callback)?;
    }
    Ok(new == 1)
}

/// Stores the results of a callback in the three tables. A batch that was not posted to the receiver (an execution that
/// a person started) gets new rows.
fn add_results(t: &Transaction<'_>, callback: &CallbackBody) -> Result<()> {
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
    let status = status_name(callback.status);
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

fn status_name(status: CallbackStatus) -> String {
    match serde_json::to_value(status) {
        Ok(Value::String(name)) => name,
        _ => "FAILED".into(),
    }
}
