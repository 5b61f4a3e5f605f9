//! What happened in which state, from the events of a history.
//!
//! Events name the one that led to them. So an event without a state's name, such as `TaskFailed`, belongs to the state of the
//! event before it in that chain, also where several branches run at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use time::OffsetDateTime;

use crate::source::executions::{ExecutionStatus, PastEvent};

/// One try of a state's task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attempt {
    /// When it was scheduled.
    pub began: Option<OffsetDateTime>,
    /// When it ended.
    pub ended: Option<OffsetDateTime>,
    /// Error and cause, if it failed.
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
    /// The tries of its task.
    pub attempts: Vec<Attempt>,
    /// Error and cause of the last failure.
    pub fault: Option<(String, String)>,
    /// How it went.
    pub ending: Ending,
    /// The place of the visit around it among all; that comes before.
    pub(super) parent: Option<usize>,
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
    /// Reads a history. `status` is the execution's.
    pub fn of(events: &[PastEvent], status: ExecutionStatus) -> Self {
        let mut reading = Reading::default();
        for event in events {
            reading.event(event);
        }
        reading.adopt_the_last();
        let mut visits = reading.visits;
        let open = visits.open();
        for (visit, open) in visits.all.iter_mut().zip(open) {
            if visit.left.is_none() {
                visit.ending = match status {
                    // A state around it was left before the execution ended.
                    _ if !open && visit.fault.is_some() => Ending::Failed,
                    _ if !open => Ending::Stopped,
                    ExecutionStatus::Aborted => Ending::Stopped,
                    ExecutionStatus::Failed | ExecutionStatus::TimedOut => Ending::Failed,
                    _ => Ending::Running,
                };
            } else if visit.attempts.last().is_some_and(|last| last.fault.is_some()) || visit.fault.is_some() {
                visit.ending = Ending::Caught;
            }
        }
        visits
    }

    /// Returns for each visit whether it is open: neither it nor a state around it was left.
    pub(super) fn open(&self) -> Vec<bool> {
        let mut open: Vec<bool> = Vec::new();
        for visit in &self.all {
            let around = visit.parent.is_none_or(|parent| open[parent]);
            open.push(visit.left.is_none() && around);
        }
        open
    }

    /// Returns the visit that began with an event.
    pub fn at(&self, event: i64) -> Option<&Visit> {
        self.all.iter().find(|visit| visit.event == event)
    }
}

#[derive(Default)]
struct Reading {
    visits: Visits,
    /// The visit of each event.
    owner: HashMap<i64, usize>,
    /// Events with which a visit ended.
    exits: HashMap<i64, usize>,
    after_redrives: AfterRedrives,
}

/// Events after a redrive. The first of them names the redrive as the event before it, and no state: which one it was in shows when
/// that is left.
#[derive(Default)]
struct AfterRedrives {
    redrives: BTreeSet<i64>,
    /// The first event of the chain that an event is in.
    chains: HashMap<i64, i64>,
    /// The events of chains of which the state is not known, by the first one.
    homeless: BTreeMap<i64, Vec<PastEvent>>,
}

impl AfterRedrives {
    /// Returns the first event of the chain that an event goes on with, or begins after a redrive.
    fn chain(&self, event: &PastEvent) -> Option<i64> {
        let begins = self.redrives.contains(&event.previous).then_some(event.id);
        begins.or_else(|| self.chains.get(&event.previous).copied())
    }

    fn keep(&mut self, chain: i64, event: &PastEvent) {
        self.chains.insert(event.id, chain);
        self.homeless.entry(chain).or_default().push(event.clone());
    }
}

impl Reading {
    fn event(&mut self, event: &PastEvent) {
        if event.kind == "ExecutionRedriven" {
            self.adopt_the_last();
            self.after_redrives.homeless.clear();
            self.after_redrives.redrives.insert(event.id);
            return;
        }
        let before = self.owner.get(&event.previous).copied();
        let chain = before.is_none().then(|| self.after_redrives.chain(event)).flatten();
        let owner = if let Some(kind) = event.kind.strip_suffix("StateEntered") {
            Some(self.entered(event, kind, before))
        } else if event.kind.ends_with("StateExited") {
            let owner = self.left(event, before);
            if let (Some(owner), Some(chain)) = (owner, chain) {
                self.adopt(chain, owner);
            }
            owner
        } else if let Some(chain) = chain {
            self.after_redrives.keep(chain, event);
            None
        } else {
            // The end of a state with others inside follows the last event inside.
            let around = ["ParallelState", "MapState"].into_iter().find(|kind| event.kind.starts_with(kind));
            let owner = match around {
                Some(kind) => self.above(before, |visit| kind.starts_with(visit.kind.as_str())),
                None => before,
            };
            if let Some(owner) = owner {
                self.inside(event, owner);
            }
            owner
        };
        if let Some(owner) = owner {
            self.owner.insert(event.id, owner);
        }
    }

    /// Adds the events of a chain to the Task state that they are of.
    fn adopt(&mut self, chain: i64, owner: usize) {
        let events = self.after_redrives.homeless.remove(&chain).unwrap_or_default();
        if self.visits.all[owner].kind == "Task" {
            events.iter().for_each(|event| self.inside(event, owner));
        }
    }

    /// Adds the events of the only chain that is left to the only Task state that is open. No chain goes on after the next redrive.
    fn adopt_the_last(&mut self) {
        let chains: Vec<i64> = self.after_redrives.homeless.keys().copied().collect();
        let open = self.visits.open();
        let tasks: Vec<usize> = (0..open.len()).filter(|at| open[*at] && self.visits.all[*at].kind == "Task").collect();
        if let ([chain], [owner]) = (chains.as_slice(), tasks.as_slice()) {
            self.adopt(*chain, *owner);
        }
    }

    fn entered(&mut self, event: &PastEvent, kind: &str, before: Option<usize>) -> usize {
        let parent = match self.exits.get(&event.previous) {
            Some(&from) => {
                let way = (self.visits.all[from].state.clone(), event.state.clone().unwrap_or_default());
                self.visits.taken.insert(way);
                self.visits.all[from].parent
            }
            // The first state inside another.
            None => before,
        };
        self.visits.all.push(Visit {
            event: event.id,
            state: event.state.clone().unwrap_or_default(),
            kind: kind.to_owned(),
            depth: parent.map_or(0, |parent| self.visits.all[parent].depth + 1),
            entered: event.at,
            left: None,
            input: event.input.clone(),
            output: None,
            attempts: Vec::new(),
            fault: None,
            ending: Ending::Left,
            parent,
        });
        self.visits.all.len() - 1
    }

    fn left(&mut self, event: &PastEvent, before: Option<usize>) -> Option<usize> {
        let name = event.state.as_deref().unwrap_or_default();
        let open = |visit: &Visit| visit.left.is_none() && visit.state == name;
        let owner = self
            .above(before, open)
            .or_else(|| self.visits.all.iter().enumerate().rev().find(|(_, visit)| open(visit)).map(|(at, _)| at))?;
        let visit = &mut self.visits.all[owner];
        (visit.left, visit.output) = (event.at, event.output.clone());
        self.exits.insert(event.id, owner);
        Some(owner)
    }

    /// Returns the nearest visit, this one or one around it, for which `wanted` returns true.
    fn above(&self, mut at: Option<usize>, wanted: impl Fn(&Visit) -> bool) -> Option<usize> {
        while let Some(index) = at {
            if wanted(&self.visits.all[index]) {
                return Some(index);
            }
            at = self.visits.all[index].parent;
        }
        None
    }

    /// An event between entry and exit.
    fn inside(&mut self, event: &PastEvent, owner: usize) {
        let visit = &mut self.visits.all[owner];
        let kind = event.kind.as_str();
        let fault = event
            .error
            .as_ref()
            .or(event.cause.as_ref())
            .map(|_| (event.error.clone().unwrap_or_default(), event.cause.clone().unwrap_or_default()));
        match kind {
            "TaskScheduled" | "LambdaFunctionScheduled" | "ActivityScheduled" => {
                visit.attempts.push(Attempt { began: event.at, ..Attempt::default() });
                visit.fault = None;
            }
            "TaskSucceeded" | "LambdaFunctionSucceeded" | "ActivitySucceeded" => {
                if let Some(attempt) = visit.attempts.last_mut() {
                    attempt.ended = event.at;
                }
            }
            // The execution's own end is not the state's fault.
            _ if kind.starts_with("Execution") => {}
            _ if kind.ends_with("Failed") || kind.ends_with("TimedOut") => {
                let fault = fault.unwrap_or_else(|| (kind.to_owned(), String::new()));
                if let Some(attempt) = visit.attempts.last_mut().filter(|attempt| attempt.ended.is_none()) {
                    (attempt.ended, attempt.fault) = (event.at, Some(fault.clone()));
                }
                visit.fault = Some(fault);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A history in short: number, previous, kind, state.
    fn history(events: &[(i64, i64, &str, &str)]) -> Vec<PastEvent> {
        let event = |&(id, previous, kind, state): &(i64, i64, &str, &str)| PastEvent {
            id,
            previous,
            kind: kind.to_owned(),
            state: (!state.is_empty()).then(|| state.to_owned()),
            at: OffsetDateTime::from_unix_timestamp(1_700_000_000 + id).ok(),
            error: kind.ends_with("Failed").then(|| "Boom".to_owned()),
            ..PastEvent::default()
        };
        events.iter().map(event).collect()
    }

    #[test]
    fn tries_branches_and_catches_belong_to_their_states() {
        let events = history(&[
            (1, 0, "ExecutionStarted", ""),
            (2, 0, "TaskStateEntered", "Check"),
            (3, 2, "TaskScheduled", ""),
            (4, 3, "TaskStarted", ""),
            (5, 4, "TaskFailed", ""),
            (6, 5, "TaskScheduled", ""),
            (7, 6, "TaskSucceeded", ""),
            (8, 7, "TaskStateExited", "Check"),
            (9, 8, "ParallelStateEntered", "Both"),
            (10, 9, "ParallelStateStarted", ""),
            (11, 10, "TaskStateEntered", "Left"),
            (12, 10, "PassStateEntered", "Right"),
            (13, 11, "TaskScheduled", ""),
            (14, 12, "PassStateExited", "Right"),
            (15, 13, "TaskFailed", ""),
            (16, 15, "TaskStateExited", "Left"),
            (17, 16, "PassStateEntered", "Note"),
            (18, 17, "PassStateExited", "Note"),
            (19, 18, "ParallelStateSucceeded", ""),
            (20, 19, "ParallelStateExited", "Both"),
            (21, 20, "FailStateEntered", "Give up"),
            (22, 21, "ExecutionFailed", ""),
        ]);
        let visits = Visits::of(&events, ExecutionStatus::Failed);
        let short: Vec<_> = visits
            .all
            .iter()
            .map(|visit| (visit.state.as_str(), visit.depth, visit.attempts.len(), visit.ending))
            .collect();
        assert_eq!(
            short,
            [
                ("Check", 0, 2, Ending::Left),
                ("Both", 0, 0, Ending::Left),
                ("Left", 1, 1, Ending::Caught),
                ("Right", 1, 0, Ending::Left),
                ("Note", 1, 0, Ending::Left),
                ("Give up", 0, 0, Ending::Failed),
            ]
        );
        let taken: Vec<_> = visits.taken.iter().map(|(from, to)| format!("{from}>{to}")).collect();
        assert_eq!(taken, ["Both>Give up", "Check>Both", "Left>Note"]);
        assert_eq!(visits.all[0].attempts[0].fault.as_ref().map(|(error, _)| error.as_str()), Some("Boom"));
        assert!(visits.all.iter().all(|visit| visit.state == "Give up" || visit.left.is_some()));
    }

    #[test]
    fn an_execution_that_runs_is_in_a_state_and_one_that_was_stopped_was() {
        let events =
            history(&[(1, 0, "ExecutionStarted", ""), (2, 0, "TaskStateEntered", "A"), (3, 2, "TaskScheduled", "")]);
        assert_eq!(Visits::of(&events, ExecutionStatus::Running).all[0].ending, Ending::Running);
        assert_eq!(Visits::of(&events, ExecutionStatus::Aborted).all[0].ending, Ending::Stopped);
    }

    #[test]
    fn nothing_runs_inside_a_state_that_failed_and_was_caught() {
        let events = history(&[
            (1, 0, "ExecutionStarted", ""),
            (2, 0, "ParallelStateEntered", "Both"),
            (3, 2, "ParallelStateStarted", ""),
            (4, 3, "TaskStateEntered", "Left"),
            (5, 3, "TaskStateEntered", "Right"),
            (6, 4, "TaskScheduled", ""),
            (7, 5, "TaskScheduled", ""),
            (8, 6, "TaskFailed", ""),
            (9, 8, "ParallelStateFailed", ""),
            (10, 9, "ParallelStateExited", "Both"),
            (11, 10, "PassStateEntered", "Note"),
            (12, 11, "PassStateExited", "Note"),
            (13, 12, "ExecutionSucceeded", ""),
        ]);
        let statuses =
            [ExecutionStatus::Running, ExecutionStatus::Succeeded, ExecutionStatus::Failed, ExecutionStatus::Aborted];
        for status in statuses {
            let visits = Visits::of(&events, status);
            let endings: Vec<_> = visits.all.iter().map(|visit| (visit.state.as_str(), visit.ending)).collect();
            let expected = [
                ("Both", Ending::Caught),
                ("Left", Ending::Failed),
                ("Right", Ending::Stopped),
                ("Note", Ending::Left),
            ];
            assert_eq!(endings, expected);
        }
    }

    /// Returns the states of a history, each with the number of its tries.
    fn tries(events: &[(i64, i64, &str, &str)], status: ExecutionStatus) -> Vec<(String, usize, Ending)> {
        let visits = Visits::of(&history(events), status);
        visits.all.iter().map(|visit| (visit.state.clone(), visit.attempts.len(), visit.ending)).collect()
    }

    #[test]
    fn a_try_between_two_redrives_belongs_to_the_state_that_was_open() {
        let events = [
            (1, 0, "ExecutionStarted", ""),
            (2, 0, "TaskStateEntered", "First"),
            (3, 2, "TaskScheduled", ""),
            (4, 0, "ExecutionAborted", ""),
            (5, 4, "ExecutionRedriven", ""),
            (6, 5, "TaskScheduled", ""),
            (7, 0, "ExecutionAborted", ""),
            (8, 7, "ExecutionRedriven", ""),
            (9, 8, "TaskScheduled", ""),
            (10, 9, "TaskSucceeded", ""),
            (11, 10, "TaskStateExited", "First"),
            (12, 11, "TaskStateEntered", "Second"),
            (13, 12, "TaskScheduled", ""),
        ];
        let expected = [("First".to_owned(), 3, Ending::Left), ("Second".to_owned(), 1, Ending::Running)];
        assert_eq!(tries(&events, ExecutionStatus::Running), expected);
    }

    #[test]
    fn after_a_redrive_tries_belong_to_the_states_that_went_on() {
        // As Step Functions on this machine writes it: a batch was stopped while two branches ran.
        let mut events = vec![
            (1, 0, "ExecutionStarted", ""),
            (2, 0, "ParallelStateEntered", "Both"),
            (3, 2, "ParallelStateStarted", ""),
            (4, 3, "TaskStateEntered", "Left"),
            (5, 4, "TaskScheduled", ""),
            (6, 3, "TaskStateEntered", "Right"),
            (7, 6, "TaskScheduled", ""),
            (8, 5, "TaskStarted", ""),
            (9, 0, "ExecutionAborted", ""),
            (10, 9, "ExecutionRedriven", ""),
            (11, 10, "TaskScheduled", ""),
            (12, 10, "TaskScheduled", ""),
            (13, 11, "TaskStarted", ""),
            (14, 12, "TaskFailed", ""),
            (15, 14, "TaskScheduled", ""),
            (16, 13, "TaskSucceeded", ""),
            (17, 16, "TaskStateExited", "Left"),
        ];
        let state = |name: &str, tries, ending| (name.to_owned(), tries, ending);
        let running =
            [state("Both", 0, Ending::Running), state("Left", 2, Ending::Left), state("Right", 3, Ending::Running)];
        assert_eq!(tries(&events, ExecutionStatus::Running), running);
        events.extend([
            (18, 15, "TaskSucceeded", ""),
            (19, 18, "TaskStateExited", "Right"),
            (20, 19, "ParallelStateSucceeded", ""),
            (21, 19, "ParallelStateExited", "Both"),
            (22, 21, "SucceedStateEntered", "Done"),
            (23, 22, "SucceedStateExited", "Done"),
            (24, 23, "ExecutionSucceeded", ""),
        ]);
        let ended = [
            state("Both", 0, Ending::Left),
            state("Left", 2, Ending::Left),
            state("Right", 3, Ending::Left),
            state("Done", 0, Ending::Left),
        ];
        assert_eq!(tries(&events, ExecutionStatus::Succeeded), ended);
    }

    #[test]
    fn a_history_that_makes_no_sense_is_read_to_its_end() {
        let events = history(&[(5, 9, "TaskStateExited", "A"), (6, 5, "TaskFailed", ""), (7, 7, "MapStateFailed", "")]);
        assert!(Visits::of(&events, ExecutionStatus::Failed).all.is_empty());
    }
}
