//! The state machine that a stage in development runs in.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use crate::authoring::project::Project;
use crate::build::checkout::Checkout;
use crate::build::host_states::host_states_in;
use crate::exit::{read_named_text, usage};

/// The project's own states, to be added to a state machine.
const OWN_STATES: &str = "pipeline/state.json";

/// Returns the file of a state machine with the project's state: the named one, or the shipped one, as it is if it has the
/// state; or else a copy in `folder` with the states of the project's `pipeline/state.json`.
///
/// # Errors
/// If there is no state machine, or neither it nor the project has the state.
pub fn machine(project: &Project, named: Option<&Path>, folder: &Path) -> Result<PathBuf> {
    let file = match named {
        Some(named) => named.to_owned(),
        None => Checkout::find()?.state_machine(),
    };
    let text = read_named_text("the state machine", &file)?;
    let has_state = |text: &str| host_states_in(&file, text).map(|states| states.contains(&project.state));
    if has_state(&text)? {
        return Ok(file);
    }
    let own = project.folder.join(OWN_STATES);
    let missing = || {
        usage!(
            "no state {} of {} calls the host; name a state machine that has it with --state-machine, or describe the \
             state in {}",
            project.state,
            file.display(),
            own.display()
        )
    };
    if !own.is_file() {
        return Err(missing());
    }
    let added: Value =
        serde_json::from_str(&read_named_text("", &own)?).map_err(|e| usage!("{}: {e}", own.display()))?;
    let Value::Object(added) = added else {
        return Err(usage!("{} is not an object with a state for each name", own.display()));
    };
    let mut whole: Value = serde_json::from_str(&text).map_err(|e| usage!("{}: {e}", file.display()))?;
    let states = whole.get_mut("States").and_then(Value::as_object_mut);
    merge(states.ok_or_else(|| usage!("{} has no States", file.display()))?, added);
    let text = serde_json::to_string_pretty(&whole)?;
    if !has_state(&text)? {
        return Err(missing());
    }
    let target = folder.join("machine.asl.json");
    std::fs::write(&target, text).with_context(|| format!("cannot write {}", target.display()))?;
    Ok(target)
}

/// Adds fields to an object as jq's `*` does: objects become one, anything else is replaced.
fn merge(into: &mut Map<String, Value>, added: Map<String, Value>) {
    for (name, value) in added {
        match (into.get_mut(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, value) => {
                into.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn calls_host(next: &str) -> Value {
        json!({
            "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "${HostFunctionArn}", "Payload": {"state.$": "$$.State.Name"}},
            "Next": next,
        })
    }

    fn project(folder: &Path) -> Project {
        std::fs::write(folder.join("stage.json"), r#"{"name": "line-notes", "language": "rust"}"#).unwrap();
        Project::open(folder).unwrap()
    }

    #[test]
    fn a_state_machine_that_has_the_state_is_taken_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.asl.json");
        std::fs::write(&file, json!({"States": {"RunLineNotes": calls_host("End")}}).to_string()).unwrap();
        assert_eq!(machine(&project(folder.path()), Some(&file), folder.path()).unwrap(), file);
    }

    #[test]
    fn the_project_s_states_are_added_to_any_other_one() {
        let folder = tempfile::tempdir().unwrap();
        let project = project(folder.path());
        let file = folder.path().join("other.asl.json");
        let choice = json!({"Type": "Choice", "Choices": [1], "Default": "Zip"});
        std::fs::write(&file, json!({"States": {"Check": choice, "Zip": calls_host("End")}}).to_string()).unwrap();
        let error = machine(&project, Some(&file), folder.path()).unwrap_err().to_string();
        assert!(error.contains("RunLineNotes") && error.contains("pipeline/state.json"), "{error}");

        std::fs::create_dir(folder.path().join("pipeline")).unwrap();
        let added = json!({"Check": {"Default": "RunLineNotes"}, "RunLineNotes": calls_host("Zip")});
        std::fs::write(folder.path().join(OWN_STATES), added.to_string()).unwrap();
        let made = machine(&project, Some(&file), folder.path()).unwrap();
        let made: Value = serde_json::from_slice(&std::fs::read(made).unwrap()).unwrap();
        assert_eq!(made["States"]["Check"], json!({"Type": "Choice", "Choices": [1], "Default": "RunLineNotes"}));
        assert_eq!(made["States"]["RunLineNotes"]["Next"], "Zip");
    }
}
