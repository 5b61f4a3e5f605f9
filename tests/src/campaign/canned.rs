//! Answers that services give when they are overloaded or broken.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::json;

use super::fault::FaultKind;
use super::request::Called;

/// Returns the refusal of a service without an effect.
pub(super) fn refusal(service: Called, kind: FaultKind) -> Response<Bytes> {
    match (service, kind) {
        (Called::S3, FaultKind::InternalError) => {
            s3(500, "InternalError", "We encountered an internal error. Please try again.")
        }
        (Called::S3, _) => s3(503, "SlowDown", "Please reduce your request rate."),
        (Called::Backend, FaultKind::InternalError) => plain(500, "oops"),
        (Called::Backend, FaultKind::Throttled) => {
            let mut response = plain(429, "later");
            response.headers_mut().insert("retry-after", HeaderValue::from_static("1"));
            response
        }
        (Called::Backend, _) => plain(503, "overloaded"),
        (Called::MediaConvert, FaultKind::Throttled) => json(429, "TooManyRequestsException"),
        (Called::MediaConvert, FaultKind::InternalError) => json(500, "InternalServerErrorException"),
        (_, FaultKind::Throttled) => json(400, "ThrottlingException"),
        (_, FaultKind::InternalError) => json(500, "InternalFailure"),
        _ => json(503, "ServiceUnavailable"),
    }
}

/// Returns S3's answer to a conditional write that meets another one.
pub(super) fn conflict() -> Response<Bytes> {
    let message = "At least one of the pre-conditions you specified did not hold at this moment. Try again.";
    s3(409, "ConditionalRequestConflict", message)
}

/// Returns an answer without a body.
pub(super) fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

fn s3(status: u16, code: &str, message: &str) -> Response<Bytes> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
         <RequestId>0</RequestId></Error>"
    );
    typed(status, "application/xml", body)
}

fn json(status: u16, code: &'static str) -> Response<Bytes> {
    let body = json!({"__type": code, "message": "on purpose"}).to_string();
    let mut response = typed(status, "application/x-amz-json-1.0", body);
    response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(code));
    response
}

fn plain(status: u16, text: &str) -> Response<Bytes> {
    typed(status, "text/plain", text.to_owned())
}

fn typed(status: u16, content_type: &'static str, body: String) -> Response<Bytes> {
    let mut response = empty(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    *response.body_mut() = body.into();
    response
}
