//! HTTP requests as they are recorded.

use stagehost_runtime::capability::HttpRequest;

use crate::record_format::{Payload, Request};
use crate::scrub;

/// Returns a request as it is recorded, and as it is looked up in a replay.
pub(crate) fn recorded(request: &HttpRequest) -> Request {
    Request {
        method: request.method.to_ascii_uppercase(),
        url: scrub::url(&request.url),
        headers: scrub::headers(&request.headers),
        body: Payload::of(&request.body),
    }
}
