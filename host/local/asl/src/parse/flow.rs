//! `StartAt` and `States` of a machine, a branch or an item processor, and the check of their transitions.

use std::collections::{HashMap, HashSet};

use super::fields::Fields;
use super::state;
use crate::definition::model::{Flow, Next, State, StateKind};
use crate::findings::{Code, Collector};

/// Reads a flow. `names` holds the names of all states so far: they are unique in the whole machine.
pub(super) fn read(fields: &mut Fields<'_>, names: &mut Vec<String>, notes: &mut Collector) -> Option<Flow> {
    fields.required(&["States", "StartAt"], notes);
    let start_at = fields.text("StartAt", notes);
    let definitions = fields.object("States", notes)?;
    if definitions.is_empty() {
        notes.at("States", |notes| notes.error(Code::Schema, "'States' must hold at least one state"));
    }
    let mut states = HashMap::new();
    let mut complete = true;
    notes.at("States", |notes| {
        for (name, definition) in definitions {
            if names.contains(name) {
                let message = format!("Duplicate State name: {name}");
                notes.at(name, |notes| notes.error(Code::DuplicateStateName, message));
            }
            names.push(name.clone());
            match notes.in_state(name, |notes| state::read(name, definition, names, notes, read)) {
                Some(state) => drop(states.insert(name.clone(), state)),
                None => complete = false,
            }
        }
    });
    let start_at = start_at?;
    if !definitions.contains_key(start_at) {
        let message = format!("Missing 'StartAt' target: {start_at}");
        notes.at("StartAt", |notes| notes.error(Code::Transition, message));
        return None;
    }
    // If a state could not be read, its transitions are unknown, and the check would report false errors.
    if complete {
        let order: Vec<&str> = definitions.keys().map(String::as_str).collect();
        notes.at("States", |notes| check(start_at, &order, &states, notes));
    }
    Some(Flow { start_at: start_at.to_owned(), states })
}

/// Returns the transitions of a state: the field and the name of the next state.
fn targets(state: &State) -> Vec<(String, &str)> {
    let mut found = Vec::new();
    if let Next::State(next) = &state.next {
        found.push(("Next".to_owned(), next.as_str()));
    }
    let recovery = match &state.kind {
        StateKind::Choice { rules, default } => {
            let rules = rules.iter().enumerate();
            found.extend(rules.map(|(at, rule)| (format!("Choices/{at}/Next"), rule.next.as_str())));
            found.extend(default.iter().map(|next| ("Default".to_owned(), next.as_str())));
            None
        }
        StateKind::Task(task) => Some(&task.recovery),
        StateKind::Parallel { recovery, .. } => Some(recovery),
        StateKind::Map(map) => Some(&map.recovery),
        StateKind::Pass(_) | StateKind::Wait(_) | StateKind::Succeed | StateKind::Fail { .. } => None,
    };
    if let Some(recovery) = recovery {
        let catch = recovery.catch.iter().enumerate();
        found.extend(catch.map(|(at, catcher)| (format!("Catch/{at}/Next"), catcher.next.as_str())));
    }
    found
}

/// Notes an error for every transition to an unknown state and for every state that is never reached.
fn check(start_at: &str, order: &[&str], states: &HashMap<String, State>, notes: &mut Collector) {
    for state in order.iter().filter_map(|name| states.get(*name)) {
        for (field, next) in targets(state).into_iter().filter(|(_, next)| !states.contains_key(*next)) {
            let name = field.rsplit('/').next().unwrap_or_default();
            let message = format!("Missing '{name}' target: {next}");
            notes.in_state(&state.name, |notes| notes.along(&field, |notes| notes.error(Code::Transition, message)));
        }
    }
    let mut reached = HashSet::from([start_at]);
    let mut open = vec![start_at];
    while let Some(state) = open.pop().and_then(|name| states.get(name)) {
        open.extend(
            targets(state)
                .into_iter()
                .map(|(_, next)| next)
                .filter(|next| states.contains_key(*next) && reached.insert(*next)),
        );
    }
    for name in order.iter().filter(|name| !reached.contains(**name)) {
        let message = format!("State \"{name}\" is not reachable.");
        notes.in_state(name, |notes| notes.error(Code::Transition, message));
    }
    let ends = |state: &State| state.next == Next::End && !matches!(state.kind, StateKind::Choice { .. });
    if !states.values().any(ends) {
        notes.warning(Code::NoEnd, "no state ends: give one '\"End\": true', or a Succeed or Fail state");
    }
}
