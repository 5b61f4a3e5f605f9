//! Reads what happened in which state from the events of a history.
//!
//! Events name the one that led to them. So an event without a state's name, such as `TaskFailed`, belongs to the state of the
//! event before it in that chain, also where several branches run at once. The events of a Parallel or Map state itself follow
//! the last event inside it. If such a state is tried again, no event ends what is inside: its `…StateStarted` appears once more,
//! after the event that made the try fail.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use time::OffsetDateTime;

use super::visits::{Attempt, Ending, Visit, Visits};
use crate::source::executions::{ExecutionStatus, PastEvent};

/// Reads a history. `status` is the execution's.
pub(super) fn visits(events: &[PastEvent], status: ExecutionStatus) -> Visits {
    let mut reading = Reading::default();
    for event in events {
        reading.event(event);
    }
    reading.adopt_the_last();
    let mut visits = reading.visits;
    let open = visits.open();
    for (at, open) in open.into_iter().enumerate() {
        let around = visits.all[at].parent.and_then(|parent| visits.all[parent].end());
        let visit = &mut visits.all[at];
        if visit.left.is_some() {
            if visit.attempts.last().is_some_and(|last| last.fault.is_some()) || visit.fault.is_some() {
                visit.ending = Ending::Caught;
            }
            continue;
        }
        if !open {
            visit.ended = visit.ended.or(around);
        }
        visit.ending = match status {
            // A state around it was left or tried again before the execution ended.
            _ if !open && (visit.fault.is_some() || visit.kind == "Fail") => Ending::Failed,
            _ if !open => Ending::Stopped,
            ExecutionStatus::Aborted => Ending::Stopped,
            ExecutionStatus::Failed | ExecutionStatus::TimedOut => Ending::Failed,
            _ => Ending::Running,
        };
    }
    visits
}

/// Returns whether a visit is of a state with others inside.
fn is_around(visit: &Visit) -> bool {
    matches!(visit.kind.as_str(), "Parallel" | "Map")
}

#[derive(Default)]
struct Reading {
    visits: Visits,
    /// The visit of each event.
    owner: HashMap<i64, usize>,
    /// Events with which a visit ended.
    exits: HashMap<i64, usize>,
    /// When each event happened.
    times: HashMap<i64, OffsetDateTime>,
    /// Visits with others inside whose last try has ended.
    over: BTreeSet<usize>,
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
        self.times.extend(event.at.map(|at| (event.id, at)));
        if event.kind == "ExecutionRedriven" {
            self.adopt_the_last();
            self.go_on(event.at);
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
            let owner = self.owner_of(event, before);
            if let Some(owner) = owner {
                self.inside(event, owner);
            }
            owner
        };
        if let Some(owner) = owner {
            self.owner.insert(event.id, owner);
        }
    }

    /// Returns the visit that an event without an entry or an exit belongs to. `before` is that of the event before it.
    fn owner_of(&self, event: &PastEvent, before: Option<usize>) -> Option<usize> {
        let kinds = [("ParallelState", "Parallel"), ("MapState", "Map"), ("MapIteration", "Map"), ("MapRun", "Map")];
        let around = kinds.into_iter().find(|(start, _)| event.kind.starts_with(start));
        let Some((_, around)) = around.filter(|_| !event.kind.ends_with("Aborted")) else { return before };
        let fits = |visit: &Visit| {
            visit.kind == around && visit.left.is_none() && event.state.as_ref().is_none_or(|name| *name == visit.state)
        };
        // A state inside it, of the same type, may have ended just before.
        let goes_on = |at: usize, visit: &Visit| fits(visit) && !self.over.contains(&at);
        self.above(before, goes_on).or_else(|| self.above(before, |_, visit| fits(visit)))
    }

    /// Begins a try of a state with others inside. What is inside already belongs to an earlier try, which has ended with the event
    /// before this one.
    fn begin(&mut self, event: &PastEvent, owner: usize) {
        let failed = self.times.get(&event.previous).copied().or(event.at);
        if !self.visits.all[owner].attempts.is_empty() {
            let mut inside = BTreeSet::from([owner]);
            for (at, visit) in self.visits.all.iter_mut().enumerate().skip(owner + 1) {
                if visit.parent.is_some_and(|parent| inside.contains(&parent)) {
                    inside.insert(at);
                    visit.earlier_try = true;
                    visit.ended = visit.ended.or(failed).filter(|_| visit.left.is_none());
                }
            }
        }
        self.over.remove(&owner);
        let visit = &mut self.visits.all[owner];
        if let Some(last) = visit.attempts.last_mut() {
            last.ended = last.ended.or(failed);
            last.fault.get_or_insert_default();
        }
        visit.fault = None;
        visit.attempts.push(Attempt { began: event.at, ..Attempt::default() });
    }

    /// Begins another try of all states with others inside that are open and failed, as a redrive does.
    fn go_on(&mut self, at: Option<OffsetDateTime>) {
        self.over.clear();
        let open = self.visits.open();
        for (visit, _) in self.visits.all.iter_mut().zip(open).filter(|(visit, open)| *open && is_around(visit)) {
            visit.fault = None;
            if visit.attempts.last().is_some_and(|last| last.ended.is_some()) {
                visit.attempts.push(Attempt { began: at, ..Attempt::default() });
            }
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
            left_out: event.left_out,
            earlier_try: false,
            ended: None,
            attempts: Vec::new(),
            fault: None,
            ending: Ending::Left,
            parent,
        });
        self.visits.all.len() - 1
    }

    fn left(&mut self, event: &PastEvent, before: Option<usize>) -> Option<usize> {
        let name = event.state.as_deref().unwrap_or_default();
        let open = |visit: &Visit| visit.left.is_none() && !visit.earlier_try && visit.state == name;
        let owner = self
            .above(before, |_, visit| open(visit))
            .or_else(|| self.visits.all.iter().enumerate().rev().find(|(_, visit)| open(visit)).map(|(at, _)| at))?;
        let visit = &mut self.visits.all[owner];
        (visit.left, visit.output) = (event.at, event.output.clone());
        visit.left_out |= event.left_out;
        self.exits.insert(event.id, owner);
        Some(owner)
    }

    /// Returns the nearest visit, this one or one around it, for which `wanted` returns true.
    fn above(&self, mut at: Option<usize>, wanted: impl Fn(usize, &Visit) -> bool) -> Option<usize> {
        while let Some(index) = at {
            if wanted(index, &self.visits.all[index]) {
                return Some(index);
            }
            at = self.visits.all[index].parent;
        }
        None
    }

    /// An event between entry and exit.
    fn inside(&mut self, event: &PastEvent, owner: usize) {
        if matches!(event.kind.as_str(), "ParallelStateStarted" | "MapStateStarted") {
            return self.begin(event, owner);
        }
        if matches!(
            event.kind.as_str(),
            "ParallelStateSucceeded" | "ParallelStateFailed" | "MapStateSucceeded" | "MapStateFailed"
        ) {
            self.over.insert(owner);
        }
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
            "TaskSucceeded"
            | "LambdaFunctionSucceeded"
            | "ActivitySucceeded"
            | "ParallelStateSucceeded"
            | "MapStateSucceeded" => {
                if let Some(attempt) = visit.attempts.last_mut() {
                    attempt.ended = event.at;
                }
            }
            // The execution's own end is not the state's fault, and the state may go on without an item.
            _ if kind.starts_with("Execution") || kind.starts_with("MapIteration") => {}
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
#[path = "reading_tests.rs"]
pub(super) mod tests;
