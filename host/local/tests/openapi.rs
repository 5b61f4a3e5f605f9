//! `statemachine/openapi.yaml` is the contract with the backend's team, which the reference receiver implements. These
//! tests read the document and send its examples to the receiver.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use jsonschema::Validator;
use serde_json::{Map, Value, json};
use stagehost_local::receiver::{BatchStarter, Receiver, ReceiverOptions, WebhookSecret, router};
use time::OffsetDateTime;
use tower::ServiceExt as _;
use yaml_rust2::{Yaml, YamlLoader};

const CALLBACK: &str = "/internal/media-processing/callback";
const BATCH: &str = "/api/v1/listings/{id}/media/batch";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../statemachine")
}

/// Returns the document as JSON, with the schema files in the place of references to them.
fn openapi() -> Value {
    let text = std::fs::read_to_string(folder().join("openapi.yaml")).unwrap();
    let mut documents = YamlLoader::load_from_str(&text).unwrap();
    assert_eq!(documents.len(), 1);
    json_of(documents.remove(0))
}

fn json_of(yaml: Yaml) -> Value {
    match yaml {
        Yaml::Null => Value::Null,
        Yaml::Boolean(value) => value.into(),
        Yaml::Integer(number) => number.into(),
        Yaml::Real(text) => text.parse::<f64>().unwrap().into(),
        Yaml::String(text) => text.into(),
        Yaml::Array(items) => items.into_iter().map(json_of).collect(),
        Yaml::Hash(fields) => {
            let name = |yaml| match json_of(yaml) {
                Value::String(text) => text,
                other => other.to_string(),
            };
            let mut object: Map<_, _> = fields.into_iter().map(|(key, value)| (name(key), json_of(value))).collect();
            match object.get("$ref").and_then(Value::as_str) {
                Some(file) if !file.starts_with('#') => {
                    serde_json::from_slice(&std::fs::read(folder().join(file)).unwrap()).unwrap()
                }
                _ => Value::Object(std::mem::take(&mut object)),
            }
        }
        other => panic!("{other:?} has no place in this document"),
    }
}

/// Returns the validator of a schema in the document.
fn validator(openapi: &Value, schema: &Value) -> Validator {
    let mut schema = schema.clone();
    // References are relative to the whole document.
    schema.as_object_mut().unwrap().insert("components".into(), openapi["components"].clone());
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

fn body_schema<'a>(openapi: &'a Value, path: &str) -> &'a Value {
    &openapi["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
}

fn examples(openapi: &Value, path: &str) -> Vec<Value> {
    let content = &openapi["paths"][path]["post"]["requestBody"]["content"]["application/json"];
    content["examples"].as_object().unwrap().values().map(|example| example["value"].clone()).collect()
}

fn faults(validator: &Validator, body: &Value) -> Vec<String> {
    validator.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Starts every batch, or none.
struct Starter(bool);

#[async_trait::async_trait]
impl BatchStarter for Starter {
    async fn start(&self, _batch: Value) -> Result<String, String> {
        let arn = "arn:aws:states:us-east-1:000000000000:execution:m:e".to_owned();
        if self.0 { Ok(arn) } else { Err("nobody is there".into()) }
    }

    async fn exists(&self, _execution_arn: &str) -> bool {
        true
    }
}

const SECRET: &str = "s3cret";

fn receiver(starts: bool) -> Receiver {
    let receiver = Receiver::open(ReceiverOptions {
        database: None,
        secret: WebhookSecret::new(SECRET).unwrap(),
        trace_header: "traceparent".into(),
    })
    .unwrap();
    receiver.set_starter(Arc::new(Starter(starts)));
    receiver
}

async fn send(receiver: &Receiver, request: Request<Body>) -> (StatusCode, Value) {
    let response = router(receiver.clone()).oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

/// Returns the headers that the document requires, with correct values.
fn headers(openapi: &Value, body: &str) -> Vec<(String, String)> {
    let secret = WebhookSecret::new(SECRET).unwrap();
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let value = |name: &str| match name.to_ascii_lowercase().as_str() {
        "x-toq-signature" => secret.sign_body(body.as_bytes()),
        "webhook-id" => "msg_1".to_owned(),
        "webhook-timestamp" => now.to_string(),
        "webhook-signature" => secret.sign_message("msg_1", now, body.as_bytes()),
        other => panic!("the document asks for {other}, which nobody sends"),
    };
    let operation = &openapi["paths"][CALLBACK]["post"];
    let of_parameters = operation["parameters"].as_array().unwrap().iter().map(|parameter| {
        let name = parameter["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        &openapi["components"]["parameters"][name]
    });
    let required = of_parameters.filter(|parameter| parameter["required"] == true);
    let schemes = operation["security"][0].as_object().unwrap().keys();
    let schemes = schemes.map(|name| &openapi["components"]["securitySchemes"][name]);
    let names = required.chain(schemes).map(|header| header["name"].as_str().unwrap());
    names.map(|name| (name.to_owned(), value(name))).collect()
}

fn callback(headers: &[(String, String)], body: &str) -> Request<Body> {
    let request = Request::post(CALLBACK).header("content-type", "application/json");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    request.body(Body::from(body.to_owned())).unwrap()
}

fn batch(listing: &str, body: &str) -> Request<Body> {
    Request::post(BATCH.replace("{id}", listing)).body(Body::from(body.to_owned())).unwrap()
}

fn listing_of(body: &Value) -> String {
    ["listingId", "listingIdentityId"].iter().find_map(|name| body.get(name)).unwrap().to_string()
}

/// Fails unless the document has this response and the body is valid for it.
fn promised(openapi: &Value, path: &str, (status, body): &(StatusCode, Value)) {
    let responses = &openapi["paths"][path]["post"]["responses"];
    let response = &responses[status.as_str()];
    assert!(!response.is_null(), "{path} answers {status}, which the document does not name: {body}");
    let schema = &response["content"]["application/json"]["schema"];
    if !schema.is_null() {
        assert_eq!(faults(&validator(openapi, schema), body), Vec::<String>::new(), "{path} {status}: {body}");
    }
}

#[test]
fn every_path_is_one_of_the_two_and_every_schema_can_be_used() {
    let openapi = openapi();
    let paths: Vec<_> = openapi["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(paths, [CALLBACK, BATCH]);
    for (name, schema) in openapi["components"]["schemas"].as_object().unwrap() {
        jsonschema::draft202012::meta::validate(schema).unwrap_or_else(|error| panic!("{name}: {error}"));
        validator(&openapi, schema);
    }
}

#[test]
fn every_example_is_valid_for_its_schema() {
    let openapi = openapi();
    for path in [CALLBACK, BATCH] {
        let validator = validator(&openapi, body_schema(&openapi, path));
        for example in examples(&openapi, path) {
            assert_eq!(faults(&validator, &example), Vec::<String>::new(), "{path}: {example}");
        }
    }
}

#[tokio::test]
async fn every_example_of_a_batch_is_accepted_with_a_documented_response() {
    let openapi = openapi();
    for starts in [true, false] {
        for example in examples(&openapi, BATCH) {
            let receiver = receiver(starts);
            let answer = send(&receiver, batch(&listing_of(&example), &example.to_string())).await;
            let expected = if starts { StatusCode::ACCEPTED } else { StatusCode::SERVICE_UNAVAILABLE };
            assert_eq!(answer.0, expected, "{example}: {}", answer.1);
            promised(&openapi, BATCH, &answer);
            // The same batch again.
            let answer = send(&receiver, batch(&listing_of(&example), &example.to_string())).await;
            promised(&openapi, BATCH, &answer);
        }
    }
    for bad in ["", "[]", "{}", r#"{"assets": 5}"#, r#"{"listingId": 7, "assets": []}"#, r#"{"assets": [""]}"#] {
        let answer = send(&receiver(true), batch("51", bad)).await;
        assert_eq!(answer.0, StatusCode::BAD_REQUEST, "{bad}: {}", answer.1);
        promised(&openapi, BATCH, &answer);
    }
}

/// Returns bodies at the limits of the schema, one for each of its fields and alternatives.
fn batches() -> Vec<Value> {
    let key = "51/raw/photo/vertical/2025-11-27/a.jpg";
    let with = |field: &str, value: Value| json!({"listingId": 51, "assets": [key], field: value});
    let asset = |fields: Value| json!({"listingId": 51, "assets": [fields]});
    let detail = |field: &str, value: Value| asset(json!({"key": key, field: value}));
    let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let mut all = vec![
        json!({"listingIdentityId": "51", "assets": [key]}),
        with("batchId", json!("b-1")),
        with("jobId", json!(0)),
        with("externalId", json!("x")),
        with("retry", json!(3)),
        with("traceparent", json!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")),
        with("traceparent", json!("not one")),
        with("unknown", json!({"deep": [1]})),
        asset(json!({"sourceKey": key})),
    ];
    let details = [
        ("bytes", json!(0)),
        ("size", json!(12)),
        ("etag", json!("\"abc\"")),
        ("sha256", json!(digest)),
        ("checksumSha256", json!("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")),
        ("checksum", json!(digest)),
        ("contentType", json!("image/jpeg")),
        ("title", json!("Kitchen")),
        ("sequence", json!(1)),
        ("type", json!("PHOTO")),
    ];
    all.extend(details.into_iter().map(|(field, value)| detail(field, value)));
    all
}

#[test]
fn every_valid_body_is_accepted() {
    let openapi = openapi();
    let validator = validator(&openapi, body_schema(&openapi, BATCH));
    let mut seen = Vec::new();
    for body in batches() {
        assert_eq!(faults(&validator, &body), Vec::<String>::new(), "{body}");
        let read = stagehost_batch::parse(&body).unwrap_or_else(|error| panic!("{body}: {error}"));
        assert_eq!(read.assets[0].problem, None, "{body}");
        seen.extend(body.as_object().unwrap().keys().cloned());
        seen.extend(body["assets"][0].as_object().into_iter().flat_map(|asset| asset.keys().cloned()));
    }
    for schema in ["BatchInput", "AssetInput"] {
        for field in openapi["components"]["schemas"][schema]["properties"].as_object().unwrap().keys() {
            assert!(seen.contains(field), "no body here has the field {field} of {schema}");
        }
    }
}

#[test]
fn every_body_that_is_refused_is_invalid_in_the_document() {
    let openapi = openapi();
    let validator = validator(&openapi, body_schema(&openapi, BATCH));
    let key = "51/raw/photo/vertical/2025-11-27/a.jpg";
    for body in [
        json!({"listingId": 51}),
        json!({"listingId": 51, "assets": key}),
        json!({"listingId": 51, "assets": [""]}),
        json!({"listingId": 51, "assets": [5]}),
        json!({"listingId": 51, "assets": [{"type": "PHOTO"}]}),
        json!({"listingId": -1, "assets": [key]}),
        json!({"listingId": 51, "assets": [key], "retry": -1}),
    ] {
        assert!(stagehost_batch::parse(&body).is_err(), "{body} is read");
        assert!(!validator.is_valid(&body), "{body} is allowed");
    }
}

#[tokio::test]
async fn every_example_of_a_callback_is_accepted_twice_and_needs_every_documented_header() {
    let openapi = openapi();
    for example in examples(&openapi, CALLBACK) {
        let (receiver, body) = (receiver(true), example.to_string());
        let headers = headers(&openapi, &body);
        assert_eq!(headers.len(), 4, "{headers:?}");
        for left_out in 0..headers.len() {
            let mut some = headers.clone();
            let (name, _) = some.remove(left_out);
            let answer = send(&receiver, callback(&some, &body)).await;
            assert_eq!(answer.0, StatusCode::UNAUTHORIZED, "without {name}: {}", answer.1);
            promised(&openapi, CALLBACK, &answer);
        }
        for _ in 0..2 {
            let answer = send(&receiver, callback(&headers, &body)).await;
            assert_eq!(answer.0, StatusCode::OK, "{}", answer.1);
            promised(&openapi, CALLBACK, &answer);
        }
    }
    let other = json!({"status": "DONE"}).to_string();
    let answer = send(&receiver(true), callback(&headers(&openapi, &other), &other)).await;
    assert_eq!(answer.0, StatusCode::BAD_REQUEST, "{}", answer.1);
    promised(&openapi, CALLBACK, &answer);
}
