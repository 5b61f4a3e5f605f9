//! Keeps batch documents that are too large for Step Functions in the bucket.
//!
//! A state's input and output may have 256 KiB (AWS Step Functions Developer Guide, "Service quotas"). A batch of many
//! files with many renditions is larger. Such a document is written to the bucket under its SHA-256, and only its head
//! goes through Step Functions: the document without its lists, with the digest:
//!
//! ```json
//! {"listingId": 51, "counts": {"valid": 60, …}, …, "spilled": {"sha256": "9f…", "bytes": 412345}}
//! ```
//!
//! Choice states find `counts` in the head, and a Catch can add its `error` to it. A head cannot make the host read
//! another object: the key is derived from the digest, and the bytes must match it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use stagehost_batch::{Batch, Case, Failure};

use crate::objects::bucket::MediaBucket;
use crate::objects::in_memory;

/// The largest document that goes through Step Functions itself, in bytes of JSON. After a Parallel state, one payload
/// has two documents, the envelope and the service's own fields, and must have room for an error.
const MAX_INLINE: usize = 100 * 1024;

/// The field of a head that names the document in the bucket.
const SPILLED: &str = "spilled";
/// The fields that a head omits: those whose length depends on the number of files, or on what stages add.
const LISTS: [&str; 5] = ["assets", "attributes", "bundles", "files", "problems"];

/// Names a document in the bucket.
#[derive(Serialize, Deserialize)]
struct Spilled {
    /// Lower-case hexadecimal.
    sha256: String,
    bytes: u64,
}

/// The batch documents in the bucket.
#[derive(Clone)]
pub struct Documents {
    bucket: MediaBucket,
}

impl Documents {
    pub(crate) fn new(bucket: MediaBucket) -> Self {
        Self { bucket }
    }

    /// Returns the document for Step Functions: the batch itself, or its head if it is too large.
    ///
    /// # Errors
    /// `Transient` if the bucket does not answer.
    pub async fn pack(&self, batch: &Batch) -> Result<Value, Failure> {
        let internal = |error: serde_json::Error| Failure::new(Case::Internal, format!("writing the batch: {error}"));
        let text = serde_json::to_vec(batch).map_err(internal)?;
        let mut document = serde_json::to_value(batch).map_err(internal)?;
        if text.len() <= MAX_INLINE {
            return Ok(document);
        }
        let spilled = Spilled { sha256: hex::encode(Sha256::digest(&text)), bytes: text.len() as u64 };
        self.bucket.put(&key(&spilled.sha256), "application/json", text.into()).await?;
        if let Some(head) = document.as_object_mut() {
            for list in LISTS {
                head.remove(list);
            }
            head.insert(SPILLED.to_owned(), serde_json::to_value(spilled).map_err(internal)?);
        }
        Ok(document)
    }

    /// Returns `value` with every head replaced by its document. `value` may be one document or several, in a list or
    /// in `branches`. Anything else is returned unchanged.
    ///
    /// # Errors
    /// `InvalidInput` if the document of a head does not exist or has other bytes; `Transient` if the bucket does not
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
        let invalid = |why: String| Failure::new(Case::InvalidInput, why);
        let spilled: Spilled = serde_json::from_value(spilled)
            .map_err(|e| invalid(format!("the batch's field {SPILLED:?} is invalid: {e}")))?;
        let sha256 = spilled.sha256;
        if sha256.len() != 64 || !sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(invalid(format!("the batch's field {SPILLED:?} has no valid SHA-256")));
        }
        let key = key(&sha256);
        let bytes = in_memory::read(&self.bucket, &key).await?.ok_or_else(|| {
            invalid(format!(
                "the batch document {key} does not exist; if the bucket's lifecycle rule has deleted it, start a new \
                 execution"
            ))
        })?;
        if hex::encode(Sha256::digest(&bytes)) != sha256 {
            let message = format!("the batch document {key} does not match its digest; start a new execution");
            return Err(invalid(message));
        }
        let mut whole: Map<String, Value> = serde_json::from_slice(&bytes)
            .map_err(|e| invalid(format!("the batch document {key} is not a JSON object: {e}")))?;
        // Fields that states added to the head, such as the `error` of a Catch.
        for (name, value) in head {
            whole.entry(name).or_insert(value);
        }
        Ok(whole)
    }
}

fn key(sha256: &str) -> String {
    format!("pipeline/documents/{sha256}.json")
}
