//! Every scenario meets its expectation on the project's interpreter.

#![allow(clippy::unwrap_used)]

use super::judge::{faults, names};
use super::run::{Machine, run};
use super::scenario::{all, definition};

#[test]
fn every_scenario_meets_its_expectation() {
    let machine = Machine::new(definition().unwrap()).unwrap();
    let mut wrong = Vec::new();
    let scenarios = all().unwrap();
    for scenario in &scenarios {
        let trace = run(scenario, &machine).unwrap();
        let faults = faults(scenario, &trace);
        if !faults.is_empty() {
            wrong.push(format!("{}:\n  {}", scenario.name, faults.join("\n  ")));
        }
    }
    println!("{} scenarios", scenarios.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_state_of_the_machine_is_entered_by_some_scenario() {
    let definition = definition().unwrap();
    let scenarios = all().unwrap();
    let entered: Vec<&str> = scenarios.iter().flat_map(|scenario| names(&scenario.expect.states)).collect();
    let mut states: Vec<&String> = definition["States"].as_object().unwrap().keys().collect();
    let branches = definition["States"]["ParallelProcessing"]["Branches"].as_array().unwrap();
    states.extend(branches.iter().flat_map(|branch| branch["States"].as_object().unwrap().keys()));
    states.retain(|state| !entered.contains(&state.as_str()));
    assert!(states.is_empty(), "{states:?}");
}
