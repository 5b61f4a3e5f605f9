//! What the receiver of this machine has stored: callbacks and dead letters.

use async_trait::async_trait;
use serde_json::Value;
use stagehost_console::{CallbackJournal, DeadLetter, DeadLetterQueue, SeenCallback, SeenLetters, SourceError};
use stagehost_local::Receiver;

/// The receiver beside the services.
pub struct StoredByReceiver(pub Receiver);

fn failed(error: impl std::fmt::Display) -> SourceError {
    SourceError::Failed(error.to_string())
}

/// Returns a text; anything else as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[async_trait]
impl CallbackJournal for StoredByReceiver {
    async fn callbacks(&self, execution_arn: &str, listing: Option<&str>) -> Result<Vec<SeenCallback>, SourceError> {
        let rows = self.0.stored_callbacks(listing).await.map_err(failed)?;
        let of_execution = |row: &&Value| {
            let body: Value = serde_json::from_str(row["body"].as_str().unwrap_or_default()).unwrap_or_default();
            body["executionArn"] == *execution_arn
        };
        let seen = rows.iter().filter(of_execution).map(|row| SeenCallback {
            at: text(&row["received_at"]),
            headers: row["headers"].as_object().into_iter().flatten().map(|(k, v)| (k.clone(), text(v))).collect(),
            body: text(&row["body"]),
        });
        // The newest row is the first.
        Ok(seen.rev().collect())
    }
}

#[async_trait]
impl DeadLetterQueue for StoredByReceiver {
    async fn letters(&self, most: usize) -> Result<SeenLetters, SourceError> {
        let rows = self.0.dead_letters().await.map_err(failed)?;
        let letter = |row: &Value| DeadLetter {
            id: text(&row["message_id"]),
            at: Some(text(&row["received_at"])),
            body: text(&row["body"]),
        };
        Ok(SeenLetters { letters: rows.iter().take(most).map(letter).collect(), more: rows.len() > most })
    }
}
