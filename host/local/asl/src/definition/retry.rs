//! Which failures a Retry or Catch matches, and how long a retry waits.

use std::time::Duration;

use rand::Rng as _;

use super::query::Assign;
use super::settings::ResultPath;
use crate::error::{StateError, names};
use crate::expressions::jsonata::template::QueryTemplate;
use crate::limits::SECONDS;

/// `ErrorEquals`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorEquals(pub Vec<String>);

impl ErrorEquals {
    /// Returns the first name in the list that matches the failure.
    ///
    /// A name matches the failure of that name. `States.ALL` matches every failure but `States.Runtime`, which must be
    /// named; `States.TaskFailed` none of timeouts, `States.Runtime` and `States.DataLimitExceeded`. Nothing matches a
    /// failure after the work of the state, such as that of its `OutputPath`.
    pub fn matching(&self, error: &StateError) -> Option<&str> {
        let matches = |name: &str| match name {
            _ if error.terminal => false,
            name if name == error.error || error.aliases.contains(&name) => true,
            names::ALL => error.error != names::RUNTIME,
            names::TASK_FAILED => {
                ![names::RUNTIME, names::DATA_LIMIT_EXCEEDED, names::TIMEOUT].contains(&error.error.as_str())
            }
            _ => false,
        };
        self.0.iter().map(String::as_str).find(|name| matches(name))
    }
}

/// One entry of `Retry`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Retrier {
    pub errors: ErrorEquals,
    /// In seconds.
    pub interval: u64,
    pub max_attempts: u64,
    pub backoff: f64,
    /// In seconds.
    pub max_delay: Option<u64>,
    /// `JitterStrategy` is `FULL`.
    pub jitter: bool,
}

/// One entry of `Catch`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Catcher {
    pub errors: ErrorEquals,
    pub next: String,
    pub result_path: ResultPath,
    pub assign: Option<Assign>,
    /// Of a JSONata state.
    pub output: Option<QueryTemplate>,
}

impl Retrier {
    /// Returns the longest wait before the next attempt, after `done` retries.
    fn delay(&self, done: u64) -> Duration {
        #[allow(clippy::cast_precision_loss)]
        let most = self.max_delay.unwrap_or(SECONDS) as f64;
        #[allow(clippy::cast_precision_loss)]
        let grown = self.interval as f64 * self.backoff.powf(done as f64);
        // A product of large numbers may be infinite.
        Duration::from_secs_f64(grown.min(most).max(0.0))
    }
}

/// The retries of one visit to a state. Every retrier has its own count.
#[derive(Debug)]
pub(crate) struct Attempts<'a> {
    retriers: &'a [Retrier],
    done: Vec<u64>,
    /// What each of `done` began with.
    before: u64,
}

impl<'a> Attempts<'a> {
    /// Returns the attempts of a state that none has been made of.
    #[cfg(test)]
    pub fn new(retriers: &'a [Retrier]) -> Self {
        Self::after(retriers, 0)
    }

    /// Returns the attempts of a state after each retrier has made `done` of them.
    pub fn after(retriers: &'a [Retrier], done: u64) -> Self {
        Self { retriers, done: vec![done; retriers.len()], before: done }
    }

    /// Returns the number of retries of all retriers.
    pub fn count(&self) -> u64 {
        self.done.iter().map(|done| done - self.before).sum()
    }

    /// Returns the position of the retrier that applies to the failure and how long it waits, without jitter; `None` if
    /// the failure is not retried. Only the first retrier that matches the failure applies.
    pub fn planned(&self, error: &StateError) -> Option<(usize, Duration)> {
        let mut all = self.retriers.iter().zip(&self.done).enumerate();
        let (at, (retrier, done)) = all.find(|(_, (retrier, _))| retrier.errors.matching(error).is_some())?;
        (*done < retrier.max_attempts).then(|| (at, retrier.delay(*done)))
    }

    /// Counts a retry and returns how long to wait; `None` if the failure is not retried.
    pub fn next(&mut self, error: &StateError) -> Option<Duration> {
        let (at, delay) = self.planned(error)?;
        self.done[at] += 1;
        let jitter = self.retriers[at].jitter;
        Some(if jitter { delay.mul_f64(rand::rng().random_range(0.0..=1.0)) } else { delay })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equals(names: &[&str]) -> ErrorEquals {
        ErrorEquals(names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn retrier(names: &[&str], max_attempts: u64) -> Retrier {
        Retrier { errors: equals(names), interval: 1, max_attempts, backoff: 2.0, max_delay: None, jitter: false }
    }

    fn task(name: &str) -> StateError {
        StateError::reported(name, None)
    }

    #[test]
    fn all_matches_every_error_that_is_not_terminal() {
        let all = equals(&["States.ALL"]);
        for error in [task("Stage.Corrupt"), StateError::timeout(), StateError::data_limit("x")] {
            assert!(all.matching(&error).is_some(), "{error:?}");
        }
        for error in [StateError::runtime("x"), StateError::no_choice(), StateError::parameter_path("x")] {
            assert!(all.matching(&error).is_none(), "{error:?}");
        }
    }

    #[test]
    fn task_failed_matches_every_error_but_timeouts_and_terminal_ones() {
        let failed = equals(&["States.TaskFailed"]);
        assert!(failed.matching(&task("Lambda.Unknown")).is_some());
        assert!(failed.matching(&task("States.Permissions")).is_some());
        for error in
            [StateError::timeout(), StateError::heartbeat(), StateError::runtime("x"), StateError::data_limit("x")]
        {
            assert!(failed.matching(&error).is_none(), "{error:?}");
        }
    }

    #[test]
    fn a_missed_heartbeat_is_a_timeout_with_its_own_name() {
        assert!(equals(&["States.HeartbeatTimeout"]).matching(&StateError::heartbeat()).is_some());
        assert!(equals(&["States.Timeout"]).matching(&StateError::heartbeat()).is_some());
        assert!(equals(&["States.HeartbeatTimeout"]).matching(&StateError::timeout()).is_none());
    }

    #[test]
    fn terminal_errors_are_matched_by_their_own_names() {
        assert!(equals(&["States.DataLimitExceeded"]).matching(&StateError::data_limit("x")).is_some());
        assert!(equals(&["States.ParameterPathFailure"]).matching(&StateError::parameter_path("x")).is_some());
        assert!(equals(&["States.NoChoiceMatched"]).matching(&StateError::no_choice()).is_some());
        assert!(equals(&["States.BranchFailed"]).matching(&task("X").of_branch()).is_some());
        assert!(equals(&["States.Runtime"]).matching(&StateError::runtime("x").terminal()).is_none());
    }

    #[test]
    fn each_retrier_counts_its_own_attempts() {
        // The example of the language's documentation.
        let mut b = retrier(&["ErrorC"], 3);
        b.interval = 5;
        let retriers = [retrier(&["ErrorA", "ErrorB"], 2), b];
        let mut attempts = Attempts::new(&retriers);
        assert_eq!(attempts.next(&task("ErrorA")), Some(Duration::from_secs(1)));
        assert_eq!(attempts.next(&task("ErrorB")), Some(Duration::from_secs(2)));
        assert_eq!(attempts.next(&task("ErrorC")), Some(Duration::from_secs(5)));
        assert_eq!(attempts.count(), 3);
        assert_eq!(attempts.next(&task("ErrorB")), None);
    }

    #[test]
    fn zero_attempts_mean_no_retry_even_if_a_later_retrier_matches() {
        let retriers = [retrier(&["ErrorA"], 0), retrier(&["States.ALL"], 3)];
        assert_eq!(Attempts::new(&retriers).next(&task("ErrorA")), None);
        assert_eq!(Attempts::new(&retriers).next(&task("ErrorB")), Some(Duration::from_secs(1)));
    }

    #[test]
    fn the_wait_grows_up_to_the_limit_and_never_overflows() {
        let mut retrier = retrier(&["States.ALL"], 99_999_999);
        retrier.max_delay = Some(10);
        assert_eq!(retrier.delay(2), Duration::from_secs(4));
        assert_eq!(retrier.delay(5), Duration::from_secs(10));
        assert_eq!(retrier.delay(99_999_999), Duration::from_secs(10));
        retrier.max_delay = None;
        assert_eq!(retrier.delay(99_999_999), Duration::from_secs(SECONDS));
    }

    #[test]
    fn full_jitter_waits_at_most_the_delay() {
        let retriers = [Retrier { jitter: true, interval: 100, ..retrier(&["States.ALL"], 50) }];
        for _ in 0..50 {
            let mut attempts = Attempts::new(&retriers);
            assert!(attempts.next(&task("X")).is_some_and(|delay| delay <= Duration::from_secs(100)));
        }
    }
}
