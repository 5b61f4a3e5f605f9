//! The health of canaries: a host gives up a canary that fails too often, without waiting for a person.
//!
//! Each process judges by its own calls, because its role must not change pins. The pins still name the canary, so the
//! event raises an alarm, and a person removes the canary with `stagehost pins abort`.

use std::collections::HashMap;
use std::sync::Mutex;

use stagehost_batch::{Case, Failure};
use stagehost_pins::{Canary, PinsEvent, PinsWatcher};
use stagehost_runtime::{BatchOutcome, lock};

/// A canary is judged after this many calls. Fewer do not make a percentage.
const ENOUGH_CALLS: u64 = 20;

/// The calls and defects of canaries in this process.
pub(crate) struct CanaryHealth {
    /// By state.
    tallies: Mutex<HashMap<String, Tally>>,
    watcher: PinsWatcher,
}

struct Tally {
    /// The canary that is counted. Another canary, or the same with other settings, starts a new tally.
    canary: Canary,
    calls: u64,
    defects: u64,
    given_up: bool,
}

impl CanaryHealth {
    pub(crate) fn new(watcher: PinsWatcher) -> Self {
        Self { tallies: Mutex::default(), watcher }
    }

    /// Returns whether the canary is given up, so that the pinned stage must run.
    pub(crate) fn given_up(&self, state: &str, canary: &Canary) -> bool {
        lock(&self.tallies).get(state).is_some_and(|tally| tally.given_up && tally.canary == *canary)
    }

    /// Gives up a canary that cannot be loaded.
    pub(crate) fn unusable(&self, state: &str, canary: &Canary) {
        self.add(state, canary, 1, 1, true);
    }

    /// Counts the calls of a state, and gives up a canary that fails too often.
    pub(crate) fn count(&self, state: &str, canary: &Canary, outcome: Result<&BatchOutcome, &Failure>) {
        let (calls, defects) = match outcome {
            Ok(outcome) => {
                let problems = outcome.batch.assets.iter().filter_map(|asset| asset.problem.as_ref());
                let defects = problems.filter(|problem| problem.state == state && is_defect(&problem.code)).count();
                (outcome.reports.len(), defects)
            }
            Err(failure) => (1, usize::from(is_defect(failure.case.name()))),
        };
        self.add(state, canary, calls as u64, defects as u64, false);
    }

    fn add(&self, state: &str, canary: &Canary, calls: u64, defects: u64, unusable: bool) {
        let mut tallies = lock(&self.tallies);
        let fresh = || Tally { canary: canary.clone(), calls: 0, defects: 0, given_up: false };
        let tally = tallies.entry(state.to_owned()).or_insert_with(fresh);
        if tally.canary != *canary {
            *tally = fresh();
        }
        tally.calls += calls;
        tally.defects += defects;
        let over = |limit: u8| tally.calls >= ENOUGH_CALLS && tally.defects * 100 > u64::from(limit) * tally.calls;
        if (unusable || canary.abort_above_percent.is_some_and(over)) && !tally.given_up {
            tally.given_up = true;
            let (calls, defects) = (tally.calls, tally.defects);
            drop(tallies);
            (self.watcher)(PinsEvent::CanaryGivenUp { state, pin: &canary.pin, calls, defects });
        }
    }
}

/// Returns whether a failure is the stage's fault. A damaged file or one of the wrong kind is not.
fn is_defect(code: &str) -> bool {
    [Case::Internal, Case::Trapped, Case::OutOfMemory, Case::Timeout].iter().any(|case| case.name() == code)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn canary(limit: Option<u8>) -> Canary {
        let pin = json!({
            "stage": "x", "version": "2.0.0", "world": "custom", "digest": format!("sha256:{}", "1".repeat(64)),
        });
        Canary { percent: 5, abort_above_percent: limit, pin: serde_json::from_value(pin).unwrap() }
    }

    fn health() -> (CanaryHealth, Arc<Mutex<Vec<String>>>) {
        let events = Arc::new(Mutex::new(Vec::new()));
        let watcher: PinsWatcher = {
            let events = events.clone();
            Arc::new(move |event| events.lock().unwrap().push(format!("{event:?}")))
        };
        (CanaryHealth::new(watcher), events)
    }

    #[test]
    fn a_canary_is_given_up_once_after_enough_calls_and_too_many_defects() {
        let ((health, events), canary) = (health(), canary(Some(10)));
        health.add("X", &canary, 19, 19, false);
        assert!(!health.given_up("X", &canary), "too few calls to tell");
        health.add("X", &canary, 1, 0, false);
        health.add("X", &canary, 1, 1, false);
        assert!(health.given_up("X", &canary));
        let events = events.lock().unwrap();
        assert_eq!(events.len(), 1);
        assert!(events[0].contains("calls: 20, defects: 19"), "{events:?}");
    }

    #[test]
    fn other_settings_or_another_state_start_a_new_tally() {
        let ((health, _), bad) = (health(), canary(Some(10)));
        health.add("X", &bad, 100, 100, false);
        let mut mended = bad.clone();
        mended.pin.config.insert("quality".into(), 80.into());
        assert!(health.given_up("X", &bad) && !health.given_up("X", &mended) && !health.given_up("Y", &bad));
        health.add("X", &mended, 30, 0, false);
        assert!(!health.given_up("X", &mended));
    }

    /// Only the canary that a state ran last is remembered. So one that was given up is tried again if the pins change to
    /// another canary and back.
    #[test]
    fn a_canary_that_was_given_up_is_forgotten_when_the_state_runs_another_one() {
        let ((health, events), bad) = (health(), canary(Some(10)));
        health.add("X", &bad, 100, 100, false);
        let mut other = bad.clone();
        other.percent += 1;
        health.add("X", &other, 1, 0, false);
        assert!(!health.given_up("X", &bad));
        health.add("X", &bad, 19, 19, false);
        assert!(!health.given_up("X", &bad), "its earlier calls do not count");
        health.add("X", &bad, 1, 1, false);
        assert!(health.given_up("X", &bad));
        assert_eq!(events.lock().unwrap().len(), 2);
    }

    #[test]
    fn a_canary_that_cannot_be_loaded_is_given_up_at_once() {
        let ((health, events), canary) = (health(), canary(None));
        health.unusable("X", &canary);
        assert!(health.given_up("X", &canary));
        assert_eq!(events.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_canary_at_its_limit_or_without_a_limit_goes_on() {
        let ((health, _), limited, free) = (health(), canary(Some(10)), canary(None));
        health.add("X", &limited, 100, 10, false);
        assert!(!health.given_up("X", &limited));
        health.add("X", &free, 100, 100, false);
        assert!(!health.given_up("X", &free));
    }

    #[test]
    fn a_damaged_file_is_not_the_stages_fault() {
        let (health, _) = health();
        let canary = canary(Some(1));
        for _ in 0..50 {
            health.count("X", &canary, Err(&Failure::new(Case::Corrupt, "cut off")));
        }
        assert!(!health.given_up("X", &canary));
        health.count("X", &canary, Err(&Failure::new(Case::Trapped, "unreachable")));
        assert!(health.given_up("X", &canary));
    }
}
