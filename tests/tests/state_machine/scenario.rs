//! Reads and checks the scenarios of `tests/scenarios`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use stagehost_tests::file;

/// One execution: its input, the answers to its calls, and its expected course.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// A sentence.
    pub name: String,
    /// The difference to the common batch: a merge patch (RFC 7386).
    #[serde(default)]
    pub batch: Value,
    /// Answers per state, call by call; the last one repeats. A state without an entry gives the common answer.
    #[serde(default)]
    pub answers: BTreeMap<String, Vec<Step>>,
    /// Parts of the definition that are removed for this scenario, as JSON pointers.
    #[serde(default)]
    pub without: Vec<String>,
    pub expect: Expectation,
}

/// The result of one call, or of `times` calls in a row. Exactly one of the first five fields is given.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// The answer is the call's batch with this merged into it. A state that waits for its token gets it by the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adds: Option<Value>,
    /// The call fails with this error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fails: Option<String>,
    /// The call succeeds, but the state fails with this error by its token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fails_later: Option<String>,
    /// The call never returns.
    #[serde(default)]
    pub hangs: bool,
    /// The call succeeds, and the token is never answered.
    #[serde(default)]
    pub silent: bool,
    /// Seconds between the call and its failure, or the token's answer; 0 answers a token before the call returns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Seconds between heartbeats, from the call to the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beats: Option<u64>,
    /// Bytes of filler in the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<usize>,
}

/// The expected course. A field that is not given is not checked, unless its comment says otherwise.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expectation {
    /// As DescribeExecution names it.
    pub status: String,
    /// `None` if the execution must succeed.
    pub error: Option<String>,
    /// Every state that is entered, in order. After a Parallel state stands a list with one list for each branch.
    pub states: Vec<Value>,
    /// The number of calls of each state that is not called exactly once.
    #[serde(default)]
    pub calls: BTreeMap<String, usize>,
    /// What the last call of a state must contain in its batch.
    #[serde(default)]
    pub receives: BTreeMap<String, Value>,
    /// What the message in the dead-letter queue must contain. `None` if there must be no message.
    pub dead_letter: Option<Value>,
    /// What the output must contain; of a failed execution, the input of its last state.
    pub output: Option<Value>,
    /// The fewest and the most seconds that it takes.
    pub seconds: Option<(u64, u64)>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Common {
    #[serde(rename = "comment")]
    _comment: String,
    batch: Value,
    answers: BTreeMap<String, Vec<Step>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    #[serde(rename = "comment")]
    _comment: String,
    scenarios: Vec<Scenario>,
}

impl Scenario {
    /// The execution's name: the sentence with hyphens.
    pub fn slug(&self) -> String {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
        let mut slug: String = self.name.replace('\'', "").chars().map(plain).collect();
        while slug.contains("--") {
            slug = slug.replace("--", "-");
        }
        slug.trim_matches('-').to_owned()
    }

    /// Returns what the state's function does after `earlier` calls.
    pub fn step(&self, state: &str, earlier: usize) -> Step {
        let steps = self.answers.get(state).map(Vec::as_slice).unwrap_or_default();
        let calls = steps.iter().flat_map(|step| std::iter::repeat_n(step, step.times.unwrap_or(1)));
        let step = calls.chain(steps.last().into_iter().cycle()).nth(earlier);
        step.cloned().unwrap_or_else(|| Step { adds: Some(json!({})), ..Step::default() })
    }

    /// Returns the definition without the parts that this scenario removes.
    pub fn definition(&self, definition: &Value) -> Value {
        let mut definition = definition.clone();
        for pointer in &self.without {
            // A mutant may lack it already.
            remove(&mut definition, pointer);
        }
        if !self.without.is_empty() {
            drop_unreachable(&mut definition);
        }
        definition
    }

    fn check(&self) -> Result<()> {
        let name = &self.name;
        ensure!(self.slug().len() <= 80, "{name:?}: an execution's name has at most 80 characters");
        for (state, step) in self.answers.iter().flat_map(|(state, steps)| steps.iter().map(move |step| (state, step)))
        {
            let kinds =
                [step.adds.is_some(), step.fails.is_some(), step.fails_later.is_some(), step.hangs, step.silent];
            let given = kinds.iter().filter(|kind| **kind).count();
            ensure!(given == 1, "{name:?}: an answer of {state} has {given} of adds, fails, failsLater, hangs, silent");
        }
        ensure!(
            (self.expect.status == "SUCCEEDED") == self.expect.error.is_none(),
            "{name:?}: an execution that does not succeed has an error"
        );
        Ok(())
    }
}

/// Reads all scenarios, with the common batch and answers filled in.
pub fn all() -> Result<Vec<Scenario>> {
    let folder = file("tests/scenarios");
    let common: Common = read(&folder.join("common.json"))?;
    let mut files: Vec<_> = fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|end| end == "json") && !path.ends_with("common.json"));
    files.sort();
    let mut scenarios: Vec<Scenario> = Vec::new();
    for path in files {
        let subject: Subject = read(&path)?;
        for mut scenario in subject.scenarios {
            scenario.check().with_context(|| path.display().to_string())?;
            ensure!(
                scenarios.iter().all(|other| other.slug() != scenario.slug()),
                "{:?} is there twice",
                scenario.name
            );
            let own = std::mem::replace(&mut scenario.batch, common.batch.clone());
            merge(&mut scenario.batch, own);
            for (state, steps) in &common.answers {
                scenario.answers.entry(state.clone()).or_insert_with(|| steps.clone());
            }
            scenarios.push(scenario);
        }
    }
    Ok(scenarios)
}

fn read<T: serde::de::DeserializeOwned>(path: &std::path::Path) -> Result<T> {
    serde_json::from_slice(&fs::read(path)?).with_context(|| path.display().to_string())
}

/// Returns the state machine with its placeholders filled in.
pub fn definition() -> Result<Value> {
    let text = fs::read_to_string(file("statemachine/media-processing.asl.json"))?;
    let text =
        text.replace("${HostFunctionArn}", super::run::FUNCTION).replace("${DeadLetterQueueUrl}", super::run::QUEUE);
    Ok(serde_json::from_str(&text)?)
}

/// Applies a merge patch (RFC 7386).
pub fn merge(target: &mut Value, patch: Value) {
    let Value::Object(fields) = patch else {
        // Null means that there is no patch: the top level of a batch is never replaced.
        if !patch.is_null() {
            *target = patch;
        }
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (name, value) in fields {
        match (&mut *target, value) {
            (Value::Object(target), Value::Null) => drop(target.shift_remove(&name)),
            (target, value) => merge(&mut target[&name], value),
        }
    }
}

/// Removes the value at a pointer. Returns false if there is none.
pub fn remove(document: &mut Value, pointer: &str) -> bool {
    let Some((parent, last)) = pointer.rsplit_once('/') else { return false };
    match document.pointer_mut(parent) {
        Some(Value::Object(fields)) => fields.shift_remove(&last.replace("~1", "/").replace("~0", "~")).is_some(),
        Some(Value::Array(items)) => {
            let at = last.parse().ok().filter(|at| *at < items.len());
            at.map(|at: usize| items.remove(at)).is_some()
        }
        _ => false,
    }
}

/// Removes unreachable states, so that a machine without a Catch is still valid.
pub fn drop_unreachable(flow: &mut Value) {
    let mut reached = BTreeSet::new();
    let mut next: Vec<String> = flow["StartAt"].as_str().map(str::to_owned).into_iter().collect();
    while let Some(state) = next.pop() {
        if reached.insert(state.clone()) {
            targets(&flow["States"][&state], &mut next);
        }
    }
    let Some(states) = flow["States"].as_object_mut() else { return };
    states.retain(|name, _| reached.contains(name));
    for state in states.values_mut() {
        state.get_mut("Branches").and_then(Value::as_array_mut).into_iter().flatten().for_each(drop_unreachable);
    }
}

fn targets(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter().filter(|(name, _)| *name != "Branches") {
                match (name.as_str(), value) {
                    ("Next" | "Default", Value::String(target)) => found.push(target.clone()),
                    _ => targets(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| targets(item, found)),
        _ => {}
    }
}
