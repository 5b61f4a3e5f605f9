//! The body of a callback, parsed strictly by the contract.
//!
//! The receiver is the reference for the backend: the pipeline must not send anything that it refuses. Wrong types (ids
//! as strings, `null` in the place of a list) occurred in production before; here they fail a test.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stagehost_batch::{Id, KeyParts, attribute_fault};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The pipeline's report of a batch. Unknown fields and `null` are refused: unknown values are left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct CallbackBody {
    pub execution_arn: String,
    /// RFC 3339.
    pub started_at: String,
    #[serde(default, deserialize_with = "present")]
    pub job_id: Option<Id>,
    /// Either this or `listing_identity_id`.
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
    /// The number of files in the largest bundle.
    pub assets_zipped: u64,
    /// The keys of the bundles.
    pub zip_bundles: Vec<String>,
    pub zip_size_bytes: u64,
    pub unzipped_size_bytes: u64,
    /// The keys of the files made from the batch as a whole, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// What stages found out about the batch as a whole.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "present")]
    pub failure_reason: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub error: Option<CallbackError>,
}

/// Reads a field that may be absent but not `null`.
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

/// What processed the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum Provider {
    StepFunctions,
}

/// One asset and its outputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct CallbackOutput {
    pub raw_key: String,
    #[serde(default, deserialize_with = "present")]
    pub processed_key: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub thumbnail_key: Option<String>,
    /// The key of each rendition.
    pub outputs: BTreeMap<String, String>,
    /// What stages found out about the file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "present")]
    pub error_code: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub error_message: Option<String>,
}

/// Why the batch failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct CallbackError {
    pub code: String,
    pub message: String,
    pub details: Vec<CallbackDetail>,
}

/// One failure: of an asset, or of a whole state if there is no key.
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

    /// Returns the listing, in whichever field it came.
    pub fn listing(&self) -> Option<&Id> {
        self.listing_id.as_ref().or(self.listing_identity_id.as_ref())
    }

    /// Checks the rules that the types do not express. `callback.schema.json` has the same rules; a test compares them.
    fn check(&self) -> Result<(), ContractError> {
        let rule = |text: String| Err(ContractError::Rule(text));
        match (&self.listing_id, &self.listing_identity_id) {
            (None, None) => return rule("listingId or listingIdentityId is missing".into()),
            (Some(_), Some(_)) => return rule("only one of listingId and listingIdentityId is allowed".into()),
            _ => {}
        }
        let ids = [&self.job_id, &self.listing_id, &self.listing_identity_id, &self.batch_id];
        if ids.into_iter().flatten().any(|id| matches!(id, Id::Text(text) if text.is_empty())) {
            return rule("an id is empty".into());
        }
        if self.execution_arn.is_empty() {
            return rule("executionArn is empty".into());
        }
        if OffsetDateTime::parse(&self.started_at, &Rfc3339).is_err() {
            return rule(format!("startedAt: {:?} is not an RFC 3339 time", self.started_at));
        }
        if self.traceparent.as_ref().is_some_and(|text| !is_traceparent(text)) {
            return rule("traceparent is not a W3C trace context".into());
        }
        if self.zip_bundles.iter().any(String::is_empty) {
            return rule("zipBundles: a key is empty".into());
        }
        if self.files.values().any(String::is_empty) {
            return rule("files: a key is empty".into());
        }
        check_attributes(&self.attributes)?;
        let details = self.error.iter().flat_map(|error| &error.details);
        if details.filter_map(|detail| detail.key.as_ref()).any(String::is_empty) {
            return rule("error.details: a key is empty".into());
        }
        if self.status == CallbackStatus::Succeeded && (self.error.is_some() || self.failure_reason.is_some()) {
            return rule("status is SUCCEEDED, but error or failureReason is set".into());
        }
        self.outputs.iter().try_for_each(|output| output.check(self.status))
    }
}

impl CallbackOutput {
    fn check(&self, status: CallbackStatus) -> Result<(), ContractError> {
        let rule = |text: String| Err(ContractError::Rule(format!("outputs: {text}")));
        let keys = [Some(&self.raw_key), self.processed_key.as_ref(), self.thumbnail_key.as_ref()];
        if keys.into_iter().flatten().chain(self.outputs.values()).any(String::is_empty) {
            return rule(format!("a key of {:?} is empty", self.raw_key));
        }
        check_attributes(&self.attributes)?;
        if self.error_code.is_some() != self.error_message.is_some() {
            return rule(format!("{}: errorCode and errorMessage must be set together", self.raw_key));
        }
        if self.error_code.is_some() && status == CallbackStatus::Succeeded {
            return rule(format!("{} has an errorCode, but status is SUCCEEDED", self.raw_key));
        }
        // A processed video that is a picture occurred in production. A schema cannot express this rule.
        // What a file is follows from its folder: the extension of an upload says little.
        let film = KeyParts::parse(&self.raw_key).is_ok_and(|parts| parts.media_type.is_video());
        let picture = |key: &String| [".jpg", ".jpeg", ".webp", ".png"].iter().any(|end| key.ends_with(end));
        if film && self.processed_key.as_ref().is_some_and(picture) {
            return rule(format!("the processedKey of the video {} is a picture", self.raw_key));
        }
        Ok(())
    }
}

fn check_attributes(attributes: &BTreeMap<String, String>) -> Result<(), ContractError> {
    let fault = attributes.iter().find_map(|(name, value)| Some((name, attribute_fault(name, value)?)));
    match fault {
        Some((name, fault)) => Err(ContractError::Rule(format!("attributes: {name:?}: {fault}"))),
        None => Ok(()),
    }
}

/// Returns whether a text is a W3C trace context: `00-`, 32 digits, `-`, 16 digits, `-`, 2 digits, hexadecimal in lower
/// case. Later versions may append fields.
fn is_traceparent(text: &str) -> bool {
    let mut parts = text.split('-');
    [2, 32, 16, 2].into_iter().enumerate().all(|(index, length)| {
        parts.next().is_some_and(|part| {
            // Later versions may append to the last field.
            let field = if index == 3 { part.get(..2).unwrap_or(part) } else { part };
            field.len() == length && field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    })
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
    fn what_stages_found_out_and_files_of_the_batch_arrive() {
        let mut body = body();
        body["files"] = json!({"contact-sheet": "51/processed/sheet.jpg"});
        body["attributes"] = json!({"rooms": "4"});
        body["outputs"][0]["attributes"] = json!({"thumbhash": "1QcSHQRnh493V4dIh4eXh1h4kJUI"});
        let callback = read(&body).unwrap();
        assert_eq!(serde_json::to_value(&callback.outputs[0].attributes).unwrap(), body["outputs"][0]["attributes"]);
        assert_eq!((callback.files.len(), callback.attributes["rooms"].as_str()), (1, "4"));
        body["attributes"] = json!({"number of rooms": "4"});
        assert!(read(&body).unwrap_err().to_string().contains("number of rooms"));
    }

    #[test]
    fn a_photo_whose_name_ends_like_that_of_a_film_has_pictures() {
        for name in ["a.mp4", "a.MOV", "a.mov"] {
            let mut body = body();
            body["outputs"][0] = json!({
                "rawKey": format!("51/raw/photo/horizontal/{name}"), "processedKey": "51/thumb/photo/horizontal/a_1280x960.jpg",
                "outputs": {"1280x960": "51/thumb/photo/horizontal/a_1280x960.jpg"},
            });
            read(&body).unwrap();
        }
    }

    #[test]
    fn a_field_outside_of_the_contract_is_refused_by_name() {
        for (field, value, named) in [
            ("surprise", json!(1), "surprise"),
            ("status", json!("OK"), "OK"),
            ("provider", json!("LAMBDA"), "LAMBDA"),
            ("outputs", json!(null), "null"),
            ("outputs", json!([{"rawKey": "a", "outputs": {}, "size": 1}]), "size"),
            ("outputs", json!([{"rawKey": "a"}]), "outputs"),
            (
                "outputs",
                json!([{"rawKey": "51/raw/video/vertical/a.mov", "outputs": {}, "processedKey": "a.webp"}]),
                "picture",
            ),
            (
                "outputs",
                json!([{"rawKey": "51/raw/video/vertical/a", "outputs": {}, "processedKey": "a.jpg"}]),
                "picture",
            ),
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
        // These fields are required.
        for field in ["executionArn", "startedAt", "status", "provider", "outputs", "assetsZipped", "zipBundles"] {
            let mut body = body();
            body.as_object_mut().unwrap().remove(field);
            assert!(read(&body).unwrap_err().to_string().contains(field), "{field}");
        }
        let mut nowhere = body();
        nowhere.as_object_mut().unwrap().remove("listingId");
        assert!(read(&nowhere).unwrap_err().to_string().contains("listingId"));
    }

    #[test]
    fn the_receiver_and_the_schema_agree() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let schema = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        let agree = |body: &Value| {
            let (ours, theirs) = (read(body), schema.is_valid(body));
            assert_eq!(ours.is_ok(), theirs, "{body}: {ours:?}");
            theirs
        };
        assert!(agree(&body()));
        let values = [
            json!(null),
            json!(""),
            json!("x"),
            json!(0),
            json!(-1),
            json!(1.5),
            json!([]),
            json!({}),
            json!([""]),
            json!([{}]),
            json!("SUCCEEDED"),
            json!("FAILED"),
            json!("STEP_FUNCTIONS"),
            json!("2026-01-02T03:04:05Z"),
            json!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            json!({"code": "C", "message": "m", "details": [{"code": "C", "message": "m", "state": "S"}]}),
            json!({"code": "C", "message": "m", "details": [{"code": "C", "message": "m"}]}),
            json!({"a": "k"}),
            json!({"a": ""}),
            json!({"a b": "k"}),
            json!({"a": "x".repeat(1025)}),
        ];
        let names = [
            "executionArn",
            "startedAt",
            "jobId",
            "listingId",
            "listingIdentityId",
            "batchId",
            "externalId",
            "status",
            "provider",
            "traceparent",
            "outputs",
            "assetsZipped",
            "zipBundles",
            "zipSizeBytes",
            "unzippedSizeBytes",
            "files",
            "attributes",
            "failureReason",
            "error",
            "unknown",
        ];
        let mut valid = 0;
        for name in names {
            let mut without = body();
            without.as_object_mut().unwrap().remove(name);
            valid += u32::from(agree(&without));
            for value in &values {
                let mut with = body();
                with[name] = value.clone();
                valid += u32::from(agree(&with));
            }
        }
        let of_outputs =
            ["rawKey", "processedKey", "thumbnailKey", "outputs", "attributes", "errorCode", "errorMessage", "unknown"];
        for name in of_outputs {
            for (index, value) in (0..2).flat_map(|index| values.iter().map(move |value| (index, value))) {
                let mut with = body();
                with["outputs"][index][name] = value.clone();
                valid += u32::from(agree(&with));
            }
        }
        assert!(valid > 50, "some documents are valid: {valid}");
    }

    const SCHEMA: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../statemachine/schemas/callback.schema.json"));

    proptest::proptest! {
        #[test]
        fn no_body_panics(body in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = CallbackBody::read(&body);
        }
    }
}
