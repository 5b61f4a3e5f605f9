//! The protocol: AWS JSON 1.0. A header names the operation; request and response are JSON documents.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::error::StatesError;
use crate::service::States;

/// The largest request, in bytes: a definition of the largest size, escaped.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// The error's name in the API, by which SDKs know it.
const TOO_LARGE: &str = "RequestEntityTooLargeException";
const TARGET: &str = "AWSStepFunctions.";
const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

impl States {
    /// Answers one request. Neither its path nor its signature is checked.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let result = match text("x-amz-target").and_then(|target| target.strip_prefix(TARGET)) {
            _ if request.body().len() > MOST_BYTES => Err(too_large()),
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
        respond(result)
    }

    /// Returns a router that passes every request to [`handle`](Self::handle).
    pub fn router(&self) -> Router {
        Router::new().fallback(serve).with_state(self.clone())
    }
}

/// Returns the response to a request.
fn respond(result: Result<Value, StatesError>) -> Response<Bytes> {
    let (status, document) = match result {
        Ok(document) => (StatusCode::OK, document),
        Err(error) => {
            let status = match error.name {
                TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
                _ => StatusCode::BAD_REQUEST,
            };
            (status, json!({"__type": error.name, "message": error.message}))
        }
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

fn too_large() -> StatesError {
    StatesError::new(TOO_LARGE, format!("the request is longer than {MOST_BYTES} bytes"))
}

async fn serve(State(states): State<States>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    match axum::body::to_bytes(body, MOST_BYTES).await {
        Ok(body) => states.handle(Request::from_parts(parts, body)).await.map(Body::from),
        // A client that left gets no response, so this one is for a request that is too long.
        Err(_) => respond(Err(too_large())).map(Body::from),
    }
}
