//! Counts the tries on which a state has failed because of a transient failure of a file.
//!
//! A transient failure of a file fails the state on its first tries, so that Step Functions tries again; later it is
//! recorded on the file. `$$.State.RetryCount` cannot tell which try this is: it also counts calls that Lambda refused
//! because all reserved ones were in use, and calls in which the process died. In a burst the first call of a stage may
//! be the tenth try. So each failure of this kind is counted in a small document, which is written only then, and read
//! only if `RetryCount` is so high that it matters.
//!
//! The count is never above `RetryCount`, because an execution that is redriven counts from zero again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stagehost_storage::{Found, Storage, StorageError, Tag};

/// The longest wait for the store. Without an answer, `RetryCount` is used.
const ANSWER: Duration = Duration::from_secs(3);

/// How often a write is tried if another process was faster.
const ROUNDS: u32 = 3;

/// The document of one state of one execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredTries {
    /// For people only; the name of the document follows from both.
    execution: String,
    state: String,
    failed: u32,
}

/// The failed tries of all states. All processes of a function share the store.
pub(crate) struct FailedTries {
    /// Without a store, `RetryCount` is used.
    store: Option<Arc<dyn Storage>>,
}

impl FailedTries {
    pub(crate) fn new(store: Option<Arc<dyn Storage>>) -> Self {
        Self { store }
    }

    /// Returns how many earlier tries of this state have failed because of a transient failure of a file. Where fewer
    /// than `most` retries were made, that is `retry`, the `RetryCount` of Step Functions.
    pub(crate) async fn before(&self, execution: &str, state: &str, retry: u32, most: u32) -> u32 {
        let Some(store) = self.store.as_ref().filter(|_| retry >= most) else { return retry };
        match tokio::time::timeout(ANSWER, read(store.as_ref(), execution, state)).await {
            Ok(Ok((failed, _))) => failed.min(retry),
            Ok(Err(error)) => {
                tracing::warn!(execution, state, %error, "the failed tries cannot be read; RetryCount is used instead");
                retry
            }
            Err(_) => retry,
        }
    }

    /// Counts one more failed try. Waits for the store until `until` at the latest. An error is logged.
    pub(crate) async fn count(&self, execution: &str, state: &str, retry: u32, until: Option<Instant>) {
        let Some(store) = &self.store else { return };
        let work = async {
            for _ in 0..ROUNDS {
                let (failed, tag) = read(store.as_ref(), execution, state).await?;
                if write(store.as_ref(), execution, state, failed.min(retry) + 1, tag.as_ref()).await? {
                    break;
                }
            }
            Ok::<_, StorageError>(())
        };
        let wait = until.map_or(ANSWER, |until| until.saturating_duration_since(Instant::now()).min(ANSWER));
        match tokio::time::timeout(wait, work).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(execution, state, %error, "a failed try cannot be counted"),
            Err(_) => tracing::warn!(execution, state, "a failed try cannot be counted: the store does not answer"),
        }
    }
}

/// Returns the stored count and its version. An unreadable document counts as zero, and is replaced.
async fn read(store: &dyn Storage, execution: &str, state: &str) -> Result<(u32, Option<Tag>), StorageError> {
    Ok(match store.get(&name_of(execution, state), None).await? {
        Found::Found { bytes, tag } => {
            let document = serde_json::from_slice::<StoredTries>(&bytes);
            (document.map_or(0, |document| document.failed), Some(tag))
        }
        Found::Missing | Found::Unchanged => (0, None),
    })
}

/// Returns whether the count was written.
async fn write(
    store: &dyn Storage,
    execution: &str,
    state: &str,
    failed: u32,
    was: Option<&Tag>,
) -> Result<bool, StorageError> {
    let document = StoredTries { execution: execution.to_owned(), state: state.to_owned(), failed };
    // Texts and numbers always have a JSON form.
    let bytes = Bytes::from(serde_json::to_vec(&document).unwrap_or_default());
    let name = name_of(execution, state);
    let written = match was {
        Some(tag) => store.replace(&name, bytes, tag).await?,
        None => store.create(&name, bytes).await?,
    };
    Ok(written.is_some())
}

fn name_of(execution: &str, state: &str) -> String {
    format!("{}.json", blake3::hash(format!("{execution}\n{state}").as_bytes()).to_hex())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use stagehost_storage::Folder;

    use super::*;

    const EXECUTION: &str = "arn:aws:states:eu-west-1:1:execution:m:e";
    const MOST: u32 = 2;

    fn counted() -> (FailedTries, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (FailedTries::new(Some(Arc::new(Folder::new(folder.path())))), folder)
    }

    async fn before(faults: &FailedTries, state: &str, retry: u32) -> u32 {
        faults.before(EXECUTION, state, retry, MOST).await
    }

    #[tokio::test]
    async fn calls_that_were_refused_are_not_failed_tries() {
        let (faults, _folder) = counted();
        // Nine calls were refused before the first one reached the stage.
        assert_eq!(before(&faults, "GenerateThumbnails", 9).await, 0);
        faults.count(EXECUTION, "GenerateThumbnails", 9, None).await;
        assert_eq!(before(&faults, "GenerateThumbnails", 14).await, 1);
        faults.count(EXECUTION, "GenerateThumbnails", 14, None).await;
        assert_eq!(before(&faults, "GenerateThumbnails", 15).await, 2);
        assert_eq!(before(&faults, "ProcessVideos", 15).await, 0, "each state has its own");
    }

    #[tokio::test]
    async fn tries_without_a_refusal_are_counted_like_step_functions_counts_them() {
        let (faults, folder) = counted();
        for retry in 0..4 {
            assert_eq!(before(&faults, "GenerateThumbnails", retry).await, retry);
            faults.count(EXECUTION, "GenerateThumbnails", retry, None).await;
        }
        let documents = Folder::new(folder.path()).list("").await.unwrap();
        assert_eq!(documents.len(), 1, "{documents:?}");
    }

    #[tokio::test]
    async fn a_redriven_execution_begins_from_zero() {
        let (faults, _folder) = counted();
        for retry in 0..3 {
            faults.count(EXECUTION, "GenerateThumbnails", retry, None).await;
        }
        assert_eq!(before(&faults, "GenerateThumbnails", 0).await, 0);
        faults.count(EXECUTION, "GenerateThumbnails", 0, None).await;
        assert_eq!(before(&faults, "GenerateThumbnails", 5).await, 1);
    }

    #[tokio::test]
    async fn where_nothing_can_be_counted_step_functions_count_decides() {
        assert_eq!(before(&FailedTries::new(None), "GenerateThumbnails", 9).await, 9);
        let (broken, folder) = counted();
        // A folder in place of the document.
        std::fs::create_dir(folder.path().join(name_of(EXECUTION, "GenerateThumbnails"))).unwrap();
        broken.count(EXECUTION, "GenerateThumbnails", 9, None).await;
        assert_eq!(before(&broken, "GenerateThumbnails", 9).await, 9);
    }
}
