//! Requests and answers in pieces.
//!
//! The request is a task of its own, which ends when its exchange is dropped. Between the two is a channel with room for one
//! chunk, so a service that is slow to take the body slows the stage down. The end of the body is a message: a channel that is
//! merely closed is an error of the body, on which the client closes the connection without ending the body.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use reqwest::{Body, RequestBuilder, Response};
use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::{HttpAnswerHead, HttpExchange};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::outside::rules::{failed, readable};

/// The longest chunk, in bytes. A service that takes one within the time allowed makes progress.
const CHUNK: usize = 256 << 10;

const NOT_TAKEN: &str = "the service did not take the body";

/// A message to the body of a request.
enum Message {
    Chunk(Bytes),
    End,
}

/// The body of a request, as the client reads it.
struct SentBody {
    messages: mpsc::Receiver<Message>,
    /// How many bytes are to come, if that is known.
    left: Option<u64>,
    ended: bool,
}

/// The exchange was dropped before the body had ended.
#[derive(Debug, thiserror::Error)]
#[error("the stage has not sent the whole body")]
struct Unfinished;

impl http_body::Body for SentBody {
    type Data = Bytes;
    type Error = Unfinished;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Unfinished>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let frame = match ready!(self.messages.poll_recv(context)) {
            Some(Message::Chunk(bytes)) => {
                self.left = self.left.map(|left| left.saturating_sub(bytes.len() as u64));
                Some(Ok(Frame::data(bytes)))
            }
            Some(Message::End) => {
                self.ended = true;
                None
            }
            None => Some(Err(Unfinished)),
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// The way to the body of a request that is being sent.
struct BodySender {
    chunks: mpsc::Sender<Message>,
    /// A place that is kept for the end, so that the end never has to wait.
    end: mpsc::OwnedPermit<Message>,
}

/// How far an exchange is.
enum Step {
    /// Nothing is sent yet. A request without a single byte of body is sent without a body.
    Prepared(Box<RequestBuilder>),
    /// It is being sent.
    Sent(BodySender),
    /// The answer is being read; the rest of what has arrived.
    Answered(Box<Response>, Bytes),
    /// Between two of these, and after a failure.
    Over,
}

/// An exchange with a service.
pub(super) struct ServiceExchange {
    step: Step,
    /// The task that sends the request and ends with the head of the answer.
    answering: JoinSet<Result<Response, reqwest::Error>>,
    /// The answer, if it came before the body had ended.
    early: Option<Box<Response>>,
    /// Keeps the connection until the answer is read, where the body never ends because the service has refused it.
    refused: Option<BodySender>,
    what: String,
    body_bytes: Option<u64>,
    timeout: Duration,
}

impl ServiceExchange {
    /// Returns an exchange; nothing is sent yet. `what` names the request in messages. `timeout` is how long to wait without
    /// progress.
    pub(super) fn new(request: RequestBuilder, what: String, body_bytes: Option<u64>, timeout: Duration) -> Self {
        let (step, answering) = (Step::Prepared(Box::new(request)), JoinSet::new());
        Self { step, answering, early: None, refused: None, what, body_bytes, timeout }
    }

    /// Returns the way to the body, after it has begun to send the request.
    fn sender(&mut self) -> Result<&BodySender, Failure> {
        if let Step::Prepared(_) = &self.step
            && let Step::Prepared(request) = std::mem::replace(&mut self.step, Step::Over)
        {
            let (chunks, messages) = mpsc::channel(2);
            let end = chunks.clone().try_reserve_owned().map_err(|_| over())?;
            let body = SentBody { messages, left: self.body_bytes, ended: false };
            self.answering.spawn(request.body(Body::wrap(body)).send());
            self.step = Step::Sent(BodySender { chunks, end });
        }
        match &self.step {
            Step::Sent(sender) => Ok(sender),
            _ => Err(over()),
        }
    }

    /// Returns whether the service has answered already, and does not want the rest of the body.
    fn is_refused(&self) -> bool {
        self.early.as_ref().is_some_and(|answer| answer.status().as_u16() >= 300)
    }

    /// Sends a chunk. A service that has answered already need not take it.
    async fn send(&mut self, chunk: Bytes) -> Result<(), Failure> {
        if self.is_refused() {
            return Ok(());
        }
        let chunks = self.sender()?.chunks.clone();
        let waits = self.early.is_none();
        let room = async {
            tokio::select! {
                room = chunks.reserve() => Ok(room),
                Some(answer) = self.answering.join_next(), if waits => Err(answer),
            }
        };
        match tokio::time::timeout(self.timeout, room).await.map_err(|_| late(&self.what, NOT_TAKEN))? {
            Ok(Ok(room)) => room.send(Message::Chunk(chunk)),
            Ok(Err(_)) if !waits => {}
            // It takes no more, because it has answered or the connection is broken.
            Ok(Err(_)) => {
                let ended = tokio::time::timeout(self.timeout, self.answering.join_next()).await;
                let ended = ended.map_err(|_| late(&self.what, NOT_TAKEN))?;
                self.early = Some(response(&self.what, ended)?);
            }
            // It answers before it has everything.
            Err(answer) => {
                self.early = Some(response(&self.what, Some(answer))?);
                if !self.is_refused() {
                    let room = tokio::time::timeout(self.timeout, chunks.reserve()).await;
                    if let Ok(room) = room.map_err(|_| late(&self.what, NOT_TAKEN))? {
                        room.send(Message::Chunk(chunk));
                    }
                }
            }
        }
        Ok(())
    }
}

#[async_trait]
impl HttpExchange for ServiceExchange {
    async fn write(&mut self, mut bytes: Bytes) -> Result<(), Failure> {
        while !bytes.is_empty() {
            let chunk = bytes.split_to(CHUNK.min(bytes.len()));
            self.send(chunk).await?;
        }
        Ok(())
    }

    async fn answer(&mut self) -> Result<HttpAnswerHead, Failure> {
        match std::mem::replace(&mut self.step, Step::Over) {
            Step::Prepared(request) => drop(self.answering.spawn(request.send())),
            // A body with a hole must not end.
            Step::Sent(sender) if self.is_refused() => self.refused = Some(sender),
            Step::Sent(sender) => drop(sender.end.send(Message::End)),
            Step::Answered(..) | Step::Over => return Err(over()),
        }
        let response = match self.early.take() {
            Some(early) => early,
            None => {
                let answer = tokio::time::timeout(self.timeout, self.answering.join_next()).await;
                response(&self.what, answer.map_err(|_| late(&self.what, "the service did not answer"))?)?
            }
        };
        let head = HttpAnswerHead { status: response.status().as_u16(), headers: readable(response.headers()) };
        self.step = Step::Answered(response, Bytes::new());
        Ok(head)
    }

    async fn read(&mut self, len: usize) -> Result<Bytes, Failure> {
        let Step::Answered(response, rest) = &mut self.step else { return Err(over()) };
        let mut piece = BytesMut::new();
        while piece.len() < len {
            if rest.is_empty() {
                let next = tokio::time::timeout(self.timeout, response.chunk()).await;
                let next = next.map_err(|_| late(&self.what, "the answer did not go on"))?;
                match next.map_err(|error| failed(&self.what, &error))? {
                    Some(chunk) => *rest = chunk,
                    None => break,
                }
            }
            piece.extend_from_slice(&rest.split_to(rest.len().min(len - piece.len())));
        }
        Ok(piece.freeze())
    }
}

/// Returns the answer with which the task has ended.
fn response(
    what: &str,
    ended: Option<Result<Result<Response, reqwest::Error>, tokio::task::JoinError>>,
) -> Result<Box<Response>, Failure> {
    match ended {
        Some(Ok(answer)) => answer.map(Box::new).map_err(|error| failed(what, &error)),
        Some(Err(error)) => Err(Failure::new(Case::Internal, format!("{what}: a defect of the host: {error}"))),
        None => Err(over()),
    }
}

fn late(what: &str, why: &str) -> Failure {
    Failure::new(Case::Transient, format!("{what}: {why} within the time allowed"))
}

/// The failure of a step that is out of order. Cannot happen: the runtime keeps the order.
fn over() -> Failure {
    Failure::new(Case::Internal, "the exchange is over")
}

#[cfg(test)]
mod tests;
