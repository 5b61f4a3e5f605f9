//! The protocol: AWS JSON 1.0. A header names the operation; request and response are JSON documents.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use serde_json::json;

use crate::error::StatesError;
use crate::service::States;

/// The largest request, in bytes: a definition of the largest size, escaped.
const MOST_BYTES: usize = 4 * 1024 * 1024;
const TARGET: &str = "AWSStepFunctions.";
const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

impl States {
    /// Answers one request. Neither its path nor its signature is checked.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let result = match text("x-amz-target").and_then(|target| target.strip_prefix(TARGET)) {
            _ if request.body().len() > MOST_BYTES => {
                Err(StatesError::validation(format!("the request is longer than {MOST_BYTES} bytes")))
            }
            Some(operation) => {
                let result = self.operate(operation, request.body(), text("x-amzn-trace-id")).await;
                if let Err(error) = &result {
                    tracing::debug!(operation, error = %error, "a Step Functions request was refused");
                }
                result
            }
            None => Err(StatesError::new(
                "UnknownOperationException",
                format!("the header X-Amz-Target must be '{TARGET}' and an operation's name"),
            )),
        };
        let (status, document) = match result {
            Ok(document) => (StatusCode::OK, document),
            Err(error) => (StatusCode::BAD_REQUEST, json!({"__type": error.name, "message": error.message})),
        };
        let mut response = Response::new(Bytes::from(document.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if let Ok(id) = HeaderValue::from_str(&uuid::Uuid::new_v4().to_string()) {
            headers.insert("x-amzn-requestid", id);
        }
        response
    }

    /// Returns a router that passes every request to [`handle`](Self::handle).
    pub fn router(&self) -> Router {
        Router::new().fallback(serve).with_state(self.clone())
    }
}

async fn serve(State(states): State<States>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    // One byte more, so that `handle` refuses with the API's error.
    match axum::body::to_bytes(body, MOST_BYTES + 1).await {
        Ok(body) => states.handle(Request::from_parts(parts, body)).await.map(Body::from),
        Err(_) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            response
        }
    }
}
