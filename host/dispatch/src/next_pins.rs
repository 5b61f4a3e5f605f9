//! A revision that is offered and not in force yet: when it is tried, and who may wait for it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use stagehost_pins::Pins;
use tokio::sync::watch;

/// Time between two tries if a store did not answer: the first, doubled each time up to the longest.
const RETRY_SOON: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(30)];

/// Time between two tries if something is missing or broken.
const RETRY_LATER: Duration = Duration::from_secs(60);

/// The longest first try; each try may take twice as long as the one before, up to the longest of all.
const BOUND: [Duration; 2] = [Duration::from_secs(15), Duration::from_secs(120)];

/// The longest that a call waits in a process which was frozen while it loaded. Such a process has calls so seldom, or such
/// short ones, that it could run old pins for hours otherwise.
const AFTER_A_FREEZE: Duration = Duration::from_millis(400);

/// Returns how long a try may take after so many failed ones, not counting the time in which the process was frozen.
pub(crate) fn bound(failures: u32) -> Duration {
    doubled(BOUND, failures)
}

fn doubled([first, longest]: [Duration; 2], times: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times)).min(longest)
}

/// A revision that is offered and not in force yet.
pub(crate) struct NextPins {
    pub(crate) pins: Arc<Pins>,
    /// When it was offered first. Wall-clock time, because a frozen Lambda's monotonic clock may stand still.
    offered: SystemTime,
    /// How many tries have failed.
    failures: u32,
    /// When the last try began.
    begun: Option<SystemTime>,
    /// When the next try may begin, after the last one ended: since when, and how long to wait.
    pause: Option<(SystemTime, Duration)>,
    done: watch::Receiver<bool>,
    /// Whether a call has waited because the process had been frozen.
    waited: bool,
    refused: bool,
}

/// A try to load a revision, as a call sees it.
pub(crate) struct Loading {
    /// Becomes true when the try has ended.
    pub(crate) done: watch::Receiver<bool>,
    /// The age of the first try while it is under way; `None` later, when no call waits any more.
    age: Option<Duration>,
    may_wait_after_a_freeze: bool,
}

impl NextPins {
    pub(crate) fn new(pins: Arc<Pins>) -> Self {
        let (_, done) = watch::channel(true);
        Self {
            pins,
            offered: SystemTime::now(),
            failures: 0,
            begun: None,
            pause: None,
            done,
            waited: false,
            refused: false,
        }
    }

    /// Returns how many tries have failed.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Begins a try if none is under way and the pause after the last one is over. The caller makes it, and sends `true`
    /// when it has ended.
    pub(crate) fn begin(&mut self) -> Option<watch::Sender<bool>> {
        // A clock that was set back does not prolong the pause.
        let over = |(since, pause): (SystemTime, Duration)| since.elapsed().map_or(true, |time| time >= pause);
        if self.begun.is_some() && !self.pause.is_some_and(over) {
            return None;
        }
        let (sender, done) = watch::channel(false);
        (self.begun, self.pause, self.done) = (Some(SystemTime::now()), None, done);
        Some(sender)
    }

    /// Returns the current or the last try, for a call. Only one call may wait because of a freeze.
    pub(crate) fn loading(&mut self) -> Loading {
        let under_way = self.pause.is_none();
        let age = self.begun.and_then(|begun| begun.elapsed().ok()).filter(|_| under_way && self.failures == 0);
        // A try that takes so much longer than it may has not run all the time.
        let frozen = age.is_some_and(|age| age > bound(0) * 2);
        let may_wait_after_a_freeze = frozen && !self.waited;
        self.waited |= frozen;
        Loading { done: self.done.clone(), age, may_wait_after_a_freeze }
    }

    /// Notes that a try found the revision broken. Returns whether it was the first to find that.
    pub(crate) fn note_refused(&mut self) -> bool {
        self.failed(RETRY_LATER);
        !std::mem::replace(&mut self.refused, true)
    }

    /// Notes that a try got no answer. Returns for how many seconds the revision has been offered.
    pub(crate) fn note_late(&mut self) -> u64 {
        self.failed(doubled(RETRY_SOON, self.failures));
        self.offered.elapsed().unwrap_or_default().as_secs()
    }

    fn failed(&mut self, pause: Duration) {
        self.failures = self.failures.saturating_add(1);
        self.pause = Some((SystemTime::now(), pause));
    }
}

impl Loading {
    /// Returns how long a call that has good pins may wait for this try, if the source lets it wait for `max_wait`. A try
    /// that follows a failed one is not waited for.
    pub(crate) fn allowance(&self, max_wait: Duration) -> Duration {
        let Some(age) = self.age else { return Duration::ZERO };
        let left = max_wait.saturating_sub(age);
        if left.is_zero() && self.may_wait_after_a_freeze { AFTER_A_FREEZE } else { left }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn next() -> NextPins {
        NextPins::new(Arc::new(Pins::parse(br#"{"revision": 2, "states": {}}"#, "test").unwrap()))
    }

    #[test]
    fn a_call_waits_only_as_long_as_the_source_allows_and_only_for_the_first_try() {
        let mut next = next();
        assert!(next.begin().is_some() && next.begin().is_none(), "one try at a time");
        assert!(next.loading().allowance(Duration::ZERO).is_zero());
        assert!(next.loading().allowance(Duration::from_secs(60)) > Duration::from_secs(30));
        next.begun = Some(SystemTime::now() - Duration::from_secs(4));
        assert!(next.loading().allowance(Duration::from_secs(3)).is_zero());
        next.note_late();
        next.pause = Some((SystemTime::now(), Duration::ZERO));
        assert!(next.begin().is_some());
        assert!(next.loading().allowance(Duration::from_secs(60)).is_zero(), "it failed before");
    }

    #[test]
    fn one_call_waits_shortly_if_the_process_was_frozen_while_it_loaded() {
        let mut next = next();
        next.begin().unwrap();
        next.begun = Some(SystemTime::now() - Duration::from_secs(3600));
        assert_eq!(next.loading().allowance(Duration::ZERO), AFTER_A_FREEZE);
        assert!(next.loading().allowance(Duration::ZERO).is_zero());
    }

    #[test]
    fn pauses_grow_while_a_store_does_not_answer_and_end_although_the_clock_is_set_back() {
        let mut next = next();
        next.begin().unwrap();
        let mut pauses = Vec::new();
        for _ in 0..8 {
            next.note_late();
            pauses.push(next.pause.unwrap().1.as_millis());
        }
        assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert!(next.begin().is_none());
        next.pause = Some((SystemTime::now() + Duration::from_secs(3600), RETRY_LATER));
        assert!(next.begin().is_some());
        assert_eq!([0, 1, 3, 9].map(|failures| bound(failures).as_secs()), [15, 30, 120, 120]);
    }

    #[test]
    fn a_broken_revision_is_reported_once() {
        let mut next = next();
        assert!(next.note_refused() && !next.note_refused());
    }
}
