//! Answers requests in pieces from the record. Nothing is sent.
//!
//! The answer depends on the whole request, so it is looked up by its digest, when the request has ended.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use stagehost_batch::Failure;
use stagehost_runtime::capability::{HttpAnswerHead, HttpExchange, HttpHead};

use super::answers::{Fallback, Player};
use super::questions::{about_answer, about_broken_body};
use crate::record_format::{HostCall, HttpPieces, Payload};
use crate::requests::{BodySoFar, recorded_pieces};

/// A request that is sent nowhere.
pub(super) struct ReplayedExchange {
    player: Arc<Player>,
    head: HttpHead,
    body: BodySoFar,
    /// The recorded pieces of the answer that are not read yet.
    pieces: VecDeque<Payload>,
    /// The rest of the piece before them.
    rest: Bytes,
    end: AnswerEnd,
}

/// What stands behind the recorded pieces.
enum AnswerEnd {
    /// The end of the answer.
    Complete,
    /// The service broke off.
    Broken(Failure),
    /// The recorded stage has not read on.
    NotRecorded,
}

impl ReplayedExchange {
    pub(super) fn begin(player: &Arc<Player>, head: HttpHead) -> Result<Box<dyn HttpExchange>, Failure> {
        let exchange = Self {
            player: player.clone(),
            head,
            body: BodySoFar::default(),
            pieces: VecDeque::new(),
            rest: Bytes::new(),
            end: AnswerEnd::Complete,
        };
        exchange.breaks_here()?;
        Ok(Box::new(exchange))
    }

    /// Errors: as the recorded service failed, if it did at this place of the body.
    fn breaks_here(&self) -> Result<(), Failure> {
        let question = about_broken_body(&recorded_pieces(&self.head, &self.body));
        match self.player.take(&question) {
            Some(HostCall::Exchange(HttpPieces { failed: Some(problem), .. })) => Err(problem.into()),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl HttpExchange for ReplayedExchange {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Failure> {
        self.breaks_here()?;
        self.body.add(&bytes);
        Ok(())
    }

    async fn answer(&mut self) -> Result<HttpAnswerHead, Failure> {
        let request = recorded_pieces(&self.head, &self.body);
        let player = &self.player;
        match (player.take(&about_answer(&request)), &player.fallback) {
            (Some(HostCall::Exchange(HttpPieces { answer: Some(answer), pieces, complete, failed, .. })), _) => {
                let head = answer.to_result()?;
                self.pieces = pieces.iter().cloned().collect();
                self.end = match failed {
                    Some(problem) => AnswerEnd::Broken(problem.into()),
                    None if *complete => AnswerEnd::Complete,
                    None => AnswerEnd::NotRecorded,
                };
                Ok(HttpAnswerHead { status: head.status, headers: head.headers })
            }
            (_, Fallback::Shadow { .. }) => Ok(HttpAnswerHead { status: 200, headers: Vec::new() }),
            (_, Fallback::Refuse) => {
                let bytes = request.body.bytes;
                Err(player.diverges(format!("{} {} with {bytes} bytes in pieces", request.method, request.url)))
            }
        }
    }

    async fn read(&mut self, len: usize) -> Result<Bytes, Failure> {
        let mut piece = BytesMut::new();
        while piece.len() < len {
            if self.rest.is_empty() {
                let Some(next) = self.pieces.pop_front() else {
                    match &self.end {
                        AnswerEnd::Complete => break,
                        AnswerEnd::Broken(failure) => return Err(failure.clone()),
                        AnswerEnd::NotRecorded => {
                            let what = format!("read more of the answer of {}", self.head.url);
                            return Err(self.player.diverges(what));
                        }
                    }
                };
                let body = self.player.contents.body(&next).await;
                self.rest = body.map_err(|why| self.player.diverges(why))?;
            }
            piece.extend_from_slice(&self.rest.split_to(self.rest.len().min(len - piece.len())));
        }
        Ok(piece.freeze())
    }
}
