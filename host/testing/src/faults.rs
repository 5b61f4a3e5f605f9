//! Faults on request: which use of the host goes wrong, how, and how often.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use stagehost_batch::{Case, Failure};

/// A function of the host, by its name in the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostUse {
    /// `objects.stat`
    Stat,
    /// `objects.digest`
    Digest,
    /// `objects.object.open`
    Open,
    /// `objects.object.read` and `http.exchange.read`
    Read,
    /// `object-writer.writer.create`
    Create,
    /// `object-writer.writer.append` and `append-object`
    Append,
    /// `object-writer.writer.finish`
    Finish,
    /// `own-objects.find`
    List,
    /// `own-objects.remove`
    Delete,
    /// `tags.set`
    Tag,
    /// `transcoder.submit`
    Submit,
    /// `webhook.deliver`
    Deliver,
    /// `http.send` and `http.exchange.answer`
    Send,
    /// `http.exchange.write` and `write-object`
    Write,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Misfortune {
    /// The object is not there: `missing`.
    Missing,
    /// Another version is there: `mismatch`.
    Mismatch,
    /// The service does not answer: `transient`.
    Transient,
    /// It may not be done: `denied`.
    Refused,
    /// It succeeds, but late.
    Slow,
}

/// A fault that a test asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InjectedFault {
    /// Which function of the host it concerns.
    pub when: HostUse,
    /// Only keys or URLs that end with this text; every one if it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What happens.
    pub then: Misfortune,
    /// How many uses are spared first.
    #[serde(default)]
    pub after: u32,
    /// How many uses it concerns; every one if it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// How late a slow answer is, in milliseconds.
    #[serde(default = "late")]
    pub milliseconds: u64,
}

fn late() -> u64 {
    200
}

/// The faults of one host, with what has happened so far.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<(InjectedFault, u32)>);

impl Faults {
    pub(crate) fn add(&mut self, fault: InjectedFault) {
        self.0.push((fault, 0));
    }

    /// Returns what happens to this use: the first fault that concerns it.
    pub(crate) fn next(&mut self, used: HostUse, name: &str) -> Option<InjectedFault> {
        for (fault, seen) in &mut self.0 {
            if fault.when != used || !fault.key.as_deref().is_none_or(|end| name.ends_with(end)) {
                continue;
            }
            *seen = seen.saturating_add(1);
            let number = *seen;
            let begun = number > fault.after;
            let over = fault.times.is_some_and(|times| number > fault.after.saturating_add(times));
            if begun && !over {
                return Some(fault.clone());
            }
        }
        None
    }
}

impl InjectedFault {
    /// Returns how long the answer takes in addition.
    pub(crate) fn delay(&self) -> Duration {
        if self.then == Misfortune::Slow { Duration::from_millis(self.milliseconds) } else { Duration::ZERO }
    }

    /// Returns the failure; `None` if it is only late.
    pub(crate) fn failure(&self, name: &str) -> Option<Failure> {
        let (case, what) = match self.then {
            Misfortune::Missing => (Case::Missing, "is not there"),
            Misfortune::Mismatch => (Case::Mismatch, "has been replaced by another version"),
            Misfortune::Transient => (Case::Transient, "cannot be reached at the moment"),
            Misfortune::Refused => (Case::Denied, "is refused"),
            Misfortune::Slow => return None,
        };
        Some(Failure::new(case, format!("{name} {what}, because the test injects this fault")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn faults(json: &str) -> Faults {
        let mut faults = Faults::default();
        faults.add(serde_json::from_str(json).unwrap());
        faults
    }

    #[test]
    fn a_fault_concerns_some_keys_and_some_uses() {
        let mut faults = faults(r#"{"when": "open", "key": "b.jpg", "then": "transient", "after": 1, "times": 2}"#);
        assert!(faults.next(HostUse::Open, "1/raw/a.jpg").is_none(), "another key");
        assert!(faults.next(HostUse::Stat, "1/raw/b.jpg").is_none(), "another function");
        let hit: Vec<_> = (0..5).map(|_| faults.next(HostUse::Open, "1/raw/b.jpg").is_some()).collect();
        assert_eq!(hit, [false, true, true, false, false]);
    }

    #[test]
    fn every_misfortune_but_slowness_is_a_failure_that_names_the_key() {
        for (then, case) in [
            ("missing", Some(Case::Missing)),
            ("mismatch", Some(Case::Mismatch)),
            ("transient", Some(Case::Transient)),
            ("refused", Some(Case::Denied)),
            ("slow", None),
        ] {
            let fault = faults(&format!(r#"{{"when": "stat", "then": "{then}"}}"#)).next(HostUse::Stat, "k").unwrap();
            let failure = fault.failure("k");
            assert_eq!(failure.as_ref().map(|failure| failure.case), case);
            assert!(failure.is_none_or(|failure| failure.message.starts_with("k ")));
        }
    }

    #[test]
    fn a_misspelt_field_is_an_error() {
        let fault = serde_json::from_str::<InjectedFault>(r#"{"when": "stat", "then": "missing", "time": 1}"#);
        assert!(fault.unwrap_err().to_string().contains("time"));
    }
}
