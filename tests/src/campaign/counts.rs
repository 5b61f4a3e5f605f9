//! What happened in seeds, in numbers.

use std::ops::AddAssign;

/// What happened in one seed, or in several.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// How many requests the host sent.
    pub requests: usize,
    /// How many executions were started, those of the second run included.
    pub executions: usize,
    /// How many callbacks the backend accepted.
    pub callbacks: usize,
    /// How many results and messages are in the dead-letter queues.
    pub letters: usize,
    /// How many transcoding jobs were accepted.
    pub jobs: usize,
    /// How many processes of the function were started.
    pub processes: usize,
    /// How many unfinished uploads nobody could abort, so that they are left to the bucket's lifecycle rule.
    pub left_to_the_rule: usize,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.executions += other.executions;
        self.callbacks += other.callbacks;
        self.letters += other.letters;
        self.jobs += other.jobs;
        self.processes += other.processes;
        self.left_to_the_rule += other.left_to_the_rule;
    }
}
