//! `TestState`: one state, run once.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use stagehost_asl::{
    Detail, Execution, Handling, Inspection, Inspector, Pattern, Resource, StartRequest, StateMachine, StateType,
    TaskError, json_problem,
};

use super::requests::{Mock, TestState, TestStateConfiguration};
use super::{mock_schema, test_context};
use crate::error::StatesError;
use crate::service::States;
use crate::substitution;

/// The name of the state that is tested, whatever it is in the definition: it is so on the service.
const NAME: &str = "StateName";
/// The longest test, in seconds.
const MOST_SECONDS: u64 = 300;
const NO_FAN_OUT: &str = "TestState API does not support Map or Parallel states. Supported state types include: [Task, \
                          Wait, Pass, Succeed, Fail, Choice]";

impl States {
    pub(super) async fn test_state(&self, request: TestState) -> Result<Value, StatesError> {
        let inspect = match request.inspection_level.as_deref() {
            None | Some("INFO") => false,
            Some("DEBUG" | "TRACE") => true,
            Some(other) => {
                return Err(StatesError::validation(format!("'{other}' is not a level: INFO, DEBUG or TRACE")));
            }
        };
        let definition = substitution::fill(&request.definition, &self.options.substitutions);
        let (state, machine) = alone(&definition, request.state_name.as_deref())?;
        let input = request.input.as_deref().unwrap_or("{}");
        let input: Value = serde_json::from_str(input).map_err(|error| {
            let problem = json_problem(input).unwrap_or_else(|| error.to_string());
            let message = format!("Invalid State Machine Execution Input: '{problem}'");
            StatesError::new("InvalidExecutionInput", message)
        })?;
        let parsed = StateMachine::parse(&machine.to_string())
            .map_err(|error| StatesError::invalid_definition(&inside(error.findings)))?;
        let resource = parsed.resources().into_iter().find(|(name, _)| *name == NAME).map(|(_, found)| found.clone());
        let kind = parsed.states().into_iter().find(|(name, _)| *name == NAME).map(|(_, kind)| kind);
        let kind = kind.ok_or_else(|| StatesError::validation("State not found in definition"))?;
        check_request(&request, kind, resource.as_ref())?;
        let mock = request.mock.map(|mock| mocked(mock, &state, kind, resource.as_ref())).transpose()?;
        if mock.is_none() {
            let findings = parsed.unsupported(self.options.resources.as_ref());
            if !findings.is_empty() {
                return Err(StatesError::invalid_definition(&inside(findings)));
            }
        }
        let waits = resource.as_ref().is_some_and(|resource| resource.pattern() != Pattern::RequestResponse);
        let configuration = request.state_configuration.unwrap_or_default();
        check_configuration(&configuration, &definition)?;
        let inspector = Inspector::new(Inspection {
            mock,
            variables: object(request.variables.as_deref(), "variables")?.unwrap_or_default(),
            context: request.context.as_deref().map(|context| test_context::read(context, waits)).transpose()?,
            retries: configuration.retrier_retry_count.unwrap_or(0),
            failed_iterations: configuration.map_iteration_failure_count,
            has_role: request.role_arn.is_some(),
        });
        let (name, id) = (uuid::Uuid::new_v4().to_string(), uuid::Uuid::new_v4().to_string());
        let started = StartRequest {
            arn: self.express_arn(&id, &name),
            name,
            state_machine_arn: self.machine_arn(&id),
            state_machine_name: id,
            role_arn: request.role_arn.unwrap_or_default(),
            input: input.clone(),
            inspector: Some(inspector.clone()),
            express: true,
            ..StartRequest::default()
        };
        let (resources, tokens) = (self.options.resources.clone(), self.options.tokens.clone());
        let execution = Execution::start(Arc::new(parsed), started, resources, tokens);
        let mut answer = outcome(&execution, &inspector).await;
        if let Some(next) = answer["nextState"].as_str().and_then(|next| next.strip_prefix(TARGET)).map(str::to_owned) {
            answer["nextState"] = next.into();
        }
        if inspect {
            answer["inspectionData"] = inspection(&input, &inspector);
        }
        Ok(answer)
    }
}

/// Stops the execution when the caller no longer waits for it.
struct Stop(Execution);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.stop(None, None);
    }
}

/// Waits until the state has been left, and returns its result as the API answers it.
async fn outcome(execution: &Execution, inspector: &Inspector) -> Value {
    let _stop = Stop(execution.clone());
    let (mut events, mut exited) = (execution.subscribe(), false);
    let mut answer = json!({});
    while let Some(event) = events.next().await {
        match &event.detail {
            Detail::StateExited { output, .. } if !exited => {
                exited = true;
                answer["output"] = output.as_str().into();
                answer["status"] = "SUCCEEDED".into();
            }
            Detail::StateEntered { name, .. } if exited => {
                answer["nextState"] = name.as_str().into();
                break;
            }
            Detail::ExecutionFailed { error, cause } if !exited => {
                let retries = matches!(inspector.handling(), Some(Handling::Retry { .. }));
                answer["status"] = if retries { "RETRIABLE" } else { "FAILED" }.into();
                with_error(&mut answer, error.as_deref(), cause.as_deref());
            }
            Detail::ExecutionTimedOut { .. } if !exited => {
                answer["status"] = "FAILED".into();
                with_error(&mut answer, Some("States.Timeout"), None);
            }
            _ => {}
        }
    }
    if let Some(Handling::Catch { error: TaskError { error, cause }, .. }) = inspector.handling()
        && exited
    {
        answer["status"] = "CAUGHT_ERROR".into();
        with_error(&mut answer, Some(&error), cause.as_deref());
    }
    answer
}

fn with_error(answer: &mut Value, error: Option<&str>, cause: Option<&str>) {
    for (field, value) in [("error", error), ("cause", cause)] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            answer[field] = value.into();
        }
    }
}

/// Returns what the fields of the state computed.
fn inspection(input: &Value, inspector: &Inspector) -> Value {
    let mut data = Map::from_iter([("input".to_owned(), Value::from(input.to_string()))]);
    for (field, value) in inspector.notes() {
        let is_number = matches!(field, "maxConcurrency" | "toleratedFailureCount" | "toleratedFailurePercentage");
        data.insert(field.to_owned(), if is_number { value } else { value.to_string().into() });
    }
    let variables = inspector.variables();
    if !variables.is_empty() {
        data.insert("variables".to_owned(), Value::Object(variables).to_string().into());
    }
    match inspector.handling() {
        None => {}
        Some(Handling::Retry { index, delay }) => {
            let details = json!({"retryIndex": index, "retryBackoffIntervalSeconds": delay.as_secs()});
            data.insert("errorDetails".to_owned(), details);
        }
        Some(Handling::Catch { index, .. }) => {
            data.insert("errorDetails".to_owned(), json!({"catchIndex": index}));
        }
    }
    Value::Object(data)
}

/// Checks what the type of the state asks for. Messages are the service's.
fn check_request(request: &TestState, kind: StateType, resource: Option<&Resource>) -> Result<(), StatesError> {
    let takes_mock = matches!(kind, StateType::Task | StateType::Map | StateType::Parallel);
    if request.mock.is_some() {
        if !takes_mock {
            let message = format!("State type '{}' is not supported when a mock is specified", kind.as_str());
            return Err(StatesError::validation(message));
        }
        if request.reveal_secrets == Some(true) {
            let message = "TestState does not support RevealSecrets when a mock is specified.";
            return Err(StatesError::validation(message));
        }
        return Ok(());
    }
    if matches!(kind, StateType::Map | StateType::Parallel) {
        return Err(StatesError::new("InvalidDefinition", NO_FAN_OUT));
    }
    if let Some(resource) = resource {
        if request.role_arn.is_none() {
            return Err(StatesError::validation("RoleArn must be specified when testing a Task state"));
        }
        if resource.pattern() != Pattern::RequestResponse {
            let message = format!(
                "TestState supports the resource '{resource}' only with a mock: activities, .sync and .waitForTaskToken"
            );
            return Err(StatesError::new("InvalidDefinition", message));
        }
    }
    Ok(())
}

fn check_configuration(configuration: &TestStateConfiguration, definition: &str) -> Result<(), StatesError> {
    if let Some(name) = &configuration.error_caused_by_state {
        let document: Value = serde_json::from_str(definition).unwrap_or_default();
        if !contains(&document, name) {
            return Err(StatesError::validation("State not found in definition"));
        }
    }
    Ok(())
}

/// Returns whether a state of this name is anywhere in a definition.
fn contains(document: &Value, name: &str) -> bool {
    match document {
        Value::Object(fields) => {
            let here = fields.get("States").and_then(|states| states.get(name)).is_some();
            here || fields.values().any(|inner| contains(inner, name))
        }
        Value::Array(items) => items.iter().any(|inner| contains(inner, name)),
        _ => false,
    }
}

/// What the names of the other states begin with, so that none is that of the tested state.
const TARGET: &str = "next:";

/// Returns the state, and a machine in which it is the first one and leads nowhere.
fn alone(definition: &str, wanted: Option<&str>) -> Result<(Value, Value), StatesError> {
    let missing = || StatesError::validation("State not found in definition");
    let Ok(document) = serde_json::from_str::<Value>(definition) else {
        let findings = StateMachine::parse(definition).err().map(|error| error.findings).unwrap_or_default();
        return Err(StatesError::invalid_definition(&findings));
    };
    let is_machine = document.get("States").is_some();
    let mut state = match wanted {
        Some(wanted) => find(&document, wanted).ok_or_else(missing)?.clone(),
        None if is_machine => {
            return Err(StatesError::validation("'stateName' is required with the definition of a state machine"));
        }
        None => document.clone(),
    };
    let original = state.clone();
    let mut targets = BTreeSet::new();
    retarget(&mut state, &mut targets);
    let mut states: Map<String, Value> =
        targets.into_iter().map(|target| (target, json!({"Type": "Succeed"}))).collect();
    states.insert(NAME.to_owned(), state);
    let mut machine = json!({"StartAt": NAME, "TimeoutSeconds": MOST_SECONDS, "States": states});
    if let (true, Some(language)) = (is_machine, document.get("QueryLanguage")) {
        machine["QueryLanguage"] = language.clone();
    }
    Ok((original, machine))
}

/// Gives the states to which a state leads names that cannot be its own.
fn retarget(state: &mut Value, targets: &mut BTreeSet<String>) {
    let mut rename = |next: &mut Value| {
        if let Some(name) = next.as_str() {
            let name = format!("{TARGET}{name}");
            *next = name.as_str().into();
            targets.insert(name);
        }
    };
    for field in ["Next", "Default"] {
        state.get_mut(field).into_iter().for_each(&mut rename);
    }
    for field in ["Choices", "Catch"] {
        let entries = state.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten();
        entries.filter_map(|entry| entry.get_mut("Next")).for_each(&mut rename);
    }
}

/// Returns the state of this name in a machine, in its branches or in its item processors.
fn find<'a>(flow: &'a Value, wanted: &str) -> Option<&'a Value> {
    let states = flow.get("States")?.as_object()?;
    states.get(wanted).or_else(|| {
        states.values().find_map(|state| {
            let branches = state.get("Branches").and_then(Value::as_array).into_iter().flatten();
            let processors = ["ItemProcessor", "Iterator"].into_iter().filter_map(|field| state.get(field));
            branches.chain(processors).find_map(|inner| find(inner, wanted))
        })
    })
}

/// Returns findings with the places that they have in the state's own definition.
fn inside(findings: Vec<stagehost_asl::Finding>) -> Vec<stagehost_asl::Finding> {
    let own = format!("/States/{NAME}");
    let mut findings = findings;
    for finding in &mut findings {
        if let Some(rest) = finding.location.strip_prefix(&own) {
            finding.location = if rest.is_empty() { "/".to_owned() } else { rest.to_owned() };
        }
        finding.message = finding.message.replace(TARGET, "");
    }
    findings
}

/// Returns the result that a mock gives. Messages are the service's.
fn mocked(
    mock: Mock,
    state: &Value,
    kind: StateType,
    resource: Option<&Resource>,
) -> Result<Result<Value, TaskError>, StatesError> {
    let refuse = |message: &str| Err(StatesError::validation(message));
    let result = match (mock.result, mock.error_output) {
        (Some(_), Some(_)) => {
            return refuse("A test mock should have only one of the following fields: [result, errorOutput].");
        }
        (None, None) => return refuse("A test mock should have one of the following fields: [result, errorOutput]."),
        (None, Some(output)) => {
            return Ok(Err(TaskError { error: output.error.unwrap_or_default(), cause: output.cause }));
        }
        (Some(result), None) => result,
    };
    let Ok(result) = serde_json::from_str::<Value>(&result) else {
        return refuse("Mocked result must be valid JSON");
    };
    match kind {
        StateType::Map if state.get("ResultWriter").is_some() => {
            if !result.is_object() {
                return refuse("Mocked result must be a JSON object.");
            }
        }
        StateType::Map | StateType::Parallel => {
            let Some(items) = result.as_array() else {
                return refuse("Mocked result must be an array.");
            };
            let branches = state.get("Branches").and_then(Value::as_array).map(Vec::len);
            if branches.is_some_and(|branches| branches != items.len()) {
                return refuse("Mocked result must contain the same number of items as number of Parallel branches.");
            }
        }
        _ => {
            let mode = mock.field_validation_mode.as_deref().unwrap_or("STRICT");
            if let (Some(resource), "STRICT" | "PRESENT") = (resource, mode) {
                mock_schema::check(resource, &result, mode == "STRICT").map_err(StatesError::validation)?;
            } else if !["STRICT", "PRESENT", "NONE"].contains(&mode) {
                return refuse(&format!("'{mode}' is not a mode of validation: STRICT, PRESENT or NONE"));
            }
        }
    }
    Ok(Ok(result))
}

fn object(text: Option<&str>, what: &str) -> Result<Option<Map<String, Value>>, StatesError> {
    match text.map(serde_json::from_str::<Value>) {
        None => Ok(None),
        Some(Ok(Value::Object(fields))) => Ok(Some(fields)),
        Some(_) => Err(StatesError::validation(format!("'{what}' must be a JSON object"))),
    }
}
