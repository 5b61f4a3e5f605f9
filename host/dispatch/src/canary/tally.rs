//! Counts of runs.

use serde::{Deserialize, Serialize};

/// Runs of a state by one stage, and how many of them ended in a defect of the stage. A run is one batch in one execution,
/// however many files it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunTally {
    pub(crate) runs: u64,
    pub(crate) defects: u64,
}

impl RunTally {
    /// Returns one run.
    pub(crate) fn one(defect: bool) -> Self {
        Self { runs: 1, defects: u64::from(defect) }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.runs == 0
    }

    /// Returns the share of runs that ended in a defect; zero without runs.
    pub(crate) fn share(self) -> f64 {
        if self.runs == 0 { 0.0 } else { self.defects as f64 / self.runs as f64 }
    }

    /// Returns whether there are no more defects than runs, as in every tally that was counted.
    pub(crate) fn is_possible(self) -> bool {
        self.defects <= self.runs && self.runs <= MOST
    }
}

/// More runs than a state can have. Larger numbers are not from a host.
const MOST: u64 = 1 << 40;

impl std::ops::Add for RunTally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { runs: self.runs.saturating_add(other.runs), defects: self.defects.saturating_add(other.defects) }
    }
}

impl std::ops::Sub for RunTally {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { runs: self.runs.saturating_sub(other.runs), defects: self.defects.saturating_sub(other.defects) }
    }
}
