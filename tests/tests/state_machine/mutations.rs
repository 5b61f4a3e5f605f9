//! Every part of the state machine has a test: for each part that is removed or changed, a scenario fails.
//!
//! The mutants are enumerated from the definition, so a new Catch, Retry, name or path needs a scenario at once.

#![allow(clippy::unwrap_used)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::judge::faults;
use super::run::{Machine, run};
use super::scenario::{Scenario, all, definition, drop_unreachable, remove};

/// Fields that need no scenario: comments, and the waits of retries, which are random (`JitterStrategy`).
const WITHOUT_EFFECT: [&str; 5] = ["Comment", "IntervalSeconds", "BackoffRate", "MaxDelaySeconds", "JitterStrategy"];

/// One change of the definition.
#[derive(Clone, Debug)]
struct Mutation {
    pointer: String,
    /// The new value; `None` removes the old one.
    instead: Option<Value>,
}

impl Mutation {
    fn apply(&self, definition: &Value) -> Value {
        let mut mutant = definition.clone();
        match &self.instead {
            Some(value) => *mutant.pointer_mut(&self.pointer).unwrap() = value.clone(),
            None => assert!(remove(&mut mutant, &self.pointer), "{self}"),
        }
        // Otherwise a mutant could be refused only because a state has become unreachable.
        drop_unreachable(&mut mutant);
        mutant
    }
}

impl std::fmt::Display for Mutation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.instead {
            Some(value) => write!(f, "{} = {value}", self.pointer),
            None => write!(f, "without {}", self.pointer),
        }
    }
}

/// The result of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// A scenario failed.
    Noticed,
    /// It is not a valid state machine.
    Refused,
    Survived,
}

#[test]
fn a_scenario_fails_for_everything_that_is_removed_from_the_machine() {
    let definition = definition().unwrap();
    let mut mutations = Vec::new();
    removals(&definition, "", &mut mutations);
    let pointers: Vec<&str> = mutations.iter().map(|mutation| mutation.pointer.as_str()).collect();
    for (what, least) in [("/Catch", 9), ("/Retry", 8), ("/ResultPath", 13), ("/ErrorEquals/0", 31)] {
        let found = pointers.iter().filter(|pointer| pointer.ends_with(what)).count();
        assert!(found >= least, "{found} of {what}: the enumeration no longer reaches everything");
    }
    // Without these it is still a valid state machine, so a scenario must fail.
    let recovers = |pointer: &str| {
        let (rest, last) = pointer.rsplit_once('/').unwrap();
        let list = if last.parse::<usize>().is_ok() { rest } else { pointer };
        ["/Catch", "/Retry", "/ResultPath"].iter().any(|name| list.ends_with(name))
    };
    let refused = survivors_are_none(&definition, &mutations);
    let refused: Vec<&String> = refused.iter().filter(|pointer| recovers(pointer)).collect();
    assert!(refused.is_empty(), "{refused:?}");
}

#[test]
fn a_scenario_fails_for_every_transition_that_leads_elsewhere() {
    let definition = definition().unwrap();
    let mut mutations = Vec::new();
    detours(&definition["States"], "/States", &mut mutations);
    assert!(mutations.len() > 100, "{}", mutations.len());
    survivors_are_none(&definition, &mutations);
}

#[test]
fn a_scenario_fails_for_every_changed_number_path_or_boolean() {
    let definition = definition().unwrap();
    let mut mutations = Vec::new();
    changes(&definition, "", &mut mutations);
    assert!(mutations.len() > 50, "{}", mutations.len());
    survivors_are_none(&definition, &mutations);
}

/// Checks that no mutant survives. Returns the pointers of those that are not valid state machines.
fn survivors_are_none(definition: &Value, mutations: &[Mutation]) -> Vec<String> {
    let scenarios = all().unwrap();
    let machine = Machine::new(definition.clone()).unwrap();
    for scenario in &scenarios {
        let faults = faults(scenario, &run(scenario, &machine).unwrap());
        assert!(faults.is_empty(), "before any change: {}: {faults:?}", scenario.name);
    }
    let next = AtomicUsize::new(0);
    let fates = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                // The scenario that failed last runs first: it often fails for the next mutant, too.
                let mut scenarios = scenarios.clone();
                while let Some(mutation) = mutations.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let fate = fate(&mut scenarios, mutation.apply(definition));
                    fates.lock().unwrap().push((mutation, fate));
                }
            });
        }
    });
    let fates = fates.into_inner().unwrap();
    let of = |wanted| fates.iter().filter(move |(_, fate)| *fate == wanted).map(|(mutation, _)| mutation.to_string());
    println!(
        "{} mutants: {} noticed by a scenario, {} not valid",
        fates.len(),
        of(Fate::Noticed).count(),
        of(Fate::Refused).count()
    );
    let mut survivors: Vec<String> = of(Fate::Survived).collect();
    survivors.sort();
    assert!(
        survivors.is_empty(),
        "{} survived; add a scenario to tests/scenarios that needs it:\n{}",
        survivors.len(),
        survivors.join("\n")
    );
    let refused = fates.iter().filter(|(_, fate)| *fate == Fate::Refused);
    refused.map(|(mutation, _)| mutation.pointer.clone()).collect()
}

fn fate(scenarios: &mut [Scenario], mutant: Value) -> Fate {
    let Ok(machine) = Machine::new(mutant) else { return Fate::Refused };
    for at in 0..scenarios.len() {
        let scenario = &scenarios[at];
        let fate = match run(scenario, &machine) {
            Err(_) => Fate::Refused,
            Ok(trace) if !faults(scenario, &trace).is_empty() => Fate::Noticed,
            Ok(_) => continue,
        };
        scenarios[..=at].rotate_right(1);
        return fate;
    }
    Fate::Survived
}

/// Every field and every entry of a list, at every depth.
fn removals(value: &Value, pointer: &str, found: &mut Vec<Mutation>) {
    each(value, pointer, &mut |name, value, pointer| {
        if !WITHOUT_EFFECT.contains(&name) {
            found.push(Mutation { pointer: pointer.clone(), instead: None });
            removals(value, &pointer, found);
        }
    });
}

/// Every transition, to every other state that it could lead to.
fn detours(states: &Value, pointer: &str, found: &mut Vec<Mutation>) {
    let names: Vec<&String> = states.as_object().unwrap().keys().collect();
    let mut transitions = Vec::new();
    transitions_of(states, pointer, &mut transitions);
    for (pointer, target) in transitions {
        for other in names.iter().filter(|name| ***name != target) {
            found.push(Mutation { pointer: pointer.clone(), instead: Some(json!(other)) });
        }
    }
    for (name, state) in states.as_object().unwrap() {
        for (at, branch) in state["Branches"].as_array().into_iter().flatten().enumerate() {
            detours(&branch["States"], &format!("{pointer}/{name}/Branches/{at}/States"), found);
        }
    }
}

fn transitions_of(value: &Value, pointer: &str, found: &mut Vec<(String, String)>) {
    each(value, pointer, &mut |name, value, pointer| match (name, value.as_str()) {
        ("Branches", _) => {}
        ("Next" | "Default", Some(target)) => found.push((pointer, target.to_owned())),
        _ => transitions_of(value, &pointer, found),
    });
}

/// Every number, one up and one down; every boolean, inverted; every path and error name, replaced.
fn changes(value: &Value, pointer: &str, found: &mut Vec<Mutation>) {
    each(value, pointer, &mut |name, value, pointer| {
        if WITHOUT_EFFECT.contains(&name) {
            return;
        }
        let others = match (name, value) {
            // A difference of one second is too small for the clock of a test.
            ("TimeoutSeconds" | "HeartbeatSeconds", Value::Number(seconds)) => {
                vec![json!(seconds.as_u64().unwrap() / 2), json!(seconds.as_u64().unwrap() * 2)]
            }
            (_, Value::Number(number)) => {
                let number = number.as_i64().unwrap();
                vec![json!(number + 1), json!(number - 1)]
            }
            (_, Value::Bool(truth)) => vec![json!(!truth)],
            ("ResultPath", Value::String(_)) => vec![json!("$"), json!("$.elsewhere"), Value::Null],
            ("OutputPath", Value::String(_)) => vec![json!("$"), Value::Null],
            ("Error" | "Result", Value::String(_)) => vec![json!("Something.Else")],
            _ => return changes(value, &pointer, found),
        };
        found.extend(others.into_iter().map(|other| Mutation { pointer: pointer.clone(), instead: Some(other) }));
    });
}

/// Calls `visit` with name, value and pointer of every field of an object or entry of a list. An entry has no name.
fn each(value: &Value, pointer: &str, visit: &mut dyn FnMut(&str, &Value, String)) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                visit(name, value, format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")));
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                visit("", value, format!("{pointer}/{at}"));
            }
        }
        _ => {}
    }
}
