//! Deletes what a run has made.

use std::time::SystemTime;

use anyhow::{Context as _, Result, ensure};
use aws_sdk_s3::types::ObjectVersion;
use stagehost_storage::sdk_reason;

use super::deployed::Deployed;

/// Where the host notes the outputs of transcoded films. Each receipt names its film.
const RECEIPTS: &str = "pipeline/receipts/";

/// The largest receipt, in bytes.
const LARGEST_RECEIPT: i64 = 64 << 10;

impl Deployed {
    /// Stops those of this run's executions that still run; returns how many. For a run that was interrupted.
    pub async fn stop_all(&self) -> Result<usize> {
        let (mut stopped, mut token) = (0, None);
        loop {
            let page = self.states.list_executions().state_machine_arn(&self.stack.machine);
            let page = page.status_filter("RUNNING".into()).set_next_token(token).send().await;
            let page = page.map_err(|error| anyhow::anyhow!("ListExecutions: {}", sdk_reason(&error)))?;
            for execution in page.executions() {
                let own = |listing| execution.name().starts_with(&format!("listing-{listing}_"));
                if self.listings().any(own) {
                    self.stop(execution.execution_arn()).await?;
                    stopped += 1;
                }
            }
            token = page.next_token;
            if token.is_none() {
                return Ok(stopped);
            }
        }
    }

    /// Deletes all versions of all objects of this run's listings, and the receipts of its films. Returns how many there were, and
    /// fails if any is still there.
    pub async fn clean_up(&self) -> Result<usize> {
        let mut deleted = 0;
        for listing in self.listings() {
            let prefix = format!("{listing}/");
            for (key, version) in self.versions(&prefix, None).await? {
                ensure!(key.starts_with(&prefix), "{key} is not of this run");
                self.delete(&key, version).await?;
                deleted += 1;
            }
            let left = self.versions(&prefix, None).await?;
            ensure!(left.is_empty(), "{} versions below {prefix} are still there", left.len());
        }
        for (key, version) in self.versions(RECEIPTS, Some(self.begun)).await? {
            if self.is_of_this_run(&key, version.as_deref()).await? {
                self.delete(&key, version).await?;
                deleted += 1;
            }
        }
        Ok(deleted)
    }

    /// Returns keys and versions below a prefix, with the markers of deleted ones; only those since a time, if there is one.
    async fn versions(&self, prefix: &str, since: Option<SystemTime>) -> Result<Vec<(String, Option<String>)>> {
        let is_new = |version: &ObjectVersion| {
            let changed = version.last_modified().and_then(|time| SystemTime::try_from(*time).ok());
            // S3 tells whole seconds.
            since.is_none_or(|since| changed.is_none_or(|changed| changed + std::time::Duration::from_secs(2) >= since))
        };
        let (mut found, mut next): (Vec<(String, Option<String>)>, _) = (Vec::new(), (None, None));
        loop {
            let listed = self.s3.list_object_versions().bucket(&self.stack.bucket).prefix(prefix);
            let listed = listed.set_key_marker(next.0).set_version_id_marker(next.1).send().await;
            let listed = listed.map_err(|error| anyhow::anyhow!("listing {prefix}: {}", sdk_reason(&error)))?;
            let versions = listed.versions().iter().filter(|version| is_new(version));
            let versions = versions.map(|version| (version.key(), version.version_id()));
            let markers = listed.delete_markers().iter().filter(|_| since.is_none());
            let markers = markers.map(|marker| (marker.key(), marker.version_id()));
            let named = versions.chain(markers);
            found.extend(named.filter_map(|(key, version)| Some((key?.to_owned(), version.map(str::to_owned)))));
            next = (listed.next_key_marker, listed.next_version_id_marker);
            if listed.is_truncated != Some(true) || next.0.is_none() {
                return Ok(found);
            }
        }
    }

    async fn delete(&self, key: &str, version: Option<String>) -> Result<()> {
        let delete = self.s3.delete_object().bucket(&self.stack.bucket).key(key).set_version_id(version);
        delete.send().await.map_err(|error| anyhow::anyhow!("deleting {key}: {}", sdk_reason(&error)))?;
        Ok(())
    }

    /// Returns whether a receipt names a film of this run.
    async fn is_of_this_run(&self, receipt: &str, version: Option<&str>) -> Result<bool> {
        let get =
            self.s3.get_object().bucket(&self.stack.bucket).key(receipt).set_version_id(version.map(str::to_owned));
        let got = get.send().await;
        let got = got.map_err(|error| anyhow::anyhow!("reading {receipt}: {}", sdk_reason(&error)))?;
        if got.content_length().is_none_or(|bytes| bytes > LARGEST_RECEIPT) {
            return Ok(false);
        }
        let bytes = got.body.collect().await.with_context(|| format!("reading {receipt}"))?.into_bytes();
        let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let source = document["source"].as_str().unwrap_or_default();
        Ok(self.listings().any(|listing| source.starts_with(&format!("{listing}/"))))
    }
}
