//! Nothing in the state machine is there without a test: whatever is taken out or led astray, a scenario notices.
//!
//! The mutants are enumerated from the definition, so a new Catch, Retry, name or path is asked for its scenario on the
//! day that it is written.

#![allow(clippy::unwrap_used)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::judge::faults;
use super::run::{Machine, run};
use super::scenario::{Scenario, all, definition, drop_unreachable, remove};

/// What may go without a scenario: remarks, and how long a retry waits. The waits are drawn at random (`JitterStrategy`),
/// so there is nothing to compare them with.
const WITHOUT_EFFECT: [&str; 5] = ["Comment", "IntervalSeconds", "BackoffRate", "MaxDelaySeconds", "JitterStrategy"];

/// One change of the definition.
#[derive(Clone, Debug)]
struct Mutation {
    pointer: String,
    /// What stands there instead; nothing takes it out.
    instead: Option<Value>,
}

impl Mutation {
    fn apply(&self, definition: &Value) -> Value {
        let mut mutant = definition.clone();
        match &self.instead {
            Some(value) => *mutant.pointer_mut(&self.pointer).unwrap() = value.clone(),
            None => assert!(remove(&mut mutant, &self.pointer), "{self}"),
        }
        // Not to notice what is missing only because something else has become superfluous.
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

/// What a mutant came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// A scenario failed.
    Noticed,
    /// It is no state machine any more.
    Refused,
    Survived,
}

#[test]
fn whatever_is_taken_out_of_the_machine_a_scenario_notices() {
    let definition = definition().unwrap();
    let mut mutations = Vec::new();
    removals(&definition, "", &mut mutations);
    let pointers: Vec<&str> = mutations.iter().map(|mutation| mutation.pointer.as_str()).collect();
    for (what, least) in [("/Catch", 9), ("/Retry", 8), ("/ResultPath", 13), ("/ErrorEquals/0", 31)] {
        let found = pointers.iter().filter(|pointer| pointer.ends_with(what)).count();
        assert!(found >= least, "{found} of {what}: the enumeration no longer reaches everything");
    }
    // These leave a state machine, so it is for a scenario to notice.
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
fn wherever_the_machine_goes_instead_a_scenario_notices() {
    let definition = definition().unwrap();
    let mut mutations = Vec::new();
    detours(&definition["States"], "/States", &mut mutations);
    assert!(mutations.len() > 100, "{}", mutations.len());
    survivors_are_none(&definition, &mutations);
}

#[test]
fn whatever_number_or_truth_is_changed_in_the_machine_a_scenario_notices() {
    let definition = definition().unwrap();
    let mut mutations = Vec::new();
    changes(&definition, "", &mut mutations);
    assert!(mutations.len() > 50, "{}", mutations.len());
    survivors_are_none(&definition, &mutations);
}

/// The pointers of the mutants that are no state machine any more.
fn survivors_are_none(definition: &Value, mutations: &[Mutation]) -> Vec<String> {
    let scenarios = all().unwrap();
    let machine = Machine::new(definition.clone()).unwrap();
    for scenario in &scenarios {
        let faults = faults(scenario, &run(scenario, &machine).unwrap());
        assert!(faults.is_empty(), "before anything is changed: {}: {faults:?}", scenario.name);
    }
    let next = AtomicUsize::new(0);
    let fates = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                // Whoever noticed the last one is asked first: neighbours are noticed by the same.
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
        "{} mutants: {} noticed by a scenario, {} no state machine any more",
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

/// Every number, one up and one down; every truth, turned round; every path and name, another one.
fn changes(value: &Value, pointer: &str, found: &mut Vec<Mutation>) {
    each(value, pointer, &mut |name, value, pointer| {
        if WITHOUT_EFFECT.contains(&name) {
            return;
        }
        let others = match (name, value) {
            // A second more or less is beyond what the clock of a test can tell.
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

/// Calls `visit` with name, value and pointer of everything in a document. An entry of a list has no name.
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
