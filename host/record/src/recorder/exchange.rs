//! Records requests to other services in pieces. Of a request's body the digest is recorded; of an answer's body what the stage
//! reads.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use stagehost_batch::Failure;
use stagehost_runtime::capability::{HttpAnswerHead, HttpExchange, HttpHead};

use crate::log::{CallLog, cost};
use crate::record_format::{Answer, HostCall, HttpPieces, Payload, ResponseHead};
use crate::requests::{BodySoFar, recorded_pieces};
use crate::scrub;

pub(super) struct RecordedExchange {
    inner: Box<dyn HttpExchange>,
    log: Arc<CallLog>,
    /// The number of the host call; `None` if it is not recorded.
    number: Option<usize>,
    body: BodySoFar,
}

impl RecordedExchange {
    /// Records that a request was begun, or that this failed.
    pub(super) fn begun(
        inner: Result<Box<dyn HttpExchange>, Failure>,
        head: HttpHead,
        log: Arc<CallLog>,
    ) -> Result<Box<dyn HttpExchange>, Failure> {
        let body = BodySoFar::default();
        let pieces = HttpPieces {
            request: recorded_pieces(&head, &body),
            answer: None,
            pieces: Vec::new(),
            complete: false,
            failed: inner.as_ref().err().map(|failure| (&scrub::failure(failure)).into()),
        };
        let number = log.add(HostCall::Exchange(pieces));
        Ok(Box::new(Self { inner: inner?, log, number, body }))
    }

    /// Changes what is recorded, which adds `bytes` to it.
    fn change(&self, bytes: u64, change: impl FnOnce(&mut HttpPieces)) {
        self.log.change(self.number, bytes, |call| {
            if let HostCall::Exchange(pieces) = call {
                change(pieces);
            }
        });
    }

    fn failed(&self, failure: &Failure) {
        let failed = scrub::failure(failure);
        self.change(cost(&failed.message), |pieces| pieces.failed = Some((&failed).into()));
    }
}

#[async_trait]
impl HttpExchange for RecordedExchange {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Failure> {
        let answer = self.inner.write(bytes.clone()).await;
        match &answer {
            Ok(()) => {
                self.body.add(&bytes);
                // Of a fixed length, so nothing is charged.
                let payload = self.body.payload();
                self.change(0, |pieces| pieces.request.body = payload);
            }
            Err(failure) => self.failed(failure),
        }
        answer
    }

    async fn answer(&mut self) -> Result<HttpAnswerHead, Failure> {
        let answer = self.inner.answer().await;
        let recorded = answer
            .as_ref()
            .map_err(scrub::failure)
            .map(|head| ResponseHead { status: head.status, headers: scrub::headers(&head.headers) });
        let recorded = Answer::of(&recorded);
        self.change(cost(&recorded), |pieces| pieces.answer = Some(recorded));
        answer
    }

    async fn read(&mut self, len: usize) -> Result<Bytes, Failure> {
        let answer = self.inner.read(len).await;
        match &answer {
            Ok(bytes) => {
                let complete = bytes.len() < len;
                let piece = (!bytes.is_empty()).then(|| self.log.body(bytes));
                let bytes = piece.as_ref().map_or(0, |piece| cost(piece) + size_of::<Payload>() as u64);
                self.change(bytes, |pieces| {
                    pieces.pieces.extend(piece);
                    pieces.complete = complete;
                });
            }
            Err(failure) => self.failed(failure),
        }
        answer
    }
}
