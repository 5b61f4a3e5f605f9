//! The callback's body, read as strictly as it is promised.
//!
//! The receiver is the reference for the backend: what it refuses, the pipeline must not send. A field of another type
//! (ids turned into strings, a `null` where a list is promised) was found in production before; here it fails the test.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stagehost_batch::Id;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The pipeline's report of a batch. Unknown fields are refused, and so is `null`: what is not known is left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct CallbackBody {
    pub execution_arn: String,
    /// RFC 3339.
    pub started_at: String,
    #[serde(default, deserialize_with = "present")]
    pub job_id: Option<Id>,
    /// This or `listing_identity_id`.
    #[serde(default, deserialize_with = "present")]
    pub listing_id: Option<Id>,
    #[serde(default, deserialize_with = "present")]
    pub listing_identity_id: Option<Id>,
    #[serde(default, deserialize_with = "present")]
    pub batch_id: Option<Id>,
    #[serde(default, deserialize_with = "present")]
    pub external_id: Option<String>,
    pub status: CallbackStatus,
    pub provider: Provider,
    #[serde(default, deserialize_with = "present")]
    pub traceparent: Option<String>,
    pub outputs: Vec<CallbackOutput>,
    /// Files in the largest bundle.
    pub assets_zipped: u64,
    /// Their keys.
    pub zip_bundles: Vec<String>,
    pub zip_size_bytes: u64,
    pub unzipped_size_bytes: u64,
    #[serde(default, deserialize_with = "present")]
    pub failure_reason: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub error: Option<CallbackError>,
}

/// A field that may be absent but not `null`.
fn present<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// How the batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum CallbackStatus {
    Succeeded,
    PartialSuccess,
    Failed,
    ValidationFailed,
    ProcessingFailed,
    TimedOut,
}

/// Who processed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum Provider {
    StepFunctions,
}

/// One asset, and what was made of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct CallbackOutput {
    pub raw_key: String,
    #[serde(default, deserialize_with = "present")]
    pub processed_key: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub thumbnail_key: Option<String>,
    /// Key by rendition.
    pub outputs: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "present")]
    pub error_code: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub error_message: Option<String>,
}

/// What failed the batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct CallbackError {
    pub code: String,
    pub message: String,
    pub details: Vec<CallbackDetail>,
}

/// One failure; without a key it is a whole state's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct CallbackDetail {
    #[serde(default, deserialize_with = "present")]
    pub key: Option<String>,
    pub code: String,
    pub message: String,
    pub state: String,
}

/// Why a body is not a callback.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// Not JSON, a field of another type, an unknown one, or one that is missing.
    #[error("the body is not a callback: {0}")]
    Shape(#[from] serde_json::Error),
    /// The fields contradict each other.
    #[error("the body is not a callback: {0}")]
    Rule(String),
}

impl CallbackBody {
    /// Reads a body.
    ///
    /// # Errors
    /// [`ContractError`], which names the field.
    pub fn read(body: &[u8]) -> Result<Self, ContractError> {
        let callback: Self = serde_json::from_slice(body)?;
        callback.check()?;
        Ok(callback)
    }

    /// The listing, in whichever field it came.
    pub fn listing(&self) -> Option<&Id> {
        self.listing_id.as_ref().or(self.listing_identity_id.as_ref())
    }

    fn check(&self) -> Result<(), ContractError> {
        let rule = |text: String| Err(ContractError::Rule(text));
        match (&self.listing_id, &self.listing_identity_id) {
            (None, None) => return rule("listingId or listingIdentityId is missing".into()),
            (Some(_), Some(_)) => return rule("only one of listingId and listingIdentityId may be there".into()),
            _ => {}
        }
        if OffsetDateTime::parse(&self.started_at, &Rfc3339).is_err() {
            return rule(format!("startedAt: {:?} is not a time of RFC 3339", self.started_at));
        }
        if self.zip_bundles.iter().any(String::is_empty) {
            return rule("zipBundles: a key is empty".into());
        }
        for output in &self.outputs {
            if output.raw_key.is_empty() {
                return rule("outputs: rawKey is empty".into());
            }
            // A video whose processed file is a picture: seen before.
            let ends = |key: &str, extensions: [&str; 2]| extensions.iter().any(|extension| key.ends_with(extension));
            if ends(&output.raw_key, [".mp4", ".mov"])
                && output.processed_key.as_ref().is_some_and(|key| ends(key, [".jpg", ".jpeg"]))
            {
                return rule(format!("outputs: the processedKey of the video {} is a picture", output.raw_key));
            }
        }
        let failed = self.outputs.iter().any(|output| output.error_code.is_some());
        if failed && self.status == CallbackStatus::Succeeded {
            return rule("status is SUCCEEDED although an output has an errorCode".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;

    fn body() -> Value {
        json!({
            "executionArn": "arn:aws:states:us-east-1:000000000000:execution:m:e",
            "startedAt": "2026-01-02T03:04:05.678Z",
            "jobId": 4, "listingId": 51, "batchId": "b-5", "status": "PARTIAL_SUCCESS", "provider": "STEP_FUNCTIONS",
            "outputs": [
                {"rawKey": "51/raw/photo/vertical/a.jpg", "thumbnailKey": "51/thumb/photo/vertical/a_320x240.jpg",
                 "outputs": {"320x240": "51/thumb/photo/vertical/a_320x240.jpg"}},
                {"rawKey": "51/raw/photo/vertical/b.jpg", "outputs": {}, "errorCode": "Stage.Corrupt", "errorMessage": "no image"},
            ],
            "zipBundles": ["51/zip/complete.zip"], "assetsZipped": 1, "zipSizeBytes": 10, "unzippedSizeBytes": 12,
        })
    }

    fn read(body: &Value) -> Result<CallbackBody, ContractError> {
        CallbackBody::read(body.to_string().as_bytes())
    }

    #[test]
    fn ids_keep_their_types() {
        let callback = read(&body()).unwrap();
        assert_eq!((callback.job_id, callback.batch_id), (Some(Id::Number(4)), Some(Id::Text("b-5".into()))));
    }

    #[test]
    fn what_the_contract_does_not_promise_is_refused_by_name() {
        for (field, value, named) in [
            ("surprise", json!(1), "surprise"),
            ("status", json!("OK"), "OK"),
            ("provider", json!("LAMBDA"), "LAMBDA"),
            ("outputs", json!(null), "null"),
            ("outputs", json!([{"rawKey": "a", "outputs": {}, "size": 1}]), "size"),
            ("outputs", json!([{"rawKey": "a"}]), "outputs"),
            ("outputs", json!([{"rawKey": "a.mp4", "outputs": {}, "processedKey": "a.jpg"}]), "picture"),
            ("batchId", json!(null), "Id"),
            ("startedAt", json!("yesterday"), "startedAt"),
            ("zipSizeBytes", json!("10"), "10"),
            ("zipBundles", json!([""]), "zipBundles"),
            ("zipBundles", json!([{"key": "k"}]), "string"),
            ("listingIdentityId", json!(51), "only one"),
            ("status", json!("SUCCEEDED"), "errorCode"),
            ("error", json!({"code": "X"}), "message"),
        ] {
            let mut body = body();
            body[field] = value;
            let error = read(&body).unwrap_err().to_string();
            assert!(error.contains(named), "{field}: {error}");
        }
        let mut nowhere = body();
        nowhere.as_object_mut().unwrap().remove("listingId");
        assert!(read(&nowhere).unwrap_err().to_string().contains("listingId"));
    }

    proptest::proptest! {
        #[test]
        fn no_body_panics(body in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = CallbackBody::read(&body);
        }
    }
}
