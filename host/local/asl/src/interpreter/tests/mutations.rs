//! Definitions that are changed at random: each is refused or runs to an end within the limits.

use std::collections::VecDeque;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use super::*;
use crate::limits::{HISTORY_BYTES, HISTORY_EVENTS};

/// How much memory the ended executions may hold that are kept meanwhile, as the Step Functions API keeps them.
const KEPT_BYTES: usize = 64 * 1024 * 1024;
/// The variable with the number of definitions; 500 without it.
const COUNT: &str = "STAGEHOST_ASL_MUTATIONS";

/// Texts with a meaning in a definition.
const TEXTS: [&str; 26] = [
    "$",
    "$$",
    "$.a",
    "$.list[*]",
    "$..*",
    "$..*..*..*..*",
    "$.list[?(@.n > 1 || @.gone)]",
    "$.list[-1:]",
    "$['a','list']",
    "$.list.length()",
    "$$.Execution.Input",
    "$$.Map.Item.Value",
    "States.Array($, $, $)",
    "States.Array(States.Array(States.Array($)))",
    "States.Format('{}{}', $, $)",
    "States.JsonToString($)",
    "States.JsonMerge($, $, false)",
    "States.ArrayUnique($.list)",
    "States.ArrayRange(0, 999, 1)",
    "States.StringSplit(States.JsonToString($), ',')",
    "A",
    "B",
    "Pass",
    "States.ALL",
    "2026-01-01T00:00:00Z",
    "",
];
const NAMES: [&str; 22] = [
    "InputPath",
    "OutputPath",
    "ResultPath",
    "Parameters",
    "ResultSelector",
    "ItemSelector",
    "ItemsPath",
    "x.$",
    "y.$",
    "Next",
    "Default",
    "Result",
    "Retry",
    "Catch",
    "MaxConcurrency",
    "MaxConcurrencyPath",
    "Seconds",
    "SecondsPath",
    "TimeoutSeconds",
    "TimeoutSecondsPath",
    "End",
    "A",
];

/// Keeps nothing of a call, so that the memory is that of the executions.
struct Answers;

#[async_trait]
impl Resources for Answers {
    fn supports(&self, _: &Resource) -> Result<(), Unsupported> {
        Ok(())
    }

    async fn call(&self, call: TaskCall) -> Result<Value, TaskError> {
        match call.state.as_str() {
            "B" if call.retry_count == 0 => Err(TaskError::new("E", "c")),
            "B" => Ok(json!({"n": 1})),
            _ => Ok(call.parameters),
        }
    }
}

fn seeds() -> Vec<Value> {
    let processor = json!({"StartAt": "I", "States": {
        "I": {"Type": "Pass", "Parameters": {"v.$": "$", "i.$": "$$.Map.Item.Index"}, "End": true}
    }});
    vec![
        json!({"StartAt": "A", "States": {
            "A": {"Type": "Pass", "Parameters": {"a.$": "$", "x": [1, {"y.$": "$.a"}]}, "ResultPath": "$.a", "Next": "B"},
            "B": {"Type": "Choice", "Choices": [
                {"And": [{"Variable": "$.a", "IsPresent": true}, {"Variable": "$.n", "NumericLessThan": 9}], "Next": "A"}
            ], "Default": "C"},
            "C": {"Type": "Succeed", "OutputPath": "$.list[?(@.n >= 1)]"}
        }}),
        json!({"StartAt": "A", "States": {
            "A": {
                "Type": "Map", "ItemsPath": "$.list", "MaxConcurrency": 2, "ItemProcessor": processor,
                "ItemSelector": {"all.$": "$", "item.$": "$$.Map.Item.Value"}, "ResultPath": "$.out", "Next": "B",
                "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2}],
                "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}]
            },
            "B": {"Type": "Wait", "SecondsPath": "$.n", "Next": "C"},
            "C": {"Type": "Fail", "ErrorPath": "$.text", "Cause": "c"}
        }}),
        json!({"StartAt": "A", "States": {
            "A": {
                "Type": "Parallel", "Branches": [processor, {"StartAt": "B", "States": {
                    "B": {"Type": "Task", "Resource": INVOKE, "TimeoutSeconds": 9, "Parameters": {"x.$": "$..n"}, "End": true}
                }}],
                "ResultSelector": {"x.$": "$[0]", "y.$": "States.ArrayGetItem($, 1)"}, "End": true
            }
        }}),
        json!({"StartAt": "A", "States": {
            "A": {"Type": "Task", "Resource": CALLBACK, "HeartbeatSeconds": 5, "TimeoutSeconds": 60,
                "Parameters": {"token.$": "$$.Task.Token", "t.$": "States.Format('{} {}', $.text, $.n)"},
                "Catch": [{"ErrorEquals": ["States.Timeout"], "ResultPath": "$.e", "Next": "B"}], "End": true},
            "B": {"Type": "Pass", "Result": {"x.$": "$"}, "Next": "A"}
        }}),
    ]
}

/// Returns the number of values in a value.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

/// Changes the value at a position, counted from the outside.
fn change(value: &mut Value, at: &mut usize, random: &mut StdRng) {
    if *at == 0 {
        *at = usize::MAX;
        return mutate(value, random);
    }
    *at -= 1;
    let inner: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(fields) => fields.values_mut().collect(),
        _ => return,
    };
    for item in inner {
        if *at != usize::MAX {
            change(item, at, random);
        }
    }
}

/// Collects the places of expressions.
fn expressions<'a>(value: &'a mut Value, found: &mut Vec<&'a mut Value>) {
    if value.as_str().is_some_and(|text| text.starts_with('$') || text.starts_with("States.")) {
        found.push(value);
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| expressions(item, found)),
        Value::Object(fields) => fields.values_mut().for_each(|item| expressions(item, found)),
        _ => {}
    }
}

/// Replaces an expression by another one, which mostly gives a definition that runs.
fn exchange(definition: &mut Value, random: &mut StdRng) {
    let mut found = Vec::new();
    expressions(definition, &mut found);
    if !found.is_empty() {
        let at = random.random_range(0..found.len());
        let texts: Vec<&str> =
            TEXTS.into_iter().filter(|text| text.starts_with('$') || text.starts_with("St")).collect();
        *found.swap_remove(at) = Value::from(*texts.choose(random).unwrap());
    }
}

fn mutate(value: &mut Value, random: &mut StdRng) {
    let text = |random: &mut StdRng| Value::from(*TEXTS.choose(random).unwrap());
    let name = |random: &mut StdRng| (*NAMES.choose(random).unwrap()).to_owned();
    match (random.random_range(0..8), &mut *value) {
        (0, value) => {
            *value = [json!(null), json!(true), json!(-1), json!(1e300), json!([]), json!({})]
                [random.random_range(0..6)]
            .clone()
        }
        (1, value) => *value = (0..random.random_range(1..60)).fold(value.take(), |inner, _| json!({"a": inner})),
        (2, value) => *value = (0..random.random_range(1..60)).fold(value.take(), |inner, _| json!([inner])),
        (3, Value::Object(fields)) if !fields.is_empty() => {
            let key = fields.keys().nth(random.random_range(0..fields.len())).unwrap().clone();
            let moved = fields.shift_remove(&key).unwrap();
            if random.random_bool(0.5) {
                fields.insert(name(random), moved);
            }
        }
        (4 | 5, Value::Object(fields)) => drop(fields.insert(name(random), text(random))),
        (6, Value::Array(items)) if !items.is_empty() => items.push(items[0].clone()),
        (_, value) => *value = text(random),
    }
}

#[tokio::test(start_paused = true)]
async fn every_changed_definition_is_refused_or_ends_within_the_limits() {
    let count = std::env::var(COUNT).ok().and_then(|count| count.parse().ok()).unwrap_or(500_u64);
    let input = json!({"a": {"b": [1, 2]}, "n": 3, "text": "x y", "list": [{"n": 1}, {"n": 2}, {"m": [3, {"n": 4}]}]});
    let (mut ran, seeds) = (0, seeds());
    let (mut kept, mut bytes) = (VecDeque::new(), 0);
    for seed in 0..count {
        let mut random = StdRng::seed_from_u64(seed);
        let mut definition = seeds[random.random_range(0..seeds.len())].clone();
        for _ in 0..random.random_range(0..4) {
            exchange(&mut definition, &mut random);
        }
        for _ in 0..random.random_range(0..3) {
            let mut at = random.random_range(0..size(&definition));
            change(&mut definition, &mut at, &mut random);
        }
        let Ok(machine) = StateMachine::parse(&definition.to_string()) else { continue };
        ran += 1;
        let request = StartRequest { input: input.clone(), ..StartRequest::default() };
        let execution = Execution::start(Arc::new(machine), request, Arc::new(Answers), TokenBoard::new());
        execution.wait().await;
        assert!(execution.history().len() <= HISTORY_EVENTS, "{seed}: {definition}");
        let holds = execution.history_bytes();
        assert!(holds < HISTORY_BYTES + 2 * 1024 * 1024, "{seed}: {definition}");
        kept.push_back((execution, holds));
        bytes += holds;
        while bytes > KEPT_BYTES {
            bytes -= kept.pop_front().map_or(bytes, |(_, holds)| holds);
        }
    }
    assert!(ran > count / 20, "only {ran} of {count} definitions ran");
}
