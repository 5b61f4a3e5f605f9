//! The changes that can be made to pins, as functions from one document to the next. Nothing is kept here: a change is
//! shown, checked and only then put in force by the store.

use crate::document::{Canary, Pin, Pins, Shadow};

/// Why a change cannot be made to these pins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// No such state.
    #[error("no stage is pinned to the state {state:?}; pinned are {}", .pinned.join(", "))]
    State {
        /// As given.
        state: String,
        /// What there is.
        pinned: Vec<String>,
    },
    /// There is no such candidate.
    #[error("the state {state} has no {what}")]
    NoCandidate {
        /// `canary`, `shadow` or `recording`
        what: &'static str,
        /// The state.
        state: String,
    },
    /// It would change nothing.
    #[error("nothing would change: {0}")]
    Nothing(String),
    /// The pins in force cannot be taken away from under running executions.
    #[error("revision {0} is in force; roll back first (`stagehost pins rollback`), then revoke it")]
    InForce(u64),
    /// Never was.
    #[error("there is no revision {0} yet")]
    Unknown(u64),
}

impl Pins {
    /// With another pin for a state; a canary and a shadow of the one before end with it.
    #[must_use]
    pub fn pinning(&self, state: &str, pin: Pin) -> Self {
        let mut next = self.without_candidates(state);
        next.states.insert(state.to_owned(), pin);
        next
    }

    /// With everything as it was in `earlier`; what is revoked stays revoked.
    #[must_use]
    pub fn rolled_back_to(&self, earlier: &Pins) -> Self {
        let revoked = self.revoked.union(&earlier.revoked).copied().collect();
        Self { revoked, ..earlier.clone() }
    }

    /// With a revision that nothing may go on with.
    ///
    /// # Errors
    /// If it is in force, never was, or is revoked already.
    pub fn revoking(&self, revision: u64) -> Result<Self, ChangeError> {
        if revision == self.revision {
            return Err(ChangeError::InForce(revision));
        }
        if revision == 0 || revision > self.revision {
            return Err(ChangeError::Unknown(revision));
        }
        let mut next = self.clone();
        if !next.revoked.insert(revision) {
            return Err(ChangeError::Nothing(format!("revision {revision} is revoked already")));
        }
        Ok(next)
    }

    /// With a candidate that answers for some executions.
    ///
    /// # Errors
    /// If the state has no pin, or the pin names the same bytes with the same configuration.
    pub fn with_canary(&self, state: &str, canary: Canary) -> Result<Self, ChangeError> {
        self.differs(state, &canary.pin)?;
        let mut next = self.clone();
        next.canaries.insert(state.to_owned(), canary);
        Ok(next)
    }

    /// With the canary as the state's pin.
    ///
    /// # Errors
    /// If there is none.
    pub fn promoting(&self, state: &str) -> Result<Self, ChangeError> {
        let canary = self.canaries.get(state).ok_or_else(|| no_candidate("canary", state))?;
        Ok(self.pinning(state, canary.pin.clone()))
    }

    /// Without the canary.
    ///
    /// # Errors
    /// If there is none.
    pub fn aborting(&self, state: &str) -> Result<Self, ChangeError> {
        let mut next = self.clone();
        next.canaries.remove(state).ok_or_else(|| no_candidate("canary", state))?;
        Ok(next)
    }

    /// With a candidate that is watched, or without one.
    ///
    /// # Errors
    /// If the state has no pin, or there is nothing to end.
    pub fn with_shadow(&self, state: &str, shadow: Option<Shadow>) -> Result<Self, ChangeError> {
        let mut next = self.clone();
        match shadow {
            Some(shadow) => {
                self.differs(state, &shadow.pin)?;
                next.shadows.insert(state.to_owned(), shadow);
            }
            None => {
                next.shadows.remove(state).ok_or_else(|| no_candidate("shadow", state))?;
            }
        }
        Ok(next)
    }

    /// With calls recorded for so many executions of a hundred; zero ends it.
    ///
    /// # Errors
    /// If the state has no pin, or there is nothing to end.
    pub fn recording(&self, state: &str, percent: u8) -> Result<Self, ChangeError> {
        self.pinned(state)?;
        let mut next = self.clone();
        if percent > 0 {
            next.recordings.insert(state.to_owned(), percent);
        } else {
            next.recordings.remove(state).ok_or_else(|| no_candidate("recording", state))?;
        }
        Ok(next)
    }

    /// The pin of a state.
    ///
    /// # Errors
    /// If it has none; the error names those that have.
    pub fn pinned(&self, state: &str) -> Result<&Pin, ChangeError> {
        self.states.get(state).ok_or_else(|| ChangeError::State {
            state: state.to_owned(),
            pinned: self.states.keys().cloned().collect(),
        })
    }

    fn differs(&self, state: &str, candidate: &Pin) -> Result<(), ChangeError> {
        if self.pinned(state)? == candidate {
            return Err(ChangeError::Nothing(format!("{candidate} is pinned to {state} already")));
        }
        Ok(())
    }

    fn without_candidates(&self, state: &str) -> Self {
        let mut next = self.clone();
        next.canaries.remove(state);
        next.shadows.remove(state);
        next
    }
}

fn no_candidate(what: &'static str, state: &str) -> ChangeError {
    ChangeError::NoCandidate { what, state: state.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::document::tests::{pin, pins};

    fn canary(percent: u8) -> Canary {
        Canary { percent, abort_above_percent: None, pin: pin("x", "2.0.0", '1') }
    }

    #[test]
    fn a_canary_is_promoted_or_aborted() {
        let before = pins(1, "1.0.0", '0');
        assert_eq!(before.promoting("X").unwrap_err().to_string(), "the state X has no canary");
        let tried = before.with_canary("X", canary(5)).unwrap();
        assert_eq!(tried.states["X"].version, "1.0.0");
        assert_eq!(tried.aborting("X").unwrap(), before);
        let promoted = tried.promoting("X").unwrap();
        assert_eq!(promoted.states["X"].version, "2.0.0");
        assert!(promoted.canaries.is_empty(), "it is the pin now");
        assert!(matches!(promoted.with_canary("X", canary(5)), Err(ChangeError::Nothing(_))));
    }

    #[test]
    fn rolling_back_brings_everything_back_but_what_is_revoked() {
        let first = pins(1, "1.0.0", '0').with_canary("X", canary(5)).unwrap();
        let mut third = Pins { revision: 3, ..first.pinning("X", pin("x", "3.0.0", '3')) };
        third.revoked.insert(2);
        let back = third.rolled_back_to(&first);
        assert_eq!((back.states, back.canaries), (first.states, first.canaries));
        assert!(back.revoked.contains(&2));
    }

    #[test]
    fn only_a_revision_of_the_past_can_be_revoked_once() {
        let third = pins(3, "1.0.0", '0');
        assert_eq!(third.revoking(3).unwrap_err(), ChangeError::InForce(3));
        assert_eq!(third.revoking(4).unwrap_err(), ChangeError::Unknown(4));
        let revoked = third.revoking(2).unwrap();
        assert!(matches!(revoked.revoking(2), Err(ChangeError::Nothing(_))));
    }

    #[test]
    fn an_unknown_state_is_refused_and_the_known_ones_are_named() {
        let error = pins(1, "1.0.0", '0').recording("Y", 5).unwrap_err().to_string();
        assert!(error.contains("\"Y\"") && error.ends_with("pinned are X"), "{error}");
        let recording = pins(1, "1.0.0", '0').recording("X", 5).unwrap();
        assert_eq!(recording.recordings["X"], 5);
        assert!(recording.recording("X", 0).unwrap().recordings.is_empty());
    }
}
