//! Definitions in the Amazon States Language.

use std::sync::Arc;

use serde_json::Value;
use stagehost_asl::{Event, Outcome, Severity, StateMachine, Status, limits};

use crate::interpreter::{MOST_EVENTS, run};
use crate::parts;

/// Any definition is loaded, or refused with findings at places that it has. A loaded machine runs to an end, with a
/// history that follows the rules of histories, and does the same again. After `---` on a line of its own, the bytes may
/// have the execution's input.
pub fn check(bytes: &[u8]) {
    let Some((definition, input)) = parts(bytes) else { return };
    let machine = match StateMachine::parse(definition) {
        Ok(machine) => Arc::new(machine),
        Err(error) => {
            assert!(error.findings.iter().any(|finding| finding.severity == Severity::Error));
            let document = serde_json::from_str(definition).unwrap_or_default();
            error.findings.iter().for_each(|finding| is_a_place(&finding.location, &document));
            assert_eq!(StateMachine::parse(definition).err(), Some(error), "refused for other reasons");
            return;
        }
    };
    let input: Value = serde_json::from_str(input).unwrap_or_default();
    let (events, outcome) = run(&machine, input.clone());
    follows_the_rules(&events, &outcome);
    let by_chance = ["UUID", "MathRandom", "$$", "JitterStrategy"];
    if !by_chance.iter().any(|word| definition.contains(word)) {
        let (again, other) = run(&machine, input);
        let kinds = |events: &[Arc<Event>]| events.iter().map(|event| event.event_type()).collect::<Vec<_>>();
        assert_eq!(kinds(&again), kinds(&events));
        assert_eq!((other.status, other.output, other.error), (outcome.status, outcome.output, outcome.error));
    }
}

/// A finding points to a value of the definition, or to a field that is missing in one. What is not JSON has a line and a column.
fn is_a_place(location: &str, document: &Value) {
    if location.starts_with("[Source: ") {
        assert!(document.is_null() && location.contains("; line: "), "{location:?}");
        return;
    }
    assert!(location.starts_with('/'), "{location:?}");
    let parent = location.rsplit_once('/').map_or("", |(parent, _)| parent);
    let exists = location == "/" || document.pointer(location).is_some() || document.pointer(parent).is_some();
    assert!(exists, "the definition has no place {location:?}");
}

fn follows_the_rules(events: &[Arc<Event>], outcome: &Outcome) {
    assert!(events.len() <= limits::HISTORY_EVENTS, "{} events", events.len());
    for (event, id) in events.iter().zip(1u64..) {
        assert_eq!(event.id, id);
        assert!(event.previous_event_id < id, "event {id} follows event {}", event.previous_event_id);
        let is_end = ["ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"]
            .contains(&event.event_type().as_str());
        assert_eq!(is_end, id == events.len() as u64, "event {id} of {} is {}", events.len(), event.event_type());
    }
    assert_ne!(outcome.status, Status::Running);
    assert_eq!(outcome.output.is_some(), outcome.status == Status::Succeeded, "{outcome:?}");
    assert!(outcome.status != Status::Aborted || events.len() >= MOST_EVENTS, "stopped by nobody");
    if let Some(output) = &outcome.output {
        assert!(output.to_string().len() <= limits::PAYLOAD_BYTES, "an output of {} bytes", output.to_string().len());
    }
    let cause = outcome.cause.as_deref().unwrap_or_default();
    assert!(!cause.contains("panicked"), "{cause}");
}
