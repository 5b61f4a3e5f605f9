//! What processes that were killed have left in the bucket. On AWS, a lifecycle rule deletes the same after some days.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use aws_sdk_s3::Client;

/// Prefixes of what belongs to executions, which live no longer than this process: nothing of it is needed at a start.
const OF_EXECUTIONS: [&str; 3] = ["pipeline/tickets/", "pipeline/tickets-submitted/", "pipeline/jobs/"];

/// Large documents of batches. They are kept for a while, because a dead letter may name one.
const DOCUMENTS: &str = "pipeline/documents/";

/// How long documents are kept.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// Deletes leftovers. No execution may run yet.
///
/// # Errors
/// If the bucket does not answer.
pub(super) async fn delete(s3: &Client, bucket: &str) -> Result<()> {
    for prefix in OF_EXECUTIONS {
        delete_below(s3, bucket, prefix, Duration::ZERO).await?;
    }
    delete_below(s3, bucket, DOCUMENTS, KEPT).await
}

async fn delete_below(s3: &Client, bucket: &str, prefix: &str, age: Duration) -> Result<()> {
    let oldest = SystemTime::now() - age;
    let failed = || format!("cannot delete what earlier runs left in {bucket}/{prefix}");
    let mut pages = s3.list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        for object in
            page.map_err(|error| error.into_service_error()).with_context(failed)?.contents.unwrap_or_default()
        {
            let modified = object.last_modified.and_then(|time| SystemTime::try_from(time).ok());
            if modified.is_some_and(|modified| age.is_zero() || modified < oldest) {
                keys.extend(object.key);
            }
        }
    }
    for key in &keys {
        let delete = s3.delete_object().bucket(bucket).key(key).send().await;
        delete.map_err(|error| error.into_service_error()).with_context(failed)?;
    }
    if !keys.is_empty() {
        tracing::info!(prefix, objects = keys.len(), "leftovers of earlier runs are deleted");
    }
    Ok(())
}
