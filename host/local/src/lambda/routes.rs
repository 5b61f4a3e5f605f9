//! The Lambda API over HTTP: Invoke.

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

use super::error::InvokeError;
use super::functions::{Functions, MAX_PAYLOAD};

/// The only version of the function.
const VERSION: &str = "$LATEST";

/// The largest body that is read, in bytes. A payload that is somewhat too long is read to its end, because a client that is
/// still sending when the connection is closed may not see the response.
const MAX_READ: usize = 4 * MAX_PAYLOAD;

/// Returns the route `POST /2015-03-31/functions/{name}/invocations`.
pub(crate) fn router(functions: Functions) -> Router {
    Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(DefaultBodyLimit::max(MAX_READ))
        .with_state(functions)
}

async fn invoke(
    State(functions): State<Functions>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, InvokeError> {
    let body = body.map_err(|refused| unread(&refused))?;
    let kind = headers.get("x-amz-invocation-type").and_then(|kind| kind.to_str().ok()).unwrap_or("RequestResponse");
    match kind {
        "RequestResponse" => Ok(match functions.invoke(&name, body).await? {
            Ok(payload) => response(payload, None),
            Err(error) => response(error.payload().into(), Some("Unhandled")),
        }),
        "Event" => {
            functions.enqueue(&name, body)?;
            Ok(StatusCode::ACCEPTED.into_response())
        }
        "DryRun" => {
            functions.find(&name)?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        other => Err(InvokeError {
            code: "InvalidParameterValueException",
            status: StatusCode::BAD_REQUEST,
            message: format!("X-Amz-Invocation-Type: {other:?} is not RequestResponse, Event or DryRun"),
        }),
    }
}

/// Returns the error for a body that was not read: it is too long, or the connection broke.
fn unread(refused: &BytesRejection) -> InvokeError {
    match refused.status() {
        StatusCode::PAYLOAD_TOO_LARGE => InvokeError::too_large(MAX_PAYLOAD),
        status => InvokeError { code: "InvalidRequestContentException", status, message: refused.body_text() },
    }
}

/// Returns the response of a call. `error` is the value of `X-Amz-Function-Error`.
fn response(payload: Bytes, error: Option<&'static str>) -> Response {
    let mut response = (StatusCode::OK, [("content-type", "application/json")], payload).into_response();
    let headers = response.headers_mut();
    headers.insert("x-amz-executed-version", HeaderValue::from_static(VERSION));
    if let Some(error) = error {
        headers.insert("x-amz-function-error", HeaderValue::from_static(error));
    }
    response
}

async fn unknown(method: axum::http::Method, uri: axum::http::Uri) -> InvokeError {
    InvokeError {
        code: "ResourceNotFoundException",
        status: StatusCode::NOT_FOUND,
        message: format!("{method} {}: of the Lambda API, only Invoke is served here", uri.path()),
    }
}

impl IntoResponse for InvokeError {
    fn into_response(self) -> Response {
        let body: Value = json!({"Type": "User", "Message": self.message, "message": self.message});
        let mut response = (self.status, [("content-type", "application/json")], body.to_string()).into_response();
        response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(self.code));
        response
    }
}
