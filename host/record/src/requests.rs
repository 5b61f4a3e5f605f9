//! HTTP requests as they are recorded.

use sha2::{Digest as _, Sha256};
use stagehost_runtime::capability::{HttpHead, HttpRequest};

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
    Request {
        method: head.method.to_ascii_uppercase(),
        url: scrub::url(&head.url),
        headers: scrub::headers(&head.headers),
        body: body.payload(),
    }
}
