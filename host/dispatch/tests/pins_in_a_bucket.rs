#![allow(clippy::unwrap_used, missing_docs)]
//! Pins in a bucket: asked for seldom and conditionally, and never lost to a bad answer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::get;
use stagehost_dispatch::{ObjectPins, PinError, PinSource as _};

/// One object, and the status of every answer that was given.
#[derive(Clone, Default)]
struct Object {
    body: Arc<Mutex<Option<String>>>,
    answers: Arc<Mutex<Vec<u16>>>,
}

impl Object {
    async fn start(&self) -> aws_sdk_s3::Client {
        let app = Router::new().route("/{bucket}/{*key}", get(serve)).with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::from_keys("a", "b", None)))
            .endpoint_url(url)
            .build();
        aws_sdk_s3::Client::from_conf(
            aws_sdk_s3::config::Builder::from(&config)
                .force_path_style(true)
                .retry_config(aws_config::retry::RetryConfig::disabled())
                .build(),
        )
    }

    fn set(&self, body: Option<&str>) {
        *self.body.lock().unwrap() = body.map(str::to_owned);
    }

    fn answers(&self) -> Vec<u16> {
        std::mem::take(&mut self.answers.lock().unwrap())
    }
}

async fn serve(State(object): State<Object>, headers: HeaderMap) -> Response<Body> {
    let body = object.body.lock().unwrap().clone();
    let (status, body, etag) = match body {
        None => (StatusCode::SERVICE_UNAVAILABLE, String::new(), String::new()),
        Some(body) => {
            let etag = format!("\"{:x}\"", body.len());
            let same = headers.get("if-none-match").is_some_and(|known| *known == *etag);
            if same { (StatusCode::NOT_MODIFIED, String::new(), etag) } else { (StatusCode::OK, body, etag) }
        }
    };
    object.answers.lock().unwrap().push(status.as_u16());
    Response::builder().status(status).header("etag", etag).body(Body::from(body)).unwrap()
}

fn revision(number: u64) -> String {
    format!(r#"{{"revision": {number}, "states": {{}}}}"#)
}

#[tokio::test]
async fn within_their_age_pins_are_not_asked_for_again() {
    let object = Object::default();
    object.set(Some(&revision(1)));
    let pins = ObjectPins::new(object.start().await, "b", "pins.json", Duration::from_secs(3600));
    for _ in 0..5 {
        assert_eq!(pins.current().await.unwrap().revision, 1);
    }
    assert_eq!(object.answers(), [200]);
}

#[tokio::test]
async fn unchanged_pins_are_not_sent_again_and_changed_ones_are_taken() {
    let object = Object::default();
    object.set(Some(&revision(1)));
    let pins = ObjectPins::new(object.start().await, "b", "pins.json", Duration::ZERO);
    let first = pins.current().await.unwrap();
    assert!(Arc::ptr_eq(&first, &pins.current().await.unwrap()));
    object.set(Some(&revision(22)));
    assert_eq!(pins.current().await.unwrap().revision, 22);
    assert_eq!(object.answers(), [200, 304, 200]);
}

#[tokio::test]
async fn pins_that_cannot_be_read_or_are_none_leave_the_last_good_ones_in_force() {
    let object = Object::default();
    let pins = ObjectPins::new(object.start().await, "b", "pins.json", Duration::ZERO);
    let error = pins.current().await.unwrap_err();
    assert!(matches!(&error, PinError::Unreadable { place, .. } if place == "s3://b/pins.json"), "{error}");
    object.set(Some(&revision(1)));
    assert_eq!(pins.current().await.unwrap().revision, 1);
    for bad in [None, Some("{oops")] {
        object.set(bad);
        assert_eq!(pins.current().await.unwrap().revision, 1);
    }
    object.set(Some(&revision(333)));
    assert_eq!(pins.current().await.unwrap().revision, 333);
}
