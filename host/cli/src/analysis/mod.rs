//! Whether a state machine, its pins and the schema of the batch fit together.
//!
//! The service accepts any definition that is well-formed. A path that finds nothing, a state without a stage, a failure
//! that reaches nobody: these show only when it runs, and a field renamed on one side was once found in production. So the
//! documents are followed through the machine here, without running it.

mod all_checks;
mod choice_rules;
mod expression;
pub mod finding;
mod flow;
pub mod machine;
mod schema;
mod shape;
pub mod shipped;
mod state_checks;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use stagehost_pins::Pins;

use self::finding::Finding;
use self::machine::Pinned;
use crate::build::host_states::host_states;

pub use self::all_checks::findings;

/// Returns what does not fit between pins and a state machine, by default the shipped one.
///
/// # Errors
/// If the state machine cannot be read.
pub fn of_pins(pins: &Pins, state_machine: Option<&Path>) -> Result<Vec<Finding>> {
    let definition = shipped::STATE_MACHINE.or(state_machine)?.text;
    let dispatched = host_states(&definition).unwrap_or_default().into_iter().collect();
    findings(&definition, &shipped::SCHEMA.or(None)?.text, &pinned(pins), dispatched)
}

/// Returns what runs for each state, with the longest deadline of the pin and its canary.
pub fn pinned(pins: &Pins) -> BTreeMap<String, Pinned> {
    let longest = |state: &String, own: u64| {
        pins.canaries.get(state).map_or(own, |canary| own.max(canary.pin.limits.deadline_ms))
    };
    let pinned = |(state, pin): (&String, &stagehost_pins::Pin)| {
        let deadline_ms = longest(state, pin.limits.deadline_ms);
        (state.clone(), Pinned { world: pin.world.name().to_owned(), deadline_ms })
    };
    pins.states.iter().map(pinned).collect()
}
