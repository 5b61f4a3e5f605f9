//! HTTP requests as they are recorded.

use sha2::{Digest as _, Sha256};
use stagehost_runtime::capability::{HttpHead, HttpRequest};

use crate::record_format::{Payload, Request};
use crate::scrub;

/// Returns a request as it is recorded, and as it is looked up in a replay.
pub(crate) fn recorded(request: &HttpRequest) -> Request {
    request_of(&request.method, &request.url, &request.headers, Payload::of(&request.body))
}

/// The body of a request in pieces, as far as it has come.
#[derive(Clone, Default)]
pub(crate) struct BodySoFar {
    bytes: u64,
    sha256: Sha256,
}

impl BodySoFar {
    pub(crate) fn add(&mut self, piece: &[u8]) {
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        self.sha256.update(piece);
    }

    /// Returns its length and its digest.
    pub(crate) fn payload(&self) -> Payload {
        Payload { bytes: self.bytes, sha256: hex::encode(self.sha256.clone().finalize()), text: None }
    }
}

/// Returns a request in pieces as it is recorded when its body has come so far.
pub(crate) fn recorded_pieces(head: &HttpHead, body: &BodySoFar) -> Request {
    request_of(&head.method, &head.url, &head.headers, body.payload())
}

fn request_of(method: &str, url: &str, headers: &[(String, String)], body: Payload) -> Request {
    Request { method: method.to_ascii_uppercase(), url: scrub::url(url), headers: scrub::headers(headers), body }
}
