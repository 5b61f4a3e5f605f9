//! One state of a definition.

use std::sync::Arc;

use serde_json::Value;

use super::fields::Fields;
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
    if name.is_empty() || name.chars().count() > MOST_NAME {
        notes.error(Code::Schema, format!("a state's name must have 1 to {MOST_NAME} characters"));
    }
    let Some(object) = value.as_object() else {
        notes.error(Code::Schema, "a state must be an object");
        return None;
    };
    let mut fields = Fields::new(object);
    let language = fields.query_language(notes.language, notes);
    if !fields.has("Type") {
        notes.error(Code::Schema, "'Type' is missing");
    }
    let state_type = fields.text("Type", notes)?;
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
        "Fail" if query.is_some() => Some(StateKind::Fail { error: None, cause: None }),
        "Fail" => Some(fail(&mut fields, notes)),
        other => {
            let message = format!(
                "the state type '{other}' is not known: it is one of Task, Pass, Choice, Parallel, Map, Wait, Succeed, Fail"
            );
            notes.at("Type", |notes| notes.error(Code::Schema, message));
            // Without a type, the meaning of the other fields is unknown.
            return None;
        }
    };
    let article =
        if matches!(state_type, "Task" | "Pass" | "Choice" | "Parallel" | "Map" | "Wait") { "a" } else { "the" };
    fields.finish(&format!("{article} {state_type} state"), notes);
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
            notes.error(Code::Schema, "only one of Next and End may be given");
            None
        }
        (None, Some(false)) => {
            notes.error(Code::Schema, "'End' must be true, or 'Next' given instead");
            None
        }
        (None, None) => {
            if !fields.has("Next") && !fields.has("End") {
                notes.error(Code::Schema, "'Next' or 'End' is missing");
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
    if !fields.has("Resource") {
        notes.error(Code::Schema, "'Resource' is missing");
    }
    let resource = match Resource::parse(fields.text("Resource", notes)?) {
        Ok(resource) => resource,
        Err(error) => {
            let code = match error {
                ResourceError::NotAnArn(_) => Code::Schema,
                ResourceError::Placeholder(_) | ResourceError::UnknownPattern { .. } => Code::Unsupported,
            };
            notes.at("Resource", |notes| notes.error(code, error.to_string()));
            return None;
        }
    };
    Some(StateKind::Task(Box::new(Task { resource, data, recovery, timeout, heartbeat })))
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
    if !fields.has("Branches") {
        notes.error(Code::Schema, "'Branches' is missing");
    }
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
    fields.finish(whose, notes);
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
    if fields.exclusive(&["ItemProcessor", "Iterator"], notes) == 0 {
        notes.error(Code::Schema, "'ItemProcessor' is missing");
    }
    let (name, value) = match fields.raw("ItemProcessor") {
        Some(value) => ("ItemProcessor", Some(value)),
        None => ("Iterator", fields.raw("Iterator")),
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
        let distributed = match fields.text("Mode", notes) {
            None | Some("INLINE") => false,
            Some("DISTRIBUTED") => true,
            Some(mode) => {
                let message = format!("'{mode}' is not a mode of a Map state: INLINE or DISTRIBUTED");
                notes.at("Mode", |notes| notes.error(Code::Schema, message));
                true
            }
        };
        if let Some(kind) = fields.text("ExecutionType", notes)
            && !["STANDARD", "EXPRESS"].contains(&kind)
        {
            let message = format!("'{kind}' is not a type of execution: STANDARD or EXPRESS");
            notes.at("ExecutionType", |notes| notes.error(Code::Schema, message));
        }
        fields.finish("a processor's configuration", notes);
        distributed
    })
}

fn wait(fields: &mut Fields<'_>, notes: &mut Collector) -> Option<StateKind> {
    let given = fields.exclusive(&["Seconds", "SecondsPath", "Timestamp", "TimestampPath"], notes);
    if given == 0 {
        notes.error(Code::Schema, "one of Seconds, SecondsPath, Timestamp, TimestampPath is missing");
    }
    let seconds = fields.whole("Seconds", 0, SECONDS, notes).map(|seconds| Wait::Seconds(Setting::Value(seconds)));
    let seconds_path = fields.definite("SecondsPath", notes).map(|path| Wait::Seconds(Setting::Path(path)));
    let until = fields.text("Timestamp", notes).and_then(|text| {
        let date = clock::parse(text);
        if date.is_none() {
            let message = format!("'{text}' is not a timestamp such as 2026-03-14T01:59:00Z");
            notes.at("Timestamp", |notes| notes.error(Code::Schema, message));
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
