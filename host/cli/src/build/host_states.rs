//! Which states of a state machine call the host.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::exit::usage;

/// Returns the states that call the host, also those inside Parallel and Map.
///
/// # Errors
/// If the definition is not JSON.
pub fn host_states(definition: &str) -> Result<Vec<String>> {
    let definition: Value = serde_json::from_str(definition).context("not JSON")?;
    let mut found = Vec::new();
    collect(&definition, &mut found);
    found.sort();
    found.dedup();
    Ok(found)
}

/// Returns the states that call the host of the state machine in `file`, whose text is `definition`.
///
/// # Errors
/// Wrong usage that names the file, if the definition is not JSON.
pub fn host_states_in(file: &Path, definition: &str) -> Result<Vec<String>> {
    host_states(definition).map_err(|error| usage!("the state machine {}: {error}", file.display()))
}

fn collect(machine: &Value, found: &mut Vec<String>) {
    let Some(states) = machine.get("States").and_then(Value::as_object) else { return };
    for (name, state) in states {
        let resource = state.get("Resource").and_then(Value::as_str).unwrap_or_default();
        // Only calls that send the state's name are dispatched by it; a state may also call other functions.
        let enveloped = state.pointer("/Parameters/Payload/state.$").or_else(|| state.pointer("/Parameters/state.$"));
        if (resource.contains(":lambda:") || resource.contains("HostFunctionArn")) && enveloped.is_some() {
            found.push(name.clone());
        }
        let inner = state.get("Branches").and_then(Value::as_array).into_iter().flatten();
        for machine in inner.chain(state.get("Iterator")).chain(state.get("ItemProcessor")) {
            collect(machine, found);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::build::checkout::Checkout;

    #[test]
    fn every_state_that_calls_the_host_is_found_also_in_branches() {
        let home = Checkout::find().unwrap();
        let definition = std::fs::read_to_string(home.state_machine()).unwrap();
        let states = host_states(&definition).unwrap();
        for state in
            ["ValidateRawAssets", "GenerateThumbnails", "ProcessVideos", "CreateZipBundle", "FinalizeAndCallback"]
        {
            assert!(states.iter().any(|found| found == state), "{state} in {states:?}");
        }
    }
}
