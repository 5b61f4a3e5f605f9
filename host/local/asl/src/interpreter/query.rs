//! States whose query language is JSONata.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::data;
use super::evaluate::evaluate;
use super::run::{Left, Output, Run, Visit};
use super::variables::Variables;
use crate::clock;
use crate::definition::choice::Rule;
use crate::definition::model::{ChoiceRule, Next, StateKind};
use crate::definition::query::QueryFields;
use crate::definition::retry::Catcher;
use crate::error::StateError;
use crate::expressions::jsonata::engine::{Bindings, Cancel};
use crate::expressions::jsonata::template::QueryTemplate;
use crate::limits::SECONDS;
use crate::map_run::MapRunLimits;

/// What a Task state calls its resource with.
pub(super) struct Prepared {
    pub parameters: Value,
    /// In seconds.
    pub timeout: Option<u64>,
    /// In seconds.
    pub heartbeat: Option<u64>,
    /// The role of `Credentials`.
    pub role_arn: Option<String>,
}

/// Returns the role that `Credentials` names.
pub(super) fn role(credentials: &Value) -> Option<String> {
    credentials.get("RoleArn").and_then(Value::as_str).map(str::to_owned)
}

impl Run {
    /// Returns what the expressions of a state read.
    pub(super) fn bindings(&self, visit: &Visit<'_>, context: Value) -> Bindings {
        Bindings {
            input: Arc::new(visit.input.clone()),
            context: Arc::new(context),
            result: None,
            error: None,
            variables: visit.variables.clone(),
        }
    }

    /// Runs a JSONata state without attempts.
    pub(super) async fn query_work(&self, visit: &Visit<'_>, query: &QueryFields) -> Result<Left, StateError> {
        let bindings = self.bindings(visit, self.context(visit, 0, None).value().clone());
        match &visit.state.kind {
            StateKind::Choice { rules, default } => {
                return self.query_choice(visit, query, rules, default.as_ref(), bindings).await;
            }
            StateKind::Wait(_) => {
                let time = self.query_wait(query, &bindings).await?;
                tokio::time::sleep(time).await;
            }
            StateKind::Fail { .. } => {
                let error = text(query.error.as_ref(), "Error", &bindings).await?.unwrap_or_default();
                let cause = text(query.cause.as_ref(), "Cause", &bindings).await?;
                return Err(StateError::reported(error, cause));
            }
            _ => {}
        }
        let next = visit.state.next.clone();
        let (output, assigned) = self.query_output(visit, query, bindings).await?;
        Ok(Left { output: Output::Value(output), next, assigned })
    }

    /// Computes `Output` and `Assign` of a state.
    pub(super) async fn query_output(
        &self,
        visit: &Visit<'_>,
        query: &QueryFields,
        bindings: Bindings,
    ) -> Result<(Value, Option<Variables>), StateError> {
        let output = match &query.output {
            Some(output) => field(output, "Output", &bindings).await?,
            None => bindings.result.as_ref().unwrap_or(&bindings.input).as_ref().clone(),
        };
        let assigned = Self::query_assigned(visit.state.assign.as_ref(), "Assign".to_owned(), &bindings).await?;
        Ok((data::limit(output, &visit.state.name)?, assigned))
    }

    async fn query_choice(
        &self,
        visit: &Visit<'_>,
        query: &QueryFields,
        rules: &[ChoiceRule],
        default: Option<&String>,
        bindings: Bindings,
    ) -> Result<Left, StateError> {
        for (at, choice) in rules.iter().enumerate() {
            let Rule::Condition(condition) = &choice.rule else {
                return Err(StateError::runtime("A rule of a JSONata state has no condition."));
            };
            let place = format!("Choices[{at}]/Condition");
            match field(condition, &place, &bindings).await? {
                Value::Bool(false) => {}
                Value::Bool(true) => {
                    let output = match &choice.output {
                        Some(output) => field(output, &format!("Choices[{at}]/Output"), &bindings).await?,
                        None => visit.input.clone(),
                    };
                    let place = format!("Choices[{at}]/Assign");
                    let assigned = Self::query_assigned(choice.assign.as_ref(), place, &bindings).await?;
                    let output = data::limit(output, &visit.state.name)?;
                    return Ok(Left {
                        output: Output::Value(output),
                        next: Next::State(choice.next.clone()),
                        assigned,
                    });
                }
                other => return Err(condition.unexpected(&place, "boolean", &other)),
            }
        }
        let next = Next::State(default.ok_or_else(StateError::no_choice)?.clone());
        let (output, assigned) = self.query_output(visit, query, bindings).await?;
        Ok(Left { output: Output::Value(output), next, assigned })
    }

    async fn query_wait(&self, query: &QueryFields, bindings: &Bindings) -> Result<Duration, StateError> {
        if let Some(seconds) = whole(query.seconds.as_ref(), "Seconds", 0, bindings).await? {
            return Ok(Duration::from_secs(seconds));
        }
        let text = text(query.timestamp.as_ref(), "Timestamp", bindings).await?.unwrap_or_default();
        let date = clock::parse(&text).ok_or_else(|| {
            StateError::unusable(
                "Timestamp",
                format!(
                    "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: {text}"
                ),
            )
        })?;
        Ok(self.clock.until(date))
    }

    /// Computes what a Task state calls its resource with.
    pub(super) async fn query_prepare(
        &self,
        visit: &Visit<'_>,
        query: &QueryFields,
        bindings: &Bindings,
    ) -> Result<Prepared, StateError> {
        let timeout = whole(query.timeout.as_ref(), "TimeoutSeconds", 1, bindings).await?;
        let heartbeat = whole(query.heartbeat.as_ref(), "HeartbeatSeconds", 1, bindings).await?;
        let parameters = self.query_arguments(visit, query, bindings).await?;
        let role_arn = match &query.credentials {
            Some(credentials) => role(&field(credentials, "Credentials", bindings).await?),
            None => None,
        };
        Ok(Prepared { parameters, timeout, heartbeat, role_arn })
    }

    /// Computes `Arguments`; without them, the state's input.
    pub(super) async fn query_arguments(
        &self,
        visit: &Visit<'_>,
        query: &QueryFields,
        bindings: &Bindings,
    ) -> Result<Value, StateError> {
        let arguments = match &query.arguments {
            Some(arguments) => field(arguments, "Arguments", bindings).await?,
            None => visit.input.clone(),
        };
        data::limit(arguments, &visit.state.name)
    }

    /// Computes the items of a Map state, unless it reads them, and its limits.
    pub(super) async fn query_items(
        &self,
        visit: &Visit<'_>,
        query: &QueryFields,
        reads: bool,
        bindings: &Bindings,
    ) -> Result<(Vec<Value>, MapRunLimits), StateError> {
        let items = match (&query.items, visit.input) {
            _ if reads => Vec::new(),
            (Some(template), _) => match field(template, "Items", bindings).await? {
                Value::Array(items) => items,
                other => return Err(template.unexpected("Items", "array", &other)),
            },
            (None, Value::Array(items)) => items.clone(),
            (None, other) => {
                return Err(StateError::query(None, format!("Map state input must be an array but was: {other}")));
            }
        };
        let concurrency = whole(query.concurrency.as_ref(), "MaxConcurrency", 0, bindings).await?.unwrap_or(0);
        let tolerated_count = whole(query.tolerated_count.as_ref(), "ToleratedFailureCount", 0, bindings).await?;
        let mut tolerated_percentage = None;
        if let Some(template) = &query.tolerated_percentage {
            let place = "ToleratedFailurePercentage";
            let percent = number(template, place, bindings).await?;
            if !(0.0..=100.0).contains(&percent) {
                return Err(StateError::query(Some(place), format!("{place} must be between 0 and 100.")));
            }
            tolerated_percentage = Some(percent);
        }
        Ok((items, MapRunLimits { concurrency, tolerated_count, tolerated_percentage }))
    }

    /// Computes the input of one iteration of a Map state.
    pub(super) async fn query_selected(
        &self,
        visit: &Visit<'_>,
        query: &QueryFields,
        item: &Value,
        retries: u64,
    ) -> Result<Value, StateError> {
        let Some(selector) = &query.selector else {
            return Ok(item.clone());
        };
        let bindings = self.bindings(visit, self.context(visit, retries, None).value().clone());
        data::limit(field(selector, "ItemSelector", &bindings).await?, &visit.state.name)
    }

    /// Computes `Output` and `Assign` of the entry of Catch at a position.
    pub(super) async fn query_caught(
        &self,
        visit: &Visit<'_>,
        at: usize,
        catcher: &Catcher,
        error: Value,
        retries: u64,
    ) -> Result<Left, StateError> {
        let mut bindings = self.bindings(visit, self.context(visit, retries, None).value().clone());
        let error = Arc::new(error);
        bindings.error = Some(error.clone());
        let output = match &catcher.output {
            Some(output) => field(output, &format!("Catch[{at}]/Output"), &bindings).await?,
            None => error.as_ref().clone(),
        };
        let place = format!("Catch[{at}]/Assign");
        let assigned = Self::query_assigned(catcher.assign.as_ref(), place, &bindings).await?;
        let output = data::limit(output, &visit.state.name)?;
        Ok(Left { output: Output::Value(output), next: Next::State(catcher.next.clone()), assigned })
    }
}

/// Computes a field that must be a number.
pub(super) async fn number(template: &QueryTemplate, place: &str, bindings: &Bindings) -> Result<f64, StateError> {
    let value = field(template, place, bindings).await?;
    value.as_f64().ok_or_else(|| template.unexpected(place, "number", &value))
}

/// Computes a field. Literals take no thread.
pub(super) async fn field(template: &QueryTemplate, place: &str, bindings: &Bindings) -> Result<Value, StateError> {
    if template.is_literal() {
        return template.evaluate(place, &Bindings::default(), &Cancel::default());
    }
    let (template, place, bindings) = (template.clone(), place.to_owned(), bindings.clone());
    evaluate(move |cancel| template.evaluate(&place, &bindings, cancel)).await
}

/// Computes a field that must be a string.
async fn text(
    template: Option<&QueryTemplate>,
    place: &str,
    bindings: &Bindings,
) -> Result<Option<String>, StateError> {
    let Some(template) = template else {
        return Ok(None);
    };
    match field(template, place, bindings).await? {
        Value::String(text) => Ok(Some(text)),
        other => Err(template.unexpected(place, "string", &other)),
    }
}

/// Computes a field that must be a whole number.
async fn whole(
    template: Option<&QueryTemplate>,
    place: &str,
    least: u64,
    bindings: &Bindings,
) -> Result<Option<u64>, StateError> {
    let Some(template) = template else {
        return Ok(None);
    };
    let value = field(template, place, bindings).await?;
    if !value.is_number() {
        return Err(template.unexpected(place, "number", &value));
    }
    match value.as_u64().filter(|number| (least..=SECONDS).contains(number)) {
        Some(number) => Ok(Some(number)),
        None if value.is_f64() => {
            Err(StateError::query(Some(place), format!("The {place} field cannot be parsed as a long value: {value}")))
        }
        None => Err(StateError::query(
            Some(place),
            format!("The {place} field must be a whole number from {least} to {SECONDS}: {value}"),
        )),
    }
}

/// Returns the error output that a Catch passes on. `name` is the error's name for it.
pub(super) fn error_output(error: &StateError, name: &str) -> Value {
    let missing = if error.nulls { Value::Null } else { "".into() };
    let field = |text: Option<&str>| text.map_or(missing.clone(), Value::from);
    json!({"Error": field(Some(name).filter(|name| !name.is_empty())), "Cause": field(error.cause.as_deref())})
}
