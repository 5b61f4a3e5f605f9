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

/// What this process has seen of canaries, by digest.
pub(crate) struct CanaryHealth {
    seen: Mutex<HashMap<String, Seen>>,
    watcher: PinsWatcher,
}

#[derive(Clone, Copy, Default)]
struct Seen {
    calls: u64,
    defects: u64,
    given_up: bool,
}

impl CanaryHealth {
    pub(crate) fn new(watcher: PinsWatcher) -> Self {
        Self { seen: Mutex::default(), watcher }
    }

    /// Whether the pinned stage is to run in its place.
    pub(crate) fn given_up(&self, digest: &str) -> bool {
        self.seen().get(digest).is_some_and(|seen| seen.given_up)
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
        self.add(state, canary, calls as u64, defects as u64);
    }

    fn add(&self, state: &str, canary: &Canary, calls: u64, defects: u64) {
        let digest = &canary.pin.digest;
        let mut all = self.seen();
        let seen = all.entry(digest.clone()).or_default();
        seen.calls += calls;
        seen.defects += defects;
        let Some(limit) = canary.abort_above_percent else { return };
        let bad = seen.calls >= ENOUGH_CALLS && seen.defects * 100 > u64::from(limit) * seen.calls;
        if bad && !seen.given_up {
            seen.given_up = true;
            let Seen { calls, defects, .. } = *seen;
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
        health.add("X", &canary, 19, 19);
        assert!(!health.given_up(&canary.pin.digest), "too few calls to tell");
        health.add("X", &canary, 1, 0);
        health.add("X", &canary, 1, 1);
        assert!(health.given_up(&canary.pin.digest));
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("calls: 20, defects: 19"), "{told:?}");
    }

    #[test]
    fn at_its_limit_or_without_one_it_goes_on() {
        let ((health, _), limited, free) = (health(), canary(Some(10)), canary(None));
        health.add("X", &limited, 100, 10);
        assert!(!health.given_up(&limited.pin.digest));
        health.add("X", &free, 100, 100);
        assert!(!health.given_up(&free.pin.digest));
    }

    #[test]
    fn a_damaged_file_is_not_the_stages_fault() {
        let (health, _) = health();
        let canary = canary(Some(1));
        for _ in 0..50 {
            health.note("X", &canary, Err(&Failure::new(Case::Corrupt, "cut off")));
        }
        assert!(!health.given_up(&canary.pin.digest));
        health.note("X", &canary, Err(&Failure::new(Case::Trapped, "unreachable")));
        assert!(health.given_up(&canary.pin.digest));
    }
}
