//! Rules between two places: pins and states, timeouts and deadlines, errors and their Retry and Catch, ends and the delivery
//! of the result.

use std::collections::BTreeSet;

use serde_json::Value;
use stagehost_batch::Case;

use super::finding::{Finding, Findings, Kind};
use super::machine::{Machine, Node, entries, errors, inner_flows, kind, next, waits};
use crate::json_pointer::below;

/// The fields of a call of the host: the part of the context object that each must be, and why.
const ENVELOPE: [(&str, &str, &str); 5] = [
    ("state.$", "$$.State.Name", "the host picks the stage by it"),
    ("execution/arn.$", "$$.Execution.Id", "the document and the callback carry it"),
    ("execution/name.$", "$$.Execution.Name", "requests of transcoding jobs derive from it"),
    ("execution/startedAt.$", "$$.Execution.StartTime", "the callback carries it"),
    ("retry.$", "$$.State.RetryCount", "transient errors are retried on the first attempts only"),
];
const TOKEN: &str = "taskToken.$";

/// Checks every state.
pub fn run(machine: &Machine<'_>, findings: &mut Findings) {
    pins(machine, findings);
    for (name, node) in &machine.states {
        let mut notes = Notes { name, node, findings };
        match kind(node.state) {
            "Task" => {
                if machine.calls_host(name) {
                    // What a JSONata expression passes on is not known.
                    if !machine.is_jsonata(node.state) {
                        envelope(&mut notes);
                        token(machine, &mut notes);
                    }
                    timeout(machine, &mut notes);
                }
                catches(&mut notes);
            }
            "Parallel" | "Map" => catches(&mut notes),
            _ => {}
        }
        if holds_host(machine, name) {
            retries(&mut notes);
        }
        // If the dead-letter queue itself fails, no other way is left.
        if !machine.is_last_resort(name) {
            for (entry, place) in entries(node.state, "Catch", &node.place) {
                let way = next(entry).and_then(|next| undelivered(machine, next));
                notes.undelivered(way, below(&place, "Next"));
            }
        }
    }
    let first = machine.definition.get("StartAt").and_then(Value::as_str);
    if let Some((name, node)) = first.and_then(|name| machine.states.get_key_value(name)) {
        Notes { name, node, findings }.undelivered(undelivered(machine, name), "/StartAt".to_owned());
    }
}

struct Notes<'a> {
    name: &'a str,
    node: &'a Node<'a>,
    findings: &'a mut Findings,
}

impl Notes<'_> {
    fn add(&mut self, kind: Kind, place: String, subject: &str, problem: String, fix: impl Into<String>) {
        let (state, subject) = (Some(self.name.to_owned()), subject.to_owned());
        self.findings.add(Finding { state, place, kind, subject, problem, fix: fix.into() });
    }

    fn undelivered(&mut self, way: Option<Vec<&str>>, place: String) {
        let Some(way) = way else { return };
        let end = way.last().copied().unwrap_or_default();
        self.add(
            Kind::Untold,
            place,
            end,
            format!("on the way {} the execution ends, and its result is not delivered", way.join(" → ")),
            "lead it through a state that calls the backend (a pin of the world callback), or one that sends the result to \
             the dead-letter queue (sqs:sendMessage)",
        );
    }
}

fn pins(machine: &Machine<'_>, findings: &mut Findings) {
    for (name, node) in &machine.states {
        if kind(node.state) == "Task" && machine.calls_host(name) && !machine.pins.contains_key(*name) {
            findings.add(Finding {
                state: Some((*name).to_owned()),
                place: node.place.clone(),
                kind: Kind::Pin,
                subject: (*name).to_owned(),
                problem: "no stage is pinned to this state, so the host would refuse it with Host.NoPin".into(),
                fix: format!("pin a stage to {name}, or name the state as its pin does"),
            });
        }
    }
    for name in machine.pins.keys().filter(|name| !machine.calls_host(name)) {
        findings.add(Finding {
            state: Some(name.clone()),
            place: below("pins:/states", name),
            kind: Kind::Pin,
            subject: name.clone(),
            problem: "the state machine has no state of this name that calls the host, so the pin is never used".into(),
            fix: "drop the pin, or name the state as the pin does".into(),
        });
    }
}

fn envelope(notes: &mut Notes<'_>) {
    let state = notes.node.state;
    let base = if state.pointer("/Parameters/Payload").is_some() { "Parameters/Payload" } else { "Parameters" };
    for (field, wanted, why) in ENVELOPE {
        let written = state.pointer(&format!("/{base}/{field}")).and_then(Value::as_str);
        if written != Some(wanted) {
            let problem = match written {
                Some(other) => format!("{field} is {other}, not {wanted}; {why}"),
                None => format!("{field} is missing; {why}"),
            };
            let place = format!("{}/{base}/{field}", notes.node.place);
            notes.add(Kind::Envelope, place, field, problem, format!("write \"{}\": \"{wanted}\"", last(field)));
        }
    }
    if state.pointer(&format!("/{base}/batch.$")).is_none() {
        let place = format!("{}/{base}/batch.$", notes.node.place);
        notes.add(Kind::Envelope, place, "batch.$", "the call has no document".into(), "write \"batch.$\": \"$\"");
    }
}

fn last(field: &str) -> &str {
    field.rsplit('/').next().unwrap_or(field)
}

fn token(machine: &Machine<'_>, notes: &mut Notes<'_>) {
    let state = notes.node.state;
    let written = ["Parameters/Payload", "Parameters"]
        .iter()
        .find_map(|base| Some((*base, state.pointer(&format!("/{base}/{TOKEN}"))?.as_str()?)));
    let waits = waits(state);
    let place = |base: &str| format!("{}/{base}/{TOKEN}", notes.node.place);
    let resource = below(&notes.node.place, "Resource");
    let transcodes = machine.pins.get(notes.name).is_some_and(|pin| pin.world == "transcode");
    match (waits, written) {
        (true, Some((_, "$$.Task.Token"))) => {}
        (true, Some((base, other))) => {
            let place = place(base);
            notes.add(Kind::Token, place, TOKEN, format!("{TOKEN} is {other}, so the state can never end"), FIX_TOKEN);
        }
        (true, None) => {
            let place = place("Parameters/Payload");
            notes.add(
                Kind::Token,
                place,
                TOKEN,
                "the state waits for a token, but does not pass one on".into(),
                FIX_TOKEN,
            );
        }
        (false, Some((base, _))) => {
            let place = place(base);
            let problem = "a token is passed, but the state does not wait for one".to_owned();
            notes.add(
                Kind::Token,
                place,
                TOKEN,
                problem,
                "drop the field, or let the resource end in .waitForTaskToken",
            );
        }
        (false, None) => {}
    }
    if transcodes && !waits {
        let problem = "a stage of the world transcode only submits jobs; without a token the state ends before they do";
        notes.add(
            Kind::Token,
            resource,
            "Resource",
            problem.into(),
            "use arn:aws:states:::lambda:invoke.waitForTaskToken, and pass the token",
        );
    }
}

const FIX_TOKEN: &str = "write \"taskToken.$\": \"$$.Task.Token\"";

fn timeout(machine: &Machine<'_>, notes: &mut Notes<'_>) {
    let Some(pin) = machine.pins.get(notes.name) else { return };
    // A path or an expression is only known when it runs.
    let state = notes.node.state;
    if state.get("TimeoutSecondsPath").is_some() || state.get("TimeoutSeconds").is_some_and(Value::is_string) {
        return;
    }
    let place = below(&notes.node.place, "TimeoutSeconds");
    let deadline = pin.deadline_ms;
    let fix = format!("give more than {} seconds, or the pin a shorter deadline", deadline.div_ceil(1000));
    match notes.node.state.get("TimeoutSeconds").and_then(Value::as_u64) {
        None => {
            let problem = "without a timeout the state waits for a dead call as long as the execution may run";
            notes.add(Kind::Timeout, place, "TimeoutSeconds", problem.into(), fix);
        }
        Some(seconds) if seconds.saturating_mul(1000) <= deadline => {
            let problem = format!(
                "the state gives up after {seconds} s, but its pin lets a call take {deadline} ms: the stage's own answer is lost"
            );
            notes.add(Kind::Timeout, place, "TimeoutSeconds", problem, fix);
        }
        Some(_) => {}
    }
}

/// Returns whether a state is, or holds, one that calls the host.
fn holds_host(machine: &Machine<'_>, name: &str) -> bool {
    let Some(node) = machine.states.get(name) else { return false };
    let inner = inner_flows(node.state, "").into_iter();
    let mut inner = inner.filter_map(|(flow, _)| flow.get("States")?.as_object()).flat_map(|states| states.keys());
    machine.calls_host(name) || inner.any(|inner| holds_host(machine, inner))
}

/// Checks that no Retry names an error that stays.
fn retries(notes: &mut Notes<'_>) {
    let means = |entry: &Value, name: &str| {
        errors(entry).iter().any(|error| [name, "States.ALL", "States.TaskFailed"].contains(error))
    };
    let retriers = entries(notes.node.state, "Retry", &notes.node.place);
    let mut wrong: Vec<(String, Vec<&str>)> = Vec::new();
    for name in Case::ALL.into_iter().filter(|case| *case != Case::Transient).map(Case::name) {
        let Some((entry, place)) = retriers.iter().find(|(entry, _)| means(entry, name)) else { continue };
        if entry.get("MaxAttempts").and_then(Value::as_u64) == Some(0) {
            continue;
        }
        match wrong.iter_mut().find(|(known, _)| known == place) {
            Some((_, names)) => names.push(name),
            None => wrong.push((place.clone(), vec![name])),
        }
    }
    for (place, names) in wrong {
        let problem = format!("it retries errors that stay: {}", names.join(", "));
        notes.add(
            Kind::Retry,
            below(&place, "ErrorEquals"),
            "ErrorEquals",
            problem,
            "name transient errors (Stage.Transient, the Lambda service's own), or put an entry with MaxAttempts 0 before",
        );
    }
}

fn catches(notes: &mut Notes<'_>) {
    let all = entries(notes.node.state, "Catch", &notes.node.place);
    if !all.iter().any(|(entry, _)| errors(entry).contains(&"States.ALL")) {
        let problem = "a failure that no entry names ends the execution, and its result is not delivered".to_owned();
        let place = below(&notes.node.place, "Catch");
        notes.add(Kind::Catch, place, "Catch", problem, "end Catch with an entry for States.ALL");
    }
}

/// Returns a way from a state to an end on which the result is not delivered.
fn undelivered<'a>(machine: &'a Machine<'_>, from: &'a str) -> Option<Vec<&'a str>> {
    walk(machine, from, &mut BTreeSet::new())
}

fn walk<'a>(machine: &'a Machine<'_>, name: &'a str, seen: &mut BTreeSet<&'a str>) -> Option<Vec<&'a str>> {
    if machine.delivers(name) || !seen.insert(name) {
        return None;
    }
    let node = machine.states.get(name)?;
    let on = |next: &'a str, seen: &mut BTreeSet<&'a str>| {
        let mut way = walk(machine, next, seen)?;
        way.insert(0, name);
        Some(way)
    };
    match kind(node.state) {
        // In a branch it is a failure of the state around it, whose own Catch is checked too.
        "Fail" => node.parent.is_none().then(|| vec![name]),
        "Choice" => {
            let rules = node.state.get("Choices").and_then(Value::as_array).into_iter().flatten();
            let default = node.state.get("Default").and_then(Value::as_str);
            rules.filter_map(next).chain(default).find_map(|next| on(next, seen))
        }
        _ => match after(machine, node) {
            Some(next) => on(next, seen),
            None => Some(vec![name]),
        },
    }
}

/// Returns the state after one that ends, outside its branch if it is the last there. `None` at the end of the execution.
fn after<'a>(machine: &'a Machine<'_>, node: &'a Node<'_>) -> Option<&'a str> {
    next(node.state).or_else(|| after(machine, machine.states.get(node.parent?)?))
}
