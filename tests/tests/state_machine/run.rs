//! Runs a scenario on the project's interpreter, in virtual time, and records everything that can be seen from outside.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Value, json};
use stagehost_asl::{
    Detail, Execution, Resource, Resources, StartRequest, StateMachine, TaskCall, TaskError, TokenBoard, Unsupported,
};
use tokio::time::{Instant, sleep};

use super::scenario::{Scenario, Step, merge};

pub const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:listing-media-host";
pub const QUEUE: &str = "http://127.0.0.1/000000000000/listing-media-dlq";
const MACHINE: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:listing-media";
pub const EXECUTIONS: &str = "arn:aws:states:us-east-1:000000000000:execution:listing-media";
/// More calls or states than any scenario has. A mutant that loops reaches it.
const MOST: usize = 600;

/// An execution as seen from outside.
#[derive(Clone, Debug, Serialize)]
pub struct Trace {
    pub slug: String,
    pub status: String,
    pub error: Option<String>,
    pub cause: Option<String>,
    /// The output; of a failed execution, the input of its last state.
    pub output: Option<Value>,
    /// As in `Expectation::states`.
    pub states: Vec<Value>,
    /// The function's payloads, by state.
    pub calls: BTreeMap<String, Vec<Value>>,
    /// The parameters of every `sqs:sendMessage`, accepted or not.
    pub messages: Vec<Value>,
    /// How many of the messages were accepted.
    pub kept: usize,
    pub seconds: u64,
}

/// Everything that the machine calls.
struct Script {
    scenario: Scenario,
    tokens: TokenBoard,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    calls: BTreeMap<String, Vec<Value>>,
    messages: Vec<Value>,
    kept: usize,
    total: usize,
}

/// A valid definition.
#[derive(Clone)]
pub struct Machine {
    definition: Value,
    parsed: Arc<StateMachine>,
}

impl Machine {
    /// Parses a definition. The error says why it is not valid.
    pub fn new(definition: Value) -> Result<Self> {
        let parsed = Arc::new(StateMachine::parse(&definition.to_string())?);
        Ok(Self { definition, parsed })
    }
}

/// Runs the scenario. The error says why the machine is not valid without the parts that the scenario removes.
pub fn run(scenario: &Scenario, machine: &Machine) -> Result<Trace> {
    let Machine { definition, parsed } = match scenario.without.is_empty() {
        true => machine.clone(),
        false => Machine::new(scenario.definition(&machine.definition))?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(async {
        let tokens = TokenBoard::new();
        let script = Arc::new(Script { scenario: scenario.clone(), tokens: tokens.clone(), seen: Mutex::default() });
        let slug = scenario.slug();
        let request = StartRequest {
            arn: format!("{EXECUTIONS}:{slug}"),
            name: slug.clone(),
            state_machine_arn: MACHINE.into(),
            state_machine_name: "listing-media".into(),
            role_arn: "arn:aws:iam::000000000000:role/any".into(),
            input: scenario.batch.clone(),
            ..StartRequest::default()
        };
        let begun = Instant::now();
        let execution = Execution::start(parsed, request, script.clone(), tokens);
        let outcome = execution.wait().await;
        let seconds = begun.elapsed().as_secs();
        let (mut entered, mut last) = (Vec::new(), None);
        for event in execution.history() {
            if let Detail::StateEntered { name, input, .. } = &event.detail {
                entered.push(name.clone());
                last = Some(input.value());
            }
        }
        entered.truncate(MOST);
        let seen = std::mem::take(&mut *script.seen());
        Ok(Trace {
            slug,
            status: outcome.status.as_str().into(),
            error: outcome.error,
            cause: outcome.cause,
            output: outcome.output.or(last),
            states: by_branch(&definition, entered),
            calls: seen.calls,
            messages: seen.messages,
            kept: seen.kept,
            seconds,
        })
    })
}

/// Groups the states of a Parallel state by branch, because their order across branches is not defined.
fn by_branch(definition: &Value, entered: Vec<String>) -> Vec<Value> {
    let mut order: Vec<Value> = Vec::new();
    for state in entered {
        let place = order
            .iter()
            .position(|before| before.as_str().is_some_and(|name| branch(definition, name, &state).is_some()));
        let Some((place, branch)) =
            place.and_then(|place| Some((place, branch(definition, order.get(place)?.as_str()?, &state)?)))
        else {
            let parallel = definition["States"][&state]["Branches"].as_array().map(Vec::len);
            order.push(state.into());
            order.extend(parallel.map(|branches| json!(vec![Vec::<Value>::new(); branches])));
            continue;
        };
        if let Some(states) = order[place + 1][branch].as_array_mut() {
            states.push(state.into());
        }
    }
    order
}

/// Returns the branch of `parallel` that a state belongs to.
fn branch(definition: &Value, parallel: &str, state: &str) -> Option<usize> {
    let branches = definition["States"][parallel]["Branches"].as_array()?;
    branches.iter().position(|branch| branch["States"].get(state).is_some())
}

impl Script {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[async_trait]
impl Resources for Script {
    fn supports(&self, _: &Resource) -> Result<(), Unsupported> {
        Ok(())
    }

    async fn call(&self, call: TaskCall) -> Result<Value, TaskError> {
        let (earlier, total) = {
            let mut seen = self.seen();
            seen.total += 1;
            let queue = matches!(&call.resource, Resource::Service { service, .. } if service == "sqs");
            let (list, entry) = match queue {
                true => (&mut seen.messages, &call.parameters),
                false => (seen.calls.entry(call.state.clone()).or_default(), &call.parameters["Payload"]),
            };
            list.push(entry.clone());
            (list.len() - 1, seen.total)
        };
        if total > MOST {
            return Err(TaskError::new("States.Runtime", "The machine runs in circles."));
        }
        let step = self.scenario.step(&call.state, earlier);
        if step.hangs {
            return pending().await;
        }
        if let Resource::Service { service, .. } = &call.resource
            && service == "sqs"
        {
            return match &step.fails {
                Some(error) => Err(TaskError::new(error, "the queue was told to")),
                None => {
                    self.seen().kept += 1;
                    Ok(json!({"MessageId": "1", "MD5OfMessageBody": "0"}))
                }
            };
        }
        if let Some(error) = &step.fails {
            sleep(Duration::from_secs(step.after.unwrap_or(0))).await;
            return Err(TaskError::new(error, cause(error)));
        }
        if call.parameters["FunctionName"] != FUNCTION {
            return Err(TaskError::new("States.Runtime", "The parameter FunctionName names no function."));
        }
        // The function sees only its payload.
        let payload = &call.parameters["Payload"];
        let answer = answer(&step, &payload["batch"]);
        let Some(token) = payload["taskToken"].as_str().filter(|_| call.task_token.is_some()) else {
            return Ok(invoked(answer));
        };
        match step.after {
            Some(0) => self.report(token, &step, answer),
            after => {
                let (tokens, token) = (self.tokens.clone(), token.to_owned());
                tokio::spawn(later(tokens, token, step, answer, after));
            }
        }
        Ok(invoked(Value::Null))
    }
}

impl Script {
    fn report(&self, token: &str, step: &Step, answer: Value) {
        report(&self.tokens, token, step, answer);
    }
}

/// Answers a token after a while, with heartbeats until then.
async fn later(tokens: TokenBoard, token: String, step: Step, answer: Value, after: Option<u64>) {
    let end = async {
        match (after, step.silent) {
            (_, true) => pending().await,
            (after, false) => sleep(Duration::from_secs(after.unwrap_or(1))).await,
        }
    };
    let beats = async {
        let Some(every) = step.beats else { return pending().await };
        // The service refuses a heartbeat when the task has ended.
        while tokens.send_heartbeat(&token).is_ok() {
            sleep(Duration::from_secs(every)).await;
        }
    };
    tokio::select! {
        () = end => report(&tokens, &token, &step, answer),
        () = beats => {}
    }
}

fn report(tokens: &TokenBoard, token: &str, step: &Step, answer: Value) {
    // A late report is refused; the test looks at the execution only.
    let _ = match &step.fails_later {
        Some(error) => tokens.send_failure(token, Some(error.clone()), Some(cause(error))),
        None => tokens.send_success(token, answer),
    };
}

/// Returns the scripted function's answer for a batch. As in the host, branches become one document; then the scenario's
/// additions are merged into it.
fn answer(step: &Step, batch: &Value) -> Value {
    let mut document = json!({});
    for branch in batch["branches"].as_array().unwrap_or(&vec![batch.clone()]) {
        merge(&mut document, branch.clone());
    }
    merge(&mut document, step.adds.clone().unwrap_or_default());
    if let Some(bytes) = step.bytes {
        document["filler"] = "x".repeat(bytes).into();
    }
    document
}

/// An error of the function as Lambda passes it on.
fn cause(error: &str) -> String {
    json!({"errorType": error, "errorMessage": "the function was told to"}).to_string()
}

fn invoked(payload: Value) -> Value {
    json!({"ExecutedVersion": "$LATEST", "Payload": payload, "StatusCode": 200})
}
