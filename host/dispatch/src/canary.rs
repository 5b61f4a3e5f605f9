//! A canary that does badly is given up by the host that sees it, without waiting for a person.
//!
//! Each process judges by what it has seen itself; the role that it runs under may not change pins, and should not. The
//! pins still name the canary, so an alarm on what the watcher is told brings somebody to end it for good.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use stagehost_batch::{Case, Failure};
use stagehost_pins::{Canary, PinsEvent, PinsWatcher};
use stagehost_runtime::BatchOutcome;

/// Fewer calls say nothing about a share in percent.
const ENOUGH_CALLS: u64 = 20;

/// What this process has seen of canaries, by state.
pub(crate) struct CanaryHealth {
    seen: Mutex<HashMap<String, Seen>>,
    watcher: PinsWatcher,
}

struct Seen {
    /// Which canary it was. Another one, or the same with other settings, begins anew.
    canary: Canary,
    calls: u64,
    defects: u64,
    given_up: bool,
}

impl CanaryHealth {
    pub(crate) fn new(watcher: PinsWatcher) -> Self {
        Self { seen: Mutex::default(), watcher }
    }

    /// Whether the pinned stage is to run in its place.
    pub(crate) fn given_up(&self, state: &str, canary: &Canary) -> bool {
        self.seen().get(state).is_some_and(|seen| seen.given_up && seen.canary == *canary)
    }

    /// It could not even be loaded, so the pinned stage runs in its place: now, and from now on.
    pub(crate) fn unusable(&self, state: &str, canary: &Canary) {
        self.add(state, canary, 1, 1, true);
    }

    /// Takes note of a state's calls.
    pub(crate) fn note(&self, state: &str, canary: &Canary, outcome: Result<&BatchOutcome, &Failure>) {
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
        let mut all = self.seen();
        let fresh = || Seen { canary: canary.clone(), calls: 0, defects: 0, given_up: false };
        let seen = all.entry(state.to_owned()).or_insert_with(fresh);
        if seen.canary != *canary {
            *seen = fresh();
        }
        seen.calls += calls;
        seen.defects += defects;
        let over = |limit: u8| seen.calls >= ENOUGH_CALLS && seen.defects * 100 > u64::from(limit) * seen.calls;
        if (unusable || canary.abort_above_percent.is_some_and(over)) && !seen.given_up {
            seen.given_up = true;
            let (calls, defects) = (seen.calls, seen.defects);
            drop(all);
            (self.watcher)(PinsEvent::CanaryGivenUp { state, pin: &canary.pin, calls, defects });
        }
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is the stage's fault. A file that is damaged or of a wrong kind is not.
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
        let told = Arc::new(Mutex::new(Vec::new()));
        let watcher: PinsWatcher = {
            let told = told.clone();
            Arc::new(move |event| told.lock().unwrap().push(format!("{event:?}")))
        };
        (CanaryHealth::new(watcher), told)
    }

    #[test]
    fn a_canary_is_given_up_once_when_it_has_failed_too_often_and_enough_was_seen() {
        let ((health, told), canary) = (health(), canary(Some(10)));
        health.add("X", &canary, 19, 19, false);
        assert!(!health.given_up("X", &canary), "too few calls to tell");
        health.add("X", &canary, 1, 0, false);
        health.add("X", &canary, 1, 1, false);
        assert!(health.given_up("X", &canary));
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("calls: 20, defects: 19"), "{told:?}");
    }

    #[test]
    fn the_same_bytes_with_other_settings_or_for_another_state_are_judged_anew() {
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
        let ((health, told), bad) = (health(), canary(Some(10)));
        health.add("X", &bad, 100, 100, false);
        let mut other = bad.clone();
        other.percent += 1;
        health.add("X", &other, 1, 0, false);
        assert!(!health.given_up("X", &bad));
        health.add("X", &bad, 19, 19, false);
        assert!(!health.given_up("X", &bad), "its earlier calls do not count");
        health.add("X", &bad, 1, 1, false);
        assert!(health.given_up("X", &bad));
        assert_eq!(told.lock().unwrap().len(), 2);
    }

    #[test]
    fn one_that_cannot_be_loaded_is_given_up_at_once() {
        let ((health, told), canary) = (health(), canary(None));
        health.unusable("X", &canary);
        assert!(health.given_up("X", &canary));
        assert_eq!(told.lock().unwrap().len(), 1);
    }

    #[test]
    fn at_its_limit_or_without_one_it_goes_on() {
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
            health.note("X", &canary, Err(&Failure::new(Case::Corrupt, "cut off")));
        }
        assert!(!health.given_up("X", &canary));
        health.note("X", &canary, Err(&Failure::new(Case::Trapped, "unreachable")));
        assert!(health.given_up("X", &canary));
    }
}
