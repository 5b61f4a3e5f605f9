//! Batch documents that are too large for Step Functions go through the bucket.
//!
//! A state's input and output may have 256 KiB (AWS Step Functions Developer Guide, "Service quotas"). A batch of many
//! files with many renditions is larger. Such a document is written to the bucket under its own SHA-256, and what travels
//! is its head, without the lists, and the digest:
//!
//! ```json
//! {"listingId": 51, "counts": {"valid": 60, …}, …, "spilled": {"sha256": "9f…", "bytes": 412345}}
//! ```
//!
//! So Choice states can count on `counts`, a Catch can add its `error` beside it, and nobody can have the host read
//! another object: the key follows from the digest, and the bytes must match it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use stagehost_batch::{Batch, Case, Failure};

use crate::objects::bucket::Store;

/// Larger documents are spilled, in bytes of JSON. Behind a Parallel state there are two of them in one payload, with the
/// envelope and the service's own fields around them, and one must still be able to name an error beside them.
const SPILL_ABOVE: usize = 100 * 1024;

const SPILLED: &str = "spilled";
/// What the head leaves out: everything whose length depends on the number of files.
const LISTS: [&str; 3] = ["assets", "bundles", "problems"];

/// Where the rest of a document is.
#[derive(Serialize, Deserialize)]
struct Spilled {
    /// Lower-case hexadecimal.
    sha256: String,
    bytes: u64,
}

/// The bucket as a place for documents.
#[derive(Clone)]
pub struct Documents {
    store: Store,
}

impl Documents {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }

    /// The document as it goes back to Step Functions: itself, or its head if it is too large.
    ///
    /// # Errors
    /// `Transient` when the bucket does not answer.
    pub async fn pack(&self, batch: &Batch) -> Result<Value, Failure> {
        let internal = |error: serde_json::Error| Failure::new(Case::Internal, format!("writing the batch: {error}"));
        let text = serde_json::to_vec(batch).map_err(internal)?;
        let mut document = serde_json::to_value(batch).map_err(internal)?;
        if text.len() <= SPILL_ABOVE {
            return Ok(document);
        }
        let spilled = Spilled { sha256: hex::encode(Sha256::digest(&text)), bytes: text.len() as u64 };
        self.store.put_bytes(&key(&spilled.sha256), "application/json", text.into()).await?;
        if let Some(head) = document.as_object_mut() {
            for list in LISTS {
                head.remove(list);
            }
            head.insert(SPILLED.to_owned(), serde_json::to_value(spilled).map_err(internal)?);
        }
        Ok(document)
    }

    /// The document, or several of them in a list or in `branches`, with every head made whole again. Anything else is
    /// given back as it is, for its reader to judge.
    ///
    /// # Errors
    /// `InvalidInput` when what a head names is not there or not what it says; `Transient` when the bucket does not
    /// answer.
    pub async fn unpack(&self, value: Value) -> Result<Value, Failure> {
        match value {
            Value::Array(branches) => Ok(Value::Array(self.unpack_all(branches).await?)),
            Value::Object(mut fields) => {
                if let Some(Value::Array(branches)) = fields.get_mut("branches") {
                    *branches = self.unpack_all(std::mem::take(branches)).await?;
                    return Ok(Value::Object(fields));
                }
                self.unpack_one(fields).await.map(Value::Object)
            }
            other => Ok(other),
        }
    }

    async fn unpack_all(&self, branches: Vec<Value>) -> Result<Vec<Value>, Failure> {
        let mut whole = Vec::with_capacity(branches.len());
        for branch in branches {
            whole.push(match branch {
                Value::Object(fields) => Value::Object(self.unpack_one(fields).await?),
                other => other,
            });
        }
        Ok(whole)
    }

    async fn unpack_one(&self, mut head: Map<String, Value>) -> Result<Map<String, Value>, Failure> {
        let Some(spilled) = head.remove(SPILLED) else { return Ok(head) };
        let invalid = |why: String| Failure::new(Case::InvalidInput, format!("the spilled batch document {why}"));
        let spilled: Spilled = serde_json::from_value(spilled).map_err(|e| invalid(format!("is not named: {e}")))?;
        let sha256 = spilled.sha256;
        if sha256.len() != 64 || !sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(invalid("is named by something that is no SHA-256".to_owned()));
        }
        let key = key(&sha256);
        let bytes =
            self.store.get_bytes(&key).await?.ok_or_else(|| {
                invalid(format!("{key} is not there; was the execution older than the lifecycle rule?"))
            })?;
        if hex::encode(Sha256::digest(&bytes)) != sha256 {
            return Err(invalid(format!("{key} has other bytes than its name says")));
        }
        let mut whole: Map<String, Value> =
            serde_json::from_slice(&bytes).map_err(|e| invalid(format!("{key} is none: {e}")))?;
        // What states added beside the head, such as a Catch its `error`.
        for (name, value) in head {
            whole.entry(name).or_insert(value);
        }
        Ok(whole)
    }
}

fn key(sha256: &str) -> String {
    format!("pipeline/documents/{sha256}.json")
}
