//! A field of a JSONata state: a literal, an expression, or an object or array that contains expressions.

use serde_json::{Map, Value};

use super::engine::{Bindings, Cancel, Failure, Found};
use super::query::{Query, expression};
use crate::error::StateError;
use crate::findings::{Code, Collector};

/// A parsed field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum QueryTemplate {
    /// A value without expressions.
    Literal(Value),
    Query(Query),
    Object(Vec<(String, QueryTemplate)>),
    Array(Vec<QueryTemplate>),
}

impl QueryTemplate {
    /// Parses a field and notes its errors. `caught` is true in an entry of Catch.
    pub fn parse(value: &Value, caught: bool, notes: &mut Collector) -> Self {
        match value {
            Value::String(text) => match expression(text) {
                Some(text) => Self::query(text, caught, notes).unwrap_or_else(|| Self::Literal(value.clone())),
                None => Self::Literal(value.clone()),
            },
            Value::Array(items) => {
                let parse = |(at, item)| notes.at(at, |notes| Self::parse(item, caught, notes));
                let items: Vec<Self> = items.iter().enumerate().map(parse).collect();
                match items.iter().all(|item| matches!(item, Self::Literal(_))) {
                    true => Self::Literal(value.clone()),
                    false => Self::Array(items),
                }
            }
            Value::Object(fields) => {
                let parse = |(name, value): (&String, &Value)| {
                    (name.clone(), notes.at(name, |notes| Self::parse(value, caught, notes)))
                };
                let fields: Vec<(String, Self)> = fields.iter().map(parse).collect();
                match fields.iter().all(|(_, field)| matches!(field, Self::Literal(_))) {
                    true => Self::Literal(value.clone()),
                    false => Self::Object(fields),
                }
            }
            _ => Self::Literal(value.clone()),
        }
    }

    fn query(text: &str, caught: bool, notes: &mut Collector) -> Option<Self> {
        match Query::parse(text) {
            Ok(query) => {
                if let Some(problem) = query.compiled().unsupported(caught) {
                    notes.error(Code::UnsupportedJsonata, problem);
                }
                Some(Self::Query(query))
            }
            Err(problem) => {
                notes.error(Code::InvalidJsonata, problem);
                None
            }
        }
    }

    /// Calls `each` with every expression.
    pub fn queries<'a>(&'a self, each: &mut dyn FnMut(&'a Query)) {
        match self {
            Self::Literal(_) => {}
            Self::Query(query) => each(query),
            Self::Object(fields) => fields.iter().for_each(|(_, field)| field.queries(each)),
            Self::Array(items) => items.iter().for_each(|item| item.queries(each)),
        }
    }

    /// Returns whether the field holds no expression.
    pub fn is_literal(&self) -> bool {
        matches!(self, Self::Literal(_))
    }

    /// Computes the field. `place` is its name, which errors quote: `Output`, `Choices[0]/Condition`.
    ///
    /// # Errors
    /// An expression failed, yielded nothing or yielded a function.
    pub fn evaluate(&self, place: &str, bindings: &Bindings, cancel: &Cancel) -> Result<Value, StateError> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Query(query) => evaluate(query, place, bindings, cancel),
            Self::Object(fields) => {
                let mut filled = Map::new();
                for (name, field) in fields {
                    filled.insert(name.clone(), field.evaluate(&format!("{place}/{name}"), bindings, cancel)?);
                }
                Ok(Value::Object(filled))
            }
            Self::Array(items) => {
                let each = items.iter().enumerate();
                each.map(|(at, item)| item.evaluate(&format!("{place}[{at}]"), bindings, cancel)).collect()
            }
        }
    }

    /// Returns the failure of a field whose value does not have the type that it needs.
    pub fn unexpected(&self, place: &str, wanted: &str, value: &Value) -> StateError {
        let text = match self {
            Self::Query(query) => query.text(),
            _ => "",
        };
        let cause = format!(
            "The JSONata expression '{text}' specified for the field '{place}' returned an unexpected result type. \
             Expected '{wanted}', but was '{}' for value: {value}",
            kind(value)
        );
        StateError::query(Some(place), cause)
    }
}

fn evaluate(query: &Query, place: &str, bindings: &Bindings, cancel: &Cancel) -> Result<Value, StateError> {
    let problem = match query.evaluate(bindings, cancel) {
        Ok(Found::Value(value)) => return Ok(value),
        Ok(Found::Nothing) => "returned nothing (undefined).".to_owned(),
        Ok(Found::Function) => "returned an unsupported result type.".to_owned(),
        Err(Failure::Coded(cause)) => format!("threw an error during evaluation. {cause}"),
        Err(Failure::Limit(cause)) => format!("threw an error during evaluation: {cause}"),
    };
    let text = query.text();
    let cause = format!("The JSONata expression '{text}' specified for the field '{place}' {problem}");
    Err(StateError::query(Some(place), cause))
}

/// Returns the name of a value's type.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
