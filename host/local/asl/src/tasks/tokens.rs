//! Task tokens, with which a caller outside of the interpreter ends a waiting state.
//!
//! One board is shared by all executions and outlives them: a caller has only the token. Unknown tokens get the
//! service's errors: `TaskTimedOut` if the task has ended, `TaskDoesNotExist` if the token was never issued, and
//! `InvalidToken` if the text cannot be a token.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::{oneshot, watch};

/// The number of ended tokens that are remembered, to distinguish them from tokens that were never issued.
const MOST_ENDED: usize = 100_000;
/// The length of a decoded token.
const TOKEN_BYTES: usize = 48;

/// Why a token was not accepted. The names are the service's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The text cannot be a token.
    #[error("Invalid Token: 'Invalid token'")]
    InvalidToken,
    /// A token that was never issued here.
    #[error("Task does not exist: 'The task token was not issued here'")]
    TaskDoesNotExist,
    /// The task ended already: by an answer, by its timeout, or with its execution.
    #[error("Task Timed Out: 'Provided task does not exist anymore'")]
    TaskTimedOut,
}

impl TokenError {
    /// Returns the exception's name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidToken => "InvalidToken",
            Self::TaskDoesNotExist => "TaskDoesNotExist",
            Self::TaskTimedOut => "TaskTimedOut",
        }
    }
}

/// The report for a token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenAnswer {
    Success(Value),
    Failure { error: Option<String>, cause: Option<String> },
}

/// The tokens of all executions. Cheap to clone; clones share everything.
#[derive(Clone, Debug, Default)]
pub struct TokenBoard(Arc<Mutex<Board>>);

#[derive(Debug, Default)]
struct Board {
    waiting: HashMap<String, Waiter>,
    ended: HashSet<String>,
    order: VecDeque<String>,
}

#[derive(Debug)]
struct Waiter {
    answer: oneshot::Sender<TokenAnswer>,
    heartbeats: watch::Sender<u64>,
}

impl TokenBoard {
    /// Returns an empty board.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the task that waits for `token` with a result.
    ///
    /// # Errors
    /// [`TokenError`]
    pub fn send_success(&self, token: &str, output: Value) -> Result<(), TokenError> {
        self.answer(token, TokenAnswer::Success(output))
    }

    /// Ends the task that waits for `token` with an error.
    ///
    /// # Errors
    /// [`TokenError`]
    pub fn send_failure(&self, token: &str, error: Option<String>, cause: Option<String>) -> Result<(), TokenError> {
        self.answer(token, TokenAnswer::Failure { error, cause })
    }

    /// Reports that work on the task that waits for `token` continues.
    ///
    /// # Errors
    /// [`TokenError`]
    pub fn send_heartbeat(&self, token: &str) -> Result<(), TokenError> {
        let board = self.0.lock();
        match board.waiting.get(token) {
            Some(waiter) => {
                waiter.heartbeats.send_modify(|heartbeats| *heartbeats = heartbeats.wrapping_add(1));
                Ok(())
            }
            None => Err(board.rejection(token)),
        }
    }

    /// Issues a token.
    pub(crate) fn issue(&self) -> PendingToken {
        let mut bytes = Vec::with_capacity(TOKEN_BYTES);
        while bytes.len() < TOKEN_BYTES {
            bytes.extend_from_slice(uuid::Uuid::new_v4().as_bytes());
        }
        let token = STANDARD.encode(bytes);
        let (answer, receiver) = oneshot::channel();
        let heartbeats = watch::Sender::new(0);
        let pending = PendingToken {
            token: token.clone(),
            answer: receiver,
            heartbeats: heartbeats.subscribe(),
            board: self.clone(),
        };
        self.0.lock().waiting.insert(token, Waiter { answer, heartbeats });
        pending
    }

    fn answer(&self, token: &str, answer: TokenAnswer) -> Result<(), TokenError> {
        let mut board = self.0.lock();
        let Some(waiter) = board.end(token) else {
            return Err(board.rejection(token));
        };
        drop(board);
        waiter.answer.send(answer).map_err(|_| TokenError::TaskTimedOut)
    }
}

impl Board {
    fn end(&mut self, token: &str) -> Option<Waiter> {
        let waiter = self.waiting.remove(token)?;
        self.ended.insert(token.to_owned());
        self.order.push_back(token.to_owned());
        if self.order.len() > MOST_ENDED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ended.remove(&oldest);
        }
        Some(waiter)
    }

    fn rejection(&self, token: &str) -> TokenError {
        if self.ended.contains(token) {
            return TokenError::TaskTimedOut;
        }
        match STANDARD.decode(token) {
            Ok(bytes) if bytes.len() == TOKEN_BYTES => TokenError::TaskDoesNotExist,
            _ => TokenError::InvalidToken,
        }
    }
}

/// An issued token and the receiver of its answer. Dropping it ends the token.
#[derive(Debug)]
pub(crate) struct PendingToken {
    token: String,
    answer: oneshot::Receiver<TokenAnswer>,
    heartbeats: watch::Receiver<u64>,
    board: TokenBoard,
}

impl PendingToken {
    /// Returns the token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Returns a receiver of the heartbeats.
    pub fn heartbeats(&self) -> watch::Receiver<u64> {
        self.heartbeats.clone()
    }

    /// Waits for the answer.
    pub async fn answer(&mut self) -> TokenAnswer {
        match (&mut self.answer).await {
            Ok(answer) => answer,
            Err(_) => std::future::pending().await,
        }
    }

    /// Returns the answer if it has arrived.
    pub fn answered(&mut self) -> Option<TokenAnswer> {
        self.answer.try_recv().ok()
    }
}

impl Drop for PendingToken {
    fn drop(&mut self) {
        self.board.0.lock().end(&self.token);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_token_can_be_answered_once() {
        let board = TokenBoard::new();
        let mut pending = board.issue();
        let token = pending.token().to_owned();
        board.send_heartbeat(&token).unwrap();
        board.send_success(&token, json!(1)).unwrap();
        assert_eq!(pending.answer().await, TokenAnswer::Success(json!(1)));
        assert_eq!(board.send_success(&token, json!(2)), Err(TokenError::TaskTimedOut));
        assert_eq!(board.send_heartbeat(&token), Err(TokenError::TaskTimedOut));
    }

    #[test]
    fn a_token_whose_task_has_ended_has_timed_out() {
        let board = TokenBoard::new();
        let pending = board.issue();
        let token = pending.token().to_owned();
        drop(pending);
        assert_eq!(board.send_failure(&token, None, None), Err(TokenError::TaskTimedOut));
    }

    #[test]
    fn a_token_of_another_board_does_not_exist_and_any_other_text_is_invalid() {
        let board = TokenBoard::new();
        let foreign = TokenBoard::new().issue().token().to_owned();
        assert_eq!(board.send_success(&foreign, json!(1)), Err(TokenError::TaskDoesNotExist));
        for wrong in ["", "token", "AAAA", "ä"] {
            assert_eq!(board.send_success(wrong, json!(1)), Err(TokenError::InvalidToken), "{wrong}");
        }
    }
}
