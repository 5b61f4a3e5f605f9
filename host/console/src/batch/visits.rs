//! Stays in states.

use std::collections::BTreeSet;

use time::OffsetDateTime;

/// One try of a state's task, or of the branches or items of a state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attempt {
    /// When it was scheduled.
    pub began: Option<OffsetDateTime>,
    /// When it ended.
    pub ended: Option<OffsetDateTime>,
    /// Error and cause, if it failed. They are empty if only the states inside have them.
    pub fault: Option<(String, String)>,
}

/// How it went in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It is in the state.
    Running,
    /// It went on.
    Left,
    /// The state failed, and a Catch led on.
    Caught,
    /// The execution, or the state around this one, ended here, as a Fail state wants it or because of an error.
    Failed,
    /// The execution was stopped meanwhile, or the state around this one ended because of another state inside.
    Stopped,
}

/// One stay in a state.
#[derive(Clone, Debug, PartialEq)]
pub struct Visit {
    /// The event of the entry, which identifies the visit.
    pub event: i64,
    /// The state's name.
    pub state: String,
    /// Its type: `Task`, `Choice`, …
    pub kind: String,
    /// How many states it is inside.
    pub depth: usize,
    /// When it was entered.
    pub entered: Option<OffsetDateTime>,
    /// When it was left.
    pub left: Option<OffsetDateTime>,
    /// Its input.
    pub input: Option<String>,
    /// Its output.
    pub output: Option<String>,
    /// Input or output are not here, because the history has too much of them.
    pub left_out: bool,
    /// It belongs to a try of a state around it that failed and was repeated.
    pub earlier_try: bool,
    /// When it ended, if it was never left: when the state around it ended or failed.
    pub ended: Option<OffsetDateTime>,
    /// The tries of its task, or of what is inside it.
    pub attempts: Vec<Attempt>,
    /// Error and cause of the last failure.
    pub fault: Option<(String, String)>,
    /// How it went.
    pub ending: Ending,
    /// The place of the visit around it among all; that comes before.
    pub(super) parent: Option<usize>,
}

impl Visit {
    /// Returns when it ended; `None` if it has not.
    pub fn end(&self) -> Option<OffsetDateTime> {
        self.left.or(self.ended)
    }
}

/// All visits, and the ways from one to the next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Visits {
    /// The visits in the order of their entries.
    pub all: Vec<Visit>,
    /// The ways that were gone, by names.
    pub taken: BTreeSet<(String, String)>,
}

impl Visits {
    /// Returns for each visit whether it is open: neither it nor a state around it was left or tried again.
    pub(super) fn open(&self) -> Vec<bool> {
        let mut open: Vec<bool> = Vec::new();
        for visit in &self.all {
            let around = visit.parent.is_none_or(|parent| open[parent]);
            open.push(visit.left.is_none() && !visit.earlier_try && around);
        }
        open
    }

    /// Returns the visit that began with an event.
    pub fn at(&self, event: i64) -> Option<&Visit> {
        self.all.iter().find(|visit| visit.event == event)
    }
}
