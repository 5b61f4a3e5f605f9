//! Task tokens: how somebody outside ends a state that waits.
//!
//! The board outlives executions and is shared by all of them: a token is all that the outside knows. What happens to a
//! token that is no longer waited for follows the service: one that was issued gets `TaskTimedOut`, one that never was
//! gets `TaskDoesNotExist` or, if it cannot be a token at all, `InvalidToken`.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::sync::{oneshot, watch};

/// How many ended tokens are remembered, so as to tell them from those that never were.
const MOST_ENDED: usize = 100_000;
/// What a token decodes to.
const TOKEN_BYTES: usize = 48;

/// Why a token was not accepted. The names are the service's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token.
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
    /// The exception's name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidToken => "InvalidToken",
            Self::TaskDoesNotExist => "TaskDoesNotExist",
            Self::TaskTimedOut => "TaskTimedOut",
        }
    }
}

/// What somebody reported for a token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Success(Value),
    Failure { error: Option<String>, cause: Option<String> },
}

/// All tokens. Cheap to clone; clones share everything.
#[derive(Clone, Debug, Default)]
pub struct TokenBoard(Arc<Mutex<Board>>);

#[derive(Debug, Default)]
struct Board {
    waiting: HashMap<String, Slot>,
    ended: HashSet<String>,
    order: VecDeque<String>,
}

#[derive(Debug)]
struct Slot {
    answer: oneshot::Sender<Answer>,
    beats: watch::Sender<u64>,
}

impl TokenBoard {
    /// An empty board.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the task that waits for `token` with a result.
    ///
    /// # Errors
    /// [`TokenError`]
    pub fn send_success(&self, token: &str, output: Value) -> Result<(), TokenError> {
        self.answer(token, Answer::Success(output))
    }

    /// Ends the task that waits for `token` with an error.
    ///
    /// # Errors
    /// [`TokenError`]
    pub fn send_failure(&self, token: &str, error: Option<String>, cause: Option<String>) -> Result<(), TokenError> {
        self.answer(token, Answer::Failure { error, cause })
    }

    /// Says that the task that waits for `token` is still worked on.
    ///
    /// # Errors
    /// [`TokenError`]
    pub fn send_heartbeat(&self, token: &str) -> Result<(), TokenError> {
        let board = self.board();
        match board.waiting.get(token) {
            Some(slot) => {
                slot.beats.send_modify(|beats| *beats = beats.wrapping_add(1));
                Ok(())
            }
            None => Err(board.why_not(token)),
        }
    }

    /// Makes a token and waits on it.
    pub(crate) fn issue(&self) -> Ticket {
        let mut bytes = Vec::with_capacity(TOKEN_BYTES);
        while bytes.len() < TOKEN_BYTES {
            bytes.extend_from_slice(uuid::Uuid::new_v4().as_bytes());
        }
        let token = STANDARD.encode(bytes);
        let (answer, receiver) = oneshot::channel();
        let beats = watch::Sender::new(0);
        let ticket = Ticket { token: token.clone(), answer: receiver, beats: beats.subscribe(), board: self.clone() };
        self.board().waiting.insert(token, Slot { answer, beats });
        ticket
    }

    fn answer(&self, token: &str, answer: Answer) -> Result<(), TokenError> {
        let mut board = self.board();
        let Some(slot) = board.end(token) else {
            return Err(board.why_not(token));
        };
        drop(board);
        slot.answer.send(answer).map_err(|_| TokenError::TaskTimedOut)
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        // Nothing in here panics half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Board {
    fn end(&mut self, token: &str) -> Option<Slot> {
        let slot = self.waiting.remove(token)?;
        self.ended.insert(token.to_owned());
        self.order.push_back(token.to_owned());
        if self.order.len() > MOST_ENDED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ended.remove(&oldest);
        }
        Some(slot)
    }

    fn why_not(&self, token: &str) -> TokenError {
        if self.ended.contains(token) {
            return TokenError::TaskTimedOut;
        }
        match STANDARD.decode(token) {
            Ok(bytes) if bytes.len() == TOKEN_BYTES => TokenError::TaskDoesNotExist,
            _ => TokenError::InvalidToken,
        }
    }
}

/// The waiting end of a token. Dropping it ends the token.
#[derive(Debug)]
pub(crate) struct Ticket {
    token: String,
    answer: oneshot::Receiver<Answer>,
    beats: watch::Receiver<u64>,
    board: TokenBoard,
}

impl Ticket {
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Somebody who hears the heartbeats.
    pub fn beats(&self) -> watch::Receiver<u64> {
        self.beats.clone()
    }

    /// The answer. Never returns without one: the slot lives as long as the ticket.
    pub async fn answer(&mut self) -> Answer {
        match (&mut self.answer).await {
            Ok(answer) => answer,
            Err(_) => std::future::pending().await,
        }
    }

    /// The answer if it is already there.
    pub fn answered(&mut self) -> Option<Answer> {
        self.answer.try_recv().ok()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.board.board().end(&self.token);
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
        let mut ticket = board.issue();
        let token = ticket.token().to_owned();
        board.send_heartbeat(&token).unwrap();
        board.send_success(&token, json!(1)).unwrap();
        assert_eq!(ticket.answer().await, Answer::Success(json!(1)));
        assert_eq!(board.send_success(&token, json!(2)), Err(TokenError::TaskTimedOut));
        assert_eq!(board.send_heartbeat(&token), Err(TokenError::TaskTimedOut));
    }

    #[test]
    fn a_token_that_nobody_waits_for_any_more_has_timed_out() {
        let board = TokenBoard::new();
        let ticket = board.issue();
        let token = ticket.token().to_owned();
        drop(ticket);
        assert_eq!(board.send_failure(&token, None, None), Err(TokenError::TaskTimedOut));
    }

    #[test]
    fn a_token_from_elsewhere_does_not_exist_and_anything_else_is_invalid() {
        let board = TokenBoard::new();
        let foreign = TokenBoard::new().issue().token().to_owned();
        assert_eq!(board.send_success(&foreign, json!(1)), Err(TokenError::TaskDoesNotExist));
        for wrong in ["", "token", "AAAA", "ä"] {
            assert_eq!(board.send_success(wrong, json!(1)), Err(TokenError::InvalidToken), "{wrong}");
        }
    }
}
