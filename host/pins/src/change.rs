//! The changes that can be made to pins, as functions from one document to the next. They have no effect by themselves: a
//! change is displayed and checked before the store puts it in force.

use crate::document::{Canary, Pin, Pins, Shadow};

/// Why a change cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The state has no pin.
    #[error("no stage is pinned to the state {state:?}; pinned are {}", .pinned.join(", "))]
    State {
        /// The state as given.
        state: String,
        /// The states that have pins.
        pinned: Vec<String>,
    },
    /// The state has no such candidate or recording.
    #[error("the state {state} has no {what}")]
    NoCandidate {
        /// `canary`, `shadow` or `recording`
        what: &'static str,
        /// The state.
        state: String,
    },
    /// The change would have no effect.
    #[error("nothing would change: {0}")]
    Nothing(String),
    /// The revision in force cannot be revoked.
    #[error("revision {0} is in force; roll back first (`stagehost pins rollback`), then revoke it")]
    InForce(u64),
    /// There is no such revision.
    #[error("there is no revision {0}")]
    Unknown(u64),
}

impl Pins {
    /// Returns the pins with another pin for a state. Its canary and its shadow are removed.
    #[must_use]
    pub fn pinning(&self, state: &str, pin: Pin) -> Self {
        let mut next = self.without_candidates(state);
        next.states.insert(state.to_owned(), pin);
        next
    }

    /// Returns the pins of `earlier`. Revoked revisions stay revoked.
    #[must_use]
    pub fn rolled_back_to(&self, earlier: &Pins) -> Self {
        let revoked = self.revoked.union(&earlier.revoked).copied().collect();
        Self { revoked, ..earlier.clone() }
    }

    /// Returns the pins with a revoked revision: no execution may continue with it.
    ///
    /// # Errors
    /// If the revision is in force, does not exist, or is revoked already.
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

    /// Returns the pins with a canary: a candidate that runs for some executions.
    ///
    /// # Errors
    /// If the state has no pin, or the pin names the same bytes with the same configuration.
    pub fn with_canary(&self, state: &str, canary: Canary) -> Result<Self, ChangeError> {
        self.check_differs(state, &canary.pin)?;
        let mut next = self.clone();
        next.canaries.insert(state.to_owned(), canary);
        Ok(next)
    }

    /// Returns the pins with a state's canary as its pin.
    ///
    /// # Errors
    /// If the state has no canary.
    pub fn promoting(&self, state: &str) -> Result<Self, ChangeError> {
        let canary = self.canaries.get(state).ok_or_else(|| no_candidate("canary", state))?;
        Ok(self.pinning(state, canary.pin.clone()))
    }

    /// Returns the pins without a state's canary.
    ///
    /// # Errors
    /// If the state has no canary.
    pub fn aborting(&self, state: &str) -> Result<Self, ChangeError> {
        let mut next = self.clone();
        next.canaries.remove(state).ok_or_else(|| no_candidate("canary", state))?;
        Ok(next)
    }

    /// Returns the pins with a shadow for a state, or without one.
    ///
    /// # Errors
    /// If the state has no pin, or no shadow to remove.
    pub fn with_shadow(&self, state: &str, shadow: Option<Shadow>) -> Result<Self, ChangeError> {
        let mut next = self.clone();
        match shadow {
            Some(shadow) => {
                self.check_differs(state, &shadow.pin)?;
                next.shadows.insert(state.to_owned(), shadow);
            }
            None => {
                next.shadows.remove(state).ok_or_else(|| no_candidate("shadow", state))?;
            }
        }
        Ok(next)
    }

    /// Returns the pins with calls recorded for `percent` of the executions; zero removes the recording.
    ///
    /// # Errors
    /// If the state has no pin, or no recording to remove.
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

    /// Returns the pin of a state.
    ///
    /// # Errors
    /// If the state has no pin. The error names the states that have one.
    pub fn pinned(&self, state: &str) -> Result<&Pin, ChangeError> {
        self.states.get(state).ok_or_else(|| ChangeError::State {
            state: state.to_owned(),
            pinned: self.states.keys().cloned().collect(),
        })
    }

    fn check_differs(&self, state: &str, candidate: &Pin) -> Result<(), ChangeError> {
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
    fn a_canary_can_be_promoted_or_aborted() {
        let before = pins(1, "1.0.0", '0');
        assert_eq!(before.promoting("X").unwrap_err().to_string(), "the state X has no canary");
        let tried = before.with_canary("X", canary(5)).unwrap();
        assert_eq!(tried.states["X"].version, "1.0.0");
        assert_eq!(tried.aborting("X").unwrap(), before);
        let promoted = tried.promoting("X").unwrap();
        assert_eq!(promoted.states["X"].version, "2.0.0");
        assert!(promoted.canaries.is_empty(), "the canary is the pin now");
        assert!(matches!(promoted.with_canary("X", canary(5)), Err(ChangeError::Nothing(_))));
    }

    #[test]
    fn a_rollback_restores_everything_except_revoked_revisions() {
        let first = pins(1, "1.0.0", '0').with_canary("X", canary(5)).unwrap();
        let mut third = Pins { revision: 3, ..first.pinning("X", pin("x", "3.0.0", '3')) };
        third.revoked.insert(2);
        let back = third.rolled_back_to(&first);
        assert_eq!((back.states, back.canaries), (first.states, first.canaries));
        assert!(back.revoked.contains(&2));
    }

    #[test]
    fn only_an_earlier_revision_can_be_revoked_and_only_once() {
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
