//! When to try again, how long to wait, and when to stop.
//!
//! The policy is two pure functions, [`sort`] and [`next_wait`]; [`deliver`] is the loop around them. Exhausted attempts
//! are a transient failure: the state machine tries the state again later, which is what outlasts an outage.

use std::fmt;
use std::time::Duration;

use crate::bindings::toq::media::types::Failure;
use crate::bindings::toq::media::webhook::Reply;
use crate::config::Config;

/// The longest that one attempt takes: the host gives up then.
pub const ATTEMPT_LIMIT: Duration = Duration::from_secs(10);

/// What the loop needs of the world.
pub trait World {
    /// `webhook.deliver`
    fn attempt(&self, body: &str) -> Result<Reply, Failure>;
    /// Since the call began.
    fn elapsed(&self) -> Duration;
    /// Waits.
    fn sleep(&self, time: Duration);
    /// Any number.
    fn random(&self) -> u64;
}

/// What a status code means for the delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The backend has it.
    Delivered,
    /// It may take it later.
    Later,
    /// It will never take this, from us, here.
    Never,
}

/// Sorts the status codes. A redirect is final: it is not followed, and trying again would not change it.
pub fn sort(status: u16) -> Meaning {
    match status {
        200..=299 => Meaning::Delivered,
        408 | 425 | 429 | 500..=599 => Meaning::Later,
        _ => Meaning::Never,
    }
}

/// How long to wait after `attempts` failed ones, `elapsed` after the first began. `None`: no further attempt, because
/// there were enough, or because the next one might end too late.
///
/// The wait doubles each time; half of it is chosen by `random`, so that many batches do not come back at the same
/// moment. A longer one that the backend asks for is granted up to the configured longest wait.
pub fn next_wait(
    config: &Config,
    attempts: u32,
    elapsed: Duration,
    asked: Option<Duration>,
    random: u64,
) -> Option<Duration> {
    if attempts >= config.attempts {
        return None;
    }
    let doublings = attempts.saturating_sub(1).min(32);
    let full = config.first_delay_ms.saturating_mul(1 << doublings).min(config.max_delay_ms);
    let backoff = full / 2 + random % (full - full / 2 + 1);
    let asked = asked.unwrap_or_default().min(Duration::from_millis(config.max_delay_ms));
    let wait = Duration::from_millis(backoff).max(asked);
    let end = elapsed.saturating_add(wait).saturating_add(ATTEMPT_LIMIT);
    (end <= config.total()).then_some(wait)
}

/// A delivery that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The backend's answer.
    pub status: u16,
    /// How many attempts it took.
    pub attempts: u32,
}

impl fmt::Display for Delivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}) after {}", self.status, counted(self.attempts))
    }
}

/// Delivers `body`, trying again as `config` allows.
pub fn deliver(world: &impl World, config: &Config, body: &str) -> Result<Delivered, Failure> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let (trouble, asked) = match world.attempt(body) {
            Ok(Reply { status, retry_after_ms }) => match sort(status) {
                Meaning::Delivered => return Ok(Delivered { status, attempts }),
                Meaning::Never => return Err(refusal(status, attempts)),
                Meaning::Later => (format!("the backend answered {status}"), retry_after_ms.map(Duration::from_millis)),
            },
            Err(Failure::Transient(text)) => (text, None),
            Err(failure) => return Err(failure),
        };
        match next_wait(config, attempts, world.elapsed(), asked, world.random()) {
            Some(wait) => world.sleep(wait),
            None => {
                let text = format!("the callback was not delivered in {}: {trouble}", counted(attempts));
                return Err(Failure::Transient(text));
            }
        }
    }
}

fn refusal(status: u16, attempts: u32) -> Failure {
    let attempts = counted(attempts);
    match status {
        401 | 403 | 407 => Failure::Denied(format!(
            "the backend refused the callback with {status} after {attempts}: check the secret on both sides"
        )),
        300..=399 => Failure::InvalidInput(format!(
            "the backend redirected the callback with {status} after {attempts}, and redirects are not followed: \
             check the callback's address"
        )),
        _ => Failure::InvalidInput(format!("the backend refused the callback with {status} after {attempts}")),
    }
}

fn counted(attempts: u32) -> String {
    if attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") }
}

#[cfg(test)]
mod tests;
