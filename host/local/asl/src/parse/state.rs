//! One state of a definition.

use std::sync::Arc;

use serde_json::Value;

use super::fields::Fields;
use super::waits::{NO_TIMESTAMP, WAITS};
use super::{choice, distributed, looks, query, recovery};
use crate::clock;
use crate::definition::language::QueryLanguage;
use crate::definition::model::{DataFlow, FailText, Flow, Map, Next, Pass, State, StateKind, Task, Wait};
use crate::definition::resource::{Resource, ResourceError};
use crate::definition::settings::{Filter, Setting};
use crate::expressions::intrinsics::Expression;
use crate::findings::{Code, Collector};
use crate::limits::SECONDS;

/// The longest name of a state, in characters.
const MOST_NAME: usize = 80;
/// The types of states.
const TYPES: [&str; 8] = ["Task", "Pass", "Choice", "Parallel", "Map", "Wait", "Succeed", "Fail"];
/// The functions that return strings: a Fail state may use these only.
const STRING_FUNCTIONS: [&str; 7] = [
    "States.Format",
    "States.JsonToString",
    "States.ArrayGetItem",
    "States.Base64Encode",
    "States.Base64Decode",
    "States.Hash",
    "States.UUID",
];

/// Reads `StartAt` and `States`. Passed as a parameter, because a flow contains states and Parallel and Map states
/// contain flows.
pub(super) type FlowReader = fn(&mut Fields<'_>, &mut Vec<String>, &mut Collector) -> Option<Flow>;

/// Reads a state. Returns `None` if its transitions are unknown.
pub(super) fn read(
    name: &str,
    value: &Value,
    names: &mut Vec<String>,
    notes: &mut Collector,
    read_flow: FlowReader,
) -> Option<State> {
    if name.is_empty() {
        notes.error(Code::InvalidStateName, "Invalid State name: it cannot be empty");
    } else if name.chars().count() > MOST_NAME {
        let message =
            format!("Invalid State name: {name} exceeds the {MOST_NAME}-character limit allowed by the service");
        notes.error(Code::InvalidStateName, message);
    }
    let Some(object) = value.as_object() else {
        notes.error(Code::Schema, "a state must be an object");
        return None;
    };
    let mut fields = Fields::new(object);
    let language = fields.query_language(notes.language, notes);
    fields.required(&["Type"], notes);
    // Without a type, the meaning of the other fields is unknown.
    let state_type = fields.choice("Type", &TYPES, notes)?;
    let location = notes.location();
    query::foreign(&mut fields, language, notes);
    let (input_path, output_path) = match state_type {
        _ if language == QueryLanguage::Jsonata => (Filter::Whole, Filter::Whole),
        "Fail" => (Filter::Whole, Filter::Whole),
        _ => (fields.filter("InputPath", notes), fields.filter("OutputPath", notes)),
    };
    let next = match state_type {
        "Choice" | "Succeed" | "Fail" => Some(Next::End),
        _ => next(&mut fields, notes),
    };
    let query = (language == QueryLanguage::Jsonata).then(|| Box::new(query::read(&mut fields, state_type, notes)));
    let assign = match state_type {
        "Succeed" | "Fail" => None,
        _ => fields.assign(language, false, notes),
    };
    let kind = match state_type {
        "Task" => task(&mut fields, language, notes),
        "Pass" if query.is_some() => Some(StateKind::Pass(Box::default())),
        "Pass" => Some(pass(&mut fields, notes)),
        "Choice" => Some(choice(&mut fields, language, notes)),
        "Parallel" => parallel(&mut fields, language, names, notes, read_flow),
        "Map" => map(&mut fields, language, names, notes, read_flow),
        "Wait" if query.is_some() => Some(StateKind::Wait(Wait::Seconds(Setting::Value(0)))),
        "Wait" => wait(&mut fields, notes),
        "Succeed" => Some(StateKind::Succeed),
        _ if query.is_some() => Some(StateKind::Fail { error: None, cause: None }),
        _ => Some(fail(&mut fields, notes)),
    };
    fields.finish(notes);
    let name = name.to_owned();
    Some(State { name, location, input_path, output_path, next: next?, kind: kind?, query, assign })
}

fn next(fields: &mut Fields<'_>, notes: &mut Collector) -> Option<Next> {
    let ends = fields.flag("End", notes);
    let next = fields.text("Next", notes);
    match (next, ends) {
        (Some(next), None) => Some(Next::State(next.to_owned())),
        (None, Some(true)) => Some(Next::End),
        (Some(_), Some(_)) => {
            fields.exclusive(&["Next", "End"], notes);
            None
        }
        (None, Some(false)) => {
            notes.error(Code::Schema, "'End' must be true, or 'Next' given instead");
            None
        }
        (None, None) => {
            if !fields.has("Next") && !fields.has("End") {
                fields.exactly_one(&["Next", "End"], notes);
            }
            None
        }
    }
}

fn data_flow(
    parameters: &'static str,
    language: QueryLanguage,
    fields: &mut Fields<'_>,
    notes: &mut Collector,
) -> DataFlow {
    if language == QueryLanguage::Jsonata {
        return DataFlow::default();
    }
    DataFlow {
        parameters: fields.template(parameters, notes),
        result_selector: fields.template("ResultSelector", notes),
        result_path: fields.result_path(notes),
    }
}

fn task(fields: &mut Fields<'_>, language: QueryLanguage, notes: &mut Collector) -> Option<StateKind> {
    let data = data_flow("Parameters", language, fields, notes);
    let recovery = recovery::read(fields, language, notes);
    let (timeout, heartbeat) = match language {
        QueryLanguage::Jsonata => (None, None),
        QueryLanguage::JsonPath => (
            fields.seconds("TimeoutSeconds", "TimeoutSecondsPath", 1, notes),
            fields.seconds("HeartbeatSeconds", "HeartbeatSecondsPath", 1, notes),
        ),
    };
    if let (Some(Setting::Value(timeout)), Some(Setting::Value(heartbeat))) = (&timeout, &heartbeat)
        && heartbeat >= timeout
    {
        notes.error(Code::Schema, "'HeartbeatSeconds' must be smaller than 'TimeoutSeconds'");
    }
    let credentials = if language == QueryLanguage::Jsonata { None } else { fields.template("Credentials", notes) };
    check_credentials(fields, notes);
    fields.required(&["Resource"], notes);
    let resource = match Resource::parse(fields.text("Resource", notes)?) {
        Ok(resource) if resource.has_its_pattern() => resource,
        Ok(resource) => {
            let message = format!(
                "The resource provided {resource} is not recognized. The value is not a valid resource ARN, or the resource \
                 is not available in this region."
            );
            notes.at("Resource", |notes| notes.error(Code::Schema, message));
            return None;
        }
        Err(error) => {
            let (code, message) = match error {
                ResourceError::NotAnArn(_) => (Code::Schema, "Value is not a valid resource ARN".to_owned()),
                ResourceError::Placeholder(_) | ResourceError::UnknownPattern { .. } => {
                    (Code::Unsupported, error.to_string())
                }
            };
            notes.at("Resource", |notes| notes.error(code, message));
            return None;
        }
    };
    Some(StateKind::Task(Box::new(Task { resource, data, recovery, timeout, heartbeat, credentials })))
}

/// Notes an error if `Credentials` names no role, or the task is that of an activity. Messages are the service's.
fn check_credentials(fields: &mut Fields<'_>, notes: &mut Collector) {
    let activity = fields.raw("Resource").and_then(Value::as_str).and_then(|text| Resource::parse(text).ok());
    let Some(credentials) = fields.raw("Credentials") else { return };
    let message = match (activity, credentials) {
        (Some(Resource::Activity { .. }), _) => "The field 'Credentials' is not supported for activities",
        (_, Value::Object(found)) if !found.contains_key("RoleArn") && !found.contains_key("RoleArn.$") => {
            "The field 'RoleArn' is required but was missing"
        }
        _ => return,
    };
    notes.at("Credentials", |notes| notes.error(Code::Schema, message));
}

fn pass(fields: &mut Fields<'_>, notes: &mut Collector) -> StateKind {
    StateKind::Pass(Box::new(Pass {
        result: fields.raw("Result").inspect(|result| looks::check_result(result, notes)).cloned(),
        parameters: fields.template("Parameters", notes),
        result_path: fields.result_path(notes),
    }))
}

fn choice(fields: &mut Fields<'_>, language: QueryLanguage, notes: &mut Collector) -> StateKind {
    let rules = choice::read(fields, language, notes);
    let default = fields.text("Default", notes).map(str::to_owned);
    if !fields.has("Default") {
        let message = "there is no 'Default': an input that no rule matches fails with States.NoChoiceMatched";
        notes.warning(Code::NoDefault, message);
    }
    StateKind::Choice { rules, default }
}

fn parallel(
    fields: &mut Fields<'_>,
    language: QueryLanguage,
    names: &mut Vec<String>,
    notes: &mut Collector,
    read_flow: FlowReader,
) -> Option<StateKind> {
    let data = data_flow("Parameters", language, fields, notes);
    let recovery = recovery::read(fields, language, notes);
    fields.required(&["Branches"], notes);
    let list = fields.list("Branches", notes).unwrap_or_default();
    let mut branches = Vec::new();
    notes.at("Branches", |notes| {
        for (at, value) in list.iter().enumerate() {
            branches.extend(notes.at(at, |notes| inner(value, "a branch", names, notes, read_flow, |_, _| {})));
        }
    });
    Some(StateKind::Parallel { branches, data: Box::new(data), recovery })
}

/// Reads a flow within a state. `more` reads the other fields of the same object.
fn inner(
    value: &Value,
    whose: &str,
    names: &mut Vec<String>,
    notes: &mut Collector,
    read_flow: FlowReader,
    more: impl FnOnce(&mut Fields<'_>, &mut Collector),
) -> Option<Flow> {
    let Some(object) = value.as_object() else {
        notes.error(Code::Schema, format!("{whose} must be an object"));
        return None;
    };
    let mut fields = Fields::new(object);
    more(&mut fields, notes);
    let flow = read_flow(&mut fields, names, notes);
    fields.finish(notes);
    flow
}

fn map(
    fields: &mut Fields<'_>,
    language: QueryLanguage,
    names: &mut Vec<String>,
    notes: &mut Collector,
    read_flow: FlowReader,
) -> Option<StateKind> {
    let jsonata = language == QueryLanguage::Jsonata;
    let items = if jsonata { None } else { fields.definite("ItemsPath", notes) };
    fields.exclusive(&["ItemSelector", "Parameters"], notes);
    // `Parameters` and `Iterator` are the older names.
    let older = fields.has("Parameters") && !fields.has("ItemSelector");
    let data = data_flow(if older { "Parameters" } else { "ItemSelector" }, language, fields, notes);
    let recovery = recovery::read(fields, language, notes);
    let concurrency = if jsonata { None } else { fields.seconds("MaxConcurrency", "MaxConcurrencyPath", 0, notes) }
        .unwrap_or(Setting::Value(0));
    fields.exactly_one(&["ItemProcessor", "Iterator"], notes);
    let (name, value) = match (fields.raw("ItemProcessor"), fields.raw("Iterator")) {
        (Some(value), _) => ("ItemProcessor", Some(value)),
        (None, value) => ("Iterator", value),
    };
    let mut children = false;
    let processor = notes.at(name, |notes| {
        let config = |fields: &mut Fields<'_>, notes: &mut Collector| children = processor_config(fields, notes);
        inner(value?, "an item processor", names, notes, read_flow, config)
    });
    let distributed = children.then(|| Box::new(distributed::read(fields, language, notes)));
    if distributed.is_none() {
        only_distributed(fields, language, notes);
    }
    let processor = Arc::new(processor?);
    Some(StateKind::Map(Box::new(Map { items, processor, distributed, data, recovery, concurrency })))
}

/// Notes an error for each field that an inline Map state does not have.
fn only_distributed(fields: &mut Fields<'_>, language: QueryLanguage, notes: &mut Collector) {
    for name in [
        "ItemReader",
        "ItemBatcher",
        "ResultWriter",
        "Label",
        "ToleratedFailureCount",
        "ToleratedFailureCountPath",
        "ToleratedFailurePercentage",
        "ToleratedFailurePercentagePath",
    ] {
        // In JSONata these two hold expressions, which an inline Map state computes too.
        let computed = matches!(name, "ToleratedFailureCount" | "ToleratedFailurePercentage");
        if fields.raw(name).is_some() && !(computed && language == QueryLanguage::Jsonata) {
            let message = format!(
                "'{name}' belongs to distributed Map states: give the processor '\"ProcessorConfig\": {{\"Mode\": \
                 \"DISTRIBUTED\", \"ExecutionType\": \"STANDARD\"}}'"
            );
            notes.at(name, |notes| notes.error(Code::Schema, message));
        }
    }
}

/// Reads the configuration of an item processor. Returns whether the Map state is distributed.
fn processor_config(fields: &mut Fields<'_>, notes: &mut Collector) -> bool {
    let name = "ProcessorConfig";
    let Some(config) = fields.object(name, notes) else {
        return false;
    };
    notes.at(name, |notes| {
        let mut fields = Fields::new(config);
        let mode = fields.choice("Mode", &["INLINE", "DISTRIBUTED"], notes);
        if mode == Some("DISTRIBUTED") {
            fields.required(&["ExecutionType"], notes);
        }
        if mode != Some("INLINE") {
            fields.choice("ExecutionType", &["STANDARD", "EXPRESS"], notes);
        }
        // A mode that is not known is an error already, and the fields may be those of a distributed Map state.
        let distributed = mode == Some("DISTRIBUTED") || (mode.is_none() && fields.has("Mode"));
        fields.finish(notes);
        distributed
    })
}

fn wait(fields: &mut Fields<'_>, notes: &mut Collector) -> Option<StateKind> {
    fields.exactly_one(&WAITS, notes);
    let seconds = fields.whole("Seconds", 0, SECONDS, notes).map(|seconds| Wait::Seconds(Setting::Value(seconds)));
    let seconds_path = fields.definite("SecondsPath", notes).map(|path| Wait::Seconds(Setting::Path(path)));
    let until = fields.text("Timestamp", notes).and_then(|text| {
        let date = clock::parse(text);
        if date.is_none() {
            notes.at("Timestamp", |notes| notes.error(Code::Schema, NO_TIMESTAMP));
        }
        date.map(|date| Wait::Until(Setting::Value(date)))
    });
    let path = fields.definite("TimestampPath", notes).map(|path| Wait::Until(Setting::Path(path)));
    let wait = seconds.or(seconds_path).or(until).or(path);
    wait.map(StateKind::Wait)
}

fn fail(fields: &mut Fields<'_>, notes: &mut Collector) -> StateKind {
    let error = fail_text(fields, "Error", "ErrorPath", notes);
    let cause = fail_text(fields, "Cause", "CausePath", notes);
    StateKind::Fail { error, cause }
}

fn fail_text(
    fields: &mut Fields<'_>,
    name: &'static str,
    path: &'static str,
    notes: &mut Collector,
) -> Option<FailText> {
    fields.exclusive(&[name, path], notes);
    let text = fields.text(name, notes).map(|text| {
        notes.at(name, |notes| looks::check_literal(text, notes));
        FailText::Text(text.to_owned())
    });
    let computed = fields.text(path, notes).and_then(|text| {
        let problem = match Expression::parse(text) {
            Ok(Expression::Call(call)) if !STRING_FUNCTIONS.contains(&call.name()) => {
                format!("'{}' does not return a string; '{path}' allows {}", call.name(), STRING_FUNCTIONS.join(", "))
            }
            Ok(expression) => {
                return Some(FailText::Computed { expression, field: path });
            }
            Err(message) => message,
        };
        notes.at(path, |notes| notes.error(Code::InvalidPath, problem));
        None
    });
    text.or(computed)
}
