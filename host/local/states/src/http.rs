//! The protocol: AWS JSON 1.0. The operation is in a header, documents are in the bodies.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use serde_json::json;

use crate::States;
use crate::error::ApiError;

/// The most that a request may have: a definition of the largest size, escaped.
const MOST_BYTES: usize = 4 * 1024 * 1024;
const TARGET: &str = "AWSStepFunctions.";
const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

impl States {
    /// Serves one request, whatever its path; who signed it does not matter.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let result = match text("x-amz-target").and_then(|target| target.strip_prefix(TARGET)) {
            _ if request.body().len() > MOST_BYTES => {
                Err(ApiError::validation(format!("the request is longer than {MOST_BYTES} bytes")))
            }
            Some(operation) => {
                let result = self.operate(operation, request.body(), text("x-amzn-trace-id")).await;
                if let Err(error) = &result {
                    tracing::debug!(operation, error = %error, "a Step Functions request was refused");
                }
                result
            }
            None => Err(ApiError::new(
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

    /// Everything under one router, for a listener that serves nothing else.
    pub fn router(&self) -> Router {
        Router::new().fallback(serve).with_state(self.clone())
    }
}

async fn serve(State(states): State<States>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    // One byte more, so that `handle` is the one who refuses.
    match axum::body::to_bytes(body, MOST_BYTES + 1).await {
        Ok(body) => states.handle(Request::from_parts(parts, body)).await.map(Body::from),
        Err(_) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            response
        }
    }
}
