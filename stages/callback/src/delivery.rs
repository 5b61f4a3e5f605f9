//! When to try again, how long to wait, and when to stop.
//!
//! The policy is two pure functions, [`classify`] and [`next_wait`]; [`deliver`] is the loop around them. When the attempts
//! are used up, the failure is transient: the state machine tries the state again later, which outlasts an outage.

use std::fmt;
use std::time::Duration;

use crate::bindings::toq::media::types::Failure;
use crate::bindings::toq::media::webhook::Reply;
use crate::config::{ATTEMPT_LIMIT, Config};

/// What the loop needs of its host.
pub trait Host {
    /// Calls `webhook.deliver`.
    fn attempt(&self, body: &str) -> Result<Reply, Failure>;
    /// Returns the time since the call began.
    fn elapsed(&self) -> Duration;
    /// Waits.
    fn sleep(&self, time: Duration);
    /// Returns a random number.
    fn random(&self) -> u64;
}

/// What an HTTP status means for the delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The backend has accepted the document.
    Delivered,
    /// The backend may accept it later.
    Later,
    /// Trying again would not help.
    Never,
}

/// Returns what a status means. A redirect is final: it is not followed, and trying again would not change it.
pub fn classify(config: &Config, status: u16) -> Meaning {
    match status {
        200..=299 => Meaning::Delivered,
        404 if config.retry_not_found => Meaning::Later,
        408 | 425 | 429 | 500..=599 => Meaning::Later,
        _ => Meaning::Never,
    }
}

/// Returns how long to wait after `attempts` failed attempts, at `elapsed` after the call began. `None` if the attempts are
/// used up, or if another one might end too late.
///
/// The wait doubles each time, and half of it is random, so that many batches do not return at the same moment. If the
/// backend asks for a longer wait (`asked`), it gets that, up to the configured longest wait.
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
    /// The backend's status.
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
///
/// # Errors
/// `transient` if no attempt succeeded, `denied` or `invalid-input` if the backend refused the document for good, or the
/// host's own failure.
pub fn deliver(host: &impl Host, config: &Config, body: &str) -> Result<Delivered, Failure> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let (reason, asked) = match host.attempt(body) {
            Ok(Reply { status, retry_after_ms }) => match classify(config, status) {
                Meaning::Delivered => return Ok(Delivered { status, attempts }),
                Meaning::Never => return Err(refusal(status, attempts)),
                Meaning::Later => (format!("the backend answered {status}"), retry_after_ms.map(Duration::from_millis)),
            },
            Err(Failure::Transient(text)) => (text, None),
            Err(failure) => return Err(failure),
        };
        match next_wait(config, attempts, host.elapsed(), asked, host.random()) {
            Some(wait) => host.sleep(wait),
            None => {
                let text = format!("the callback was not delivered in {}: {reason}", counted(attempts));
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
