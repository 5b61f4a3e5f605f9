//! Compares an execution with the expectation of its scenario.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::run::{EXECUTIONS, QUEUE, Trace};
use super::scenario::{Scenario, definition};

/// The fields by which the backend recognises the batch. No state may lose them.
const IDENTITY: [&str; 6] = ["listingId", "jobId", "batchId", "externalId", "traceparent", "retry"];

/// Returns every difference to the expectation, as sentences.
pub fn faults(scenario: &Scenario, trace: &Trace) -> Vec<String> {
    let mut faults = Vec::new();
    let mut equal = |what: &str, seen: &Value, expected: &Value| {
        if seen != expected {
            faults.push(format!("{what}: expected {expected}, seen {seen}"));
        }
    };
    let expect = &scenario.expect;
    equal("status", &trace.status.clone().into(), &expect.status.clone().into());
    equal("error", &trace.error.clone().into(), &expect.error.clone().into());
    equal("states", &trace.states.clone().into(), &expect.states.clone().into());

    if (trace.status == "SUCCEEDED") == trace.cause.as_ref().is_some_and(|cause| !cause.is_empty()) {
        faults.push(format!("cause: {:?} of an execution that {}", trace.cause, trace.status));
    }
    let mut expected = BTreeMap::new();
    for state in names(&expect.states).filter(|state| tasks().contains(*state)) {
        expected.insert(state.to_owned(), expect.calls.get(state).copied().unwrap_or(1));
    }
    let mut seen: BTreeMap<String, usize> =
        trace.calls.iter().map(|(state, calls)| (state.clone(), calls.len())).collect();
    if !trace.messages.is_empty() {
        seen.insert("KeepUndeliveredResult".into(), trace.messages.len());
    }
    if seen != expected {
        faults.push(format!("calls: expected {expected:?}, seen {seen:?}"));
    }

    for (state, payloads) in &trace.calls {
        for (retry, payload) in payloads.iter().enumerate() {
            faults.extend(payload_faults(scenario, trace, state, retry, payload));
        }
    }
    for (state, part) in &expect.receives {
        let batch = trace.calls.get(state).and_then(|payloads| payloads.last()).map(|payload| &payload["batch"]);
        faults.extend(missing(&format!("the batch of {state}"), batch.unwrap_or(&Value::Null), part));
    }
    if let Some(part) = &expect.output {
        faults.extend(missing("output", trace.output.as_ref().unwrap_or(&Value::Null), part));
    }
    for message in &trace.messages {
        faults.extend(message_faults(scenario, trace, message));
    }
    match (trace.kept, &expect.dead_letter) {
        (0, None) | (1, Some(_)) => {}
        (kept, expected) => faults.push(format!("dead letters: expected {}, seen {kept}", expected.iter().count())),
    }
    if let Some((least, most)) = expect.seconds
        && !(least..=most).contains(&trace.seconds)
    {
        faults.push(format!("seconds: expected {least} to {most}, seen {}", trace.seconds));
    }
    faults
}

/// Returns all names in a list of states, including those in branches.
pub fn names(states: &[Value]) -> impl Iterator<Item = &str> {
    let nested = states.iter().filter_map(Value::as_array).flatten().filter_map(Value::as_array).flatten();
    states.iter().chain(nested).filter_map(Value::as_str)
}

/// Returns the Task states.
fn tasks() -> &'static BTreeSet<String> {
    static TASKS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        let mut tasks = BTreeSet::new();
        let mut flows = vec![definition().unwrap_or_default()];
        while let Some(flow) = flows.pop() {
            for (name, state) in flow["States"].as_object().into_iter().flatten() {
                if state["Type"] == "Task" {
                    tasks.insert(name.clone());
                }
                flows.extend(state["Branches"].as_array().into_iter().flatten().cloned());
            }
        }
        tasks
    });
    &TASKS
}

/// Checks what every call of the function must have.
fn payload_faults(scenario: &Scenario, trace: &Trace, state: &str, retry: usize, payload: &Value) -> Vec<String> {
    let what = format!("call {retry} of {state}");
    let arn = format!("{EXECUTIONS}:{}", trace.slug);
    let execution = json!({"state": state, "retry": retry, "execution": {"name": trace.slug, "arn": arn}});
    let mut faults: Vec<String> = missing(&what, payload, &execution).into_iter().collect();
    if !payload["execution"]["startedAt"].as_str().is_some_and(|date| date.ends_with('Z')) {
        faults.push(format!("{what}: {} is no date", payload["execution"]["startedAt"]));
    }
    let batch = &payload["batch"];
    for batch in batch["branches"].as_array().unwrap_or(&vec![batch.clone()]) {
        faults.extend(identity_faults(&what, scenario, batch));
    }
    faults
}

/// Checks what every message to the dead-letter queue must have, accepted or not.
fn message_faults(scenario: &Scenario, trace: &Trace, message: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let Some(body) = message["MessageBody"].as_str().and_then(|body| serde_json::from_str::<Value>(body).ok()) else {
        return vec![format!("the dead letter's body is no document: {message}")];
    };
    let place = json!({"QueueUrl": QUEUE, "MessageAttributes": {"ExecutionArn": {"DataType": "String"}}});
    faults.extend(missing("the dead letter", message, &place));
    let arn = message["MessageAttributes"]["ExecutionArn"]["StringValue"].as_str().unwrap_or_default();
    if !arn.ends_with(&format!(":{}", trace.slug)) {
        faults.push(format!("the dead letter comes from {arn:?}"));
    }
    for batch in body["branches"].as_array().unwrap_or(&vec![body.clone()]) {
        faults.extend(identity_faults("the dead letter", scenario, batch));
    }
    if let Some(part) = &scenario.expect.dead_letter {
        faults.extend(missing("the dead letter", &body, part));
    }
    faults
}

fn identity_faults(what: &str, scenario: &Scenario, batch: &Value) -> Option<String> {
    let lost: Vec<&str> = IDENTITY.into_iter().filter(|name| batch.get(name) != scenario.batch.get(name)).collect();
    (!lost.is_empty()).then(|| format!("{what} has lost {lost:?}: {batch}"))
}

/// Checks that a document contains a part: every field of it, at any depth. Null stands for an absent field.
fn missing(what: &str, document: &Value, part: &Value) -> Option<String> {
    (!contains(document, part)).then(|| format!("{what}: expected {part} in {document}"))
}

fn contains(document: &Value, part: &Value) -> bool {
    match part {
        Value::Object(fields) => fields.iter().all(|(name, part)| match (document.get(name), part) {
            (None, Value::Null) => true,
            (Some(document), part) => contains(document, part),
            (None, _) => false,
        }),
        Value::Array(parts) => document.as_array().is_some_and(|items| {
            items.len() == parts.len() && items.iter().zip(parts).all(|(item, part)| contains(item, part))
        }),
        part => document == part,
    }
}
