//! The scopes of variables. A branch or an item processor reads the variables around it and cannot assign them.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::definition::model::{Flow, State, StateKind};
use crate::definition::query::Assign;
use crate::expressions::jsonata::template::QueryTemplate;
use crate::findings::{Code, Collector};

/// Notes an error for every variable that is assigned in a scope and in one around it.
pub(super) fn check(flow: &Flow, notes: &mut Collector) {
    visit(flow, &BTreeSet::new(), notes);
}

fn visit(flow: &Flow, outer: &BTreeSet<String>, notes: &mut Collector) {
    let mut all = outer.clone();
    let mut states: Vec<&State> = flow.states.values().collect();
    states.sort_by(|left, right| left.location.cmp(&right.location));
    for state in &states {
        for name in assigned(state) {
            if outer.contains(&name) {
                let message = format!(
                    "the variable '{name}' is assigned outside of this scope too: a branch or an item processor cannot \
                     assign the variables around it"
                );
                notes.in_place(&state.location, &state.name, Code::Schema, message);
            }
            all.insert(name);
        }
    }
    for state in states {
        match &state.kind {
            StateKind::Parallel { branches, .. } => branches.iter().for_each(|branch| visit(branch, &all, notes)),
            // A child execution does not see the variables around it.
            StateKind::Map(map) if map.distributed.is_some() => visit(&map.processor, &BTreeSet::new(), notes),
            StateKind::Map(map) => visit(&map.processor, &all, notes),
            _ => {}
        }
    }
}

/// Returns the names of the variables that a state can assign.
fn assigned(state: &State) -> Vec<String> {
    let mut found: Vec<&Assign> = state.assign.iter().collect();
    match &state.kind {
        StateKind::Choice { rules, .. } => found.extend(rules.iter().filter_map(|rule| rule.assign.as_ref())),
        StateKind::Task(task) => found.extend(task.recovery.catch.iter().filter_map(|catcher| catcher.assign.as_ref())),
        StateKind::Parallel { recovery, .. } => {
            found.extend(recovery.catch.iter().filter_map(|catcher| catcher.assign.as_ref()));
        }
        StateKind::Map(map) => found.extend(map.recovery.catch.iter().filter_map(|catcher| catcher.assign.as_ref())),
        StateKind::Pass(_) | StateKind::Wait(_) | StateKind::Succeed | StateKind::Fail { .. } => {}
    }
    found.into_iter().flat_map(names).collect()
}

fn names(assign: &Assign) -> Vec<String> {
    match assign {
        Assign::JsonPath(template) => template.names(),
        Assign::Jsonata(QueryTemplate::Literal(Value::Object(fields))) => fields.keys().cloned().collect(),
        Assign::Jsonata(QueryTemplate::Object(fields)) => fields.iter().map(|(name, _)| name.clone()).collect(),
        Assign::Jsonata(_) => Vec::new(),
    }
}
