//! Batches that a person uploads in the browser.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use stagehost_console::{BatchIntake, ExecutionSource, SourceError};
use stagehost_local::Receiver;

use crate::local::media_areas::media_segment;

/// Posts batches to the receiver beside the services, as the backend's clients do.
pub struct PostedBatches(pub Receiver);

#[async_trait]
impl BatchIntake for PostedBatches {
    fn area(&self, file: &Path, name: &str) -> &'static str {
        media_segment(file, Path::new(name))
    }

    async fn start(&self, listing: &str, document: &Value) -> Result<String, SourceError> {
        self.0.post_batch(listing, document).await.map_err(SourceError::Refused)
    }
}

/// Starts executions by Step Functions, as the queue's consumer does.
pub struct StartedBatches(pub Arc<dyn ExecutionSource>);

#[async_trait]
impl BatchIntake for StartedBatches {
    fn area(&self, file: &Path, name: &str) -> &'static str {
        media_segment(file, Path::new(name))
    }

    async fn start(&self, _: &str, document: &Value) -> Result<String, SourceError> {
        let batch = stagehost_batch::parse(document).map_err(|error| SourceError::Refused(error.to_string()))?;
        self.0.start(&batch.execution_name(), document).await
    }
}
