//! Payload templates: the `Parameters`, `ResultSelector` and `ItemSelector` of a state.
//!
//! A field whose name ends in `.$` is computed; everything else is literal.

use serde_json::{Map, Value};

use crate::error::StateError;
use crate::expressions::intrinsics::{Budget, Expression};
use crate::expressions::path::{Path, Scope};
use crate::findings::{Code, Collector};

/// A parsed template.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Template {
    /// A template without computed fields.
    Literal(Value),
    Object(Vec<Field>),
    Array(Vec<Template>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    /// Without the `.$`.
    name: String,
    value: FieldValue,
}

#[derive(Clone, Debug, PartialEq)]
enum FieldValue {
    Template(Template),
    Computed(Expression),
}

impl Template {
    /// Parses a template and notes its errors.
    pub fn parse(value: &Value, notes: &mut Collector) -> Self {
        match value {
            Value::Object(fields) => {
                let fields: Vec<Field> = fields
                    .iter()
                    .filter_map(|(name, value)| notes.at(name, |notes| Field::parse(name, value, fields, notes)))
                    .collect();
                let literal = |field: &Field| matches!(field.value, FieldValue::Template(Self::Literal(_)));
                match fields.iter().all(literal) {
                    true => Self::Literal(value.clone()),
                    false => Self::Object(fields),
                }
            }
            Value::Array(items) => {
                let items: Vec<Self> =
                    items.iter().enumerate().map(|(at, item)| notes.at(at, |notes| Self::parse(item, notes))).collect();
                match items.iter().all(|item| matches!(item, Self::Literal(_))) {
                    true => Self::Literal(value.clone()),
                    false => Self::Array(items),
                }
            }
            _ => Self::Literal(value.clone()),
        }
    }

    /// Computes the payload.
    ///
    /// # Errors
    /// A computed field failed, or the payload is too large.
    pub fn evaluate(&self, scope: Scope<'_>) -> Result<Value, StateError> {
        self.fill(scope, &Budget::new())
    }

    fn fill(&self, scope: Scope<'_>, budget: &Budget) -> Result<Value, StateError> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Array(items) => {
                Value::Array(items.iter().map(|item| item.fill(scope, budget)).collect::<Result<_, _>>()?)
            }
            Self::Object(fields) => {
                let mut filled = Map::new();
                for field in fields {
                    let value = match &field.value {
                        FieldValue::Template(template) => template.fill(scope, budget)?,
                        FieldValue::Computed(expression) => {
                            expression.evaluate(&format!("{}.$", field.name), scope, budget)?
                        }
                    };
                    filled.insert(field.name.clone(), value);
                }
                Value::Object(filled)
            }
        })
    }

    /// Returns the names of the outermost fields.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Literal(Value::Object(fields)) => fields.keys().cloned().collect(),
            Self::Object(fields) => fields.iter().map(|field| field.name.clone()).collect(),
            Self::Literal(_) | Self::Array(_) => Vec::new(),
        }
    }

    /// Calls `each` with every path.
    pub fn paths<'a>(&'a self, each: &mut dyn FnMut(&'a Path)) {
        match self {
            Self::Literal(_) => {}
            Self::Array(items) => items.iter().for_each(|item| item.paths(each)),
            Self::Object(fields) => fields.iter().for_each(|field| match &field.value {
                FieldValue::Template(template) => template.paths(each),
                FieldValue::Computed(expression) => expression.paths(each),
            }),
        }
    }

    #[cfg(test)]
    pub fn is_literal(&self) -> bool {
        matches!(self, Self::Literal(_))
    }
}

impl Field {
    fn parse(name: &str, value: &Value, all: &Map<String, Value>, notes: &mut Collector) -> Option<Self> {
        let Some(bare) = name.strip_suffix(".$") else {
            return Some(Self { name: name.to_owned(), value: FieldValue::Template(Template::parse(value, notes)) });
        };
        if all.contains_key(bare) {
            notes.error(Code::Schema, format!("the fields '{bare}' and '{name}' have the same name"));
        }
        let text = value.as_str().filter(|text| text.starts_with('$') || text.starts_with("States."));
        let Some(text) = text else {
            let message = format!(
                "the value for the field '{name}' must be a string that is a path ('$…') or an intrinsic function call ('States.…')"
            );
            notes.error(Code::Schema, message);
            return None;
        };
        match Expression::parse(text) {
            Ok(expression) => Some(Self { name: bare.to_owned(), value: FieldValue::Computed(expression) }),
            Err(message) => {
                notes.error(Code::InvalidPath, format!("the field '{name}': {message}"));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::expressions::context::Context;

    fn parse(value: &Value) -> Result<Template, Vec<String>> {
        let mut notes = Collector::default();
        let template = Template::parse(value, &mut notes);
        match notes.finish() {
            findings if findings.is_empty() => Ok(template),
            findings => Err(findings.iter().map(ToString::to_string).collect()),
        }
    }

    fn fill(template: &Value, input: &Value) -> Result<Value, StateError> {
        let context = Context::of(json!({"Task": {"Token": "T"}}));
        parse(template).unwrap().evaluate(Scope { input, context: &context, variables: &Map::new() })
    }

    #[test]
    fn only_fields_that_end_in_dollar_are_computed_at_any_depth() {
        let template = json!({
            "literal": "$.a", "deep": [{"x.$": "$.a", "y": 1}, "$.a"], "token.$": "$$.Task.Token", "all.$": "$",
            "text.$": "States.Format('{}!', $.a)"
        });
        assert_eq!(
            fill(&template, &json!({"a": 7})).unwrap(),
            json!({"literal": "$.a", "deep": [{"x": 7, "y": 1}, "$.a"], "token": "T", "all": {"a": 7}, "text": "7!"})
        );
    }

    #[test]
    fn a_number_stays_a_number_and_null_stays_null() {
        assert_eq!(fill(&json!({"id.$": "$.id"}), &json!({"id": 4})).unwrap(), json!({"id": 4}));
        assert_eq!(fill(&json!({"id.$": "$.id"}), &json!({"id": null})).unwrap(), json!({"id": null}));
    }

    #[test]
    fn a_missing_path_names_the_path_the_field_and_the_input() {
        let error = fill(&json!({"deep": {"y.$": "$.x"}}), &json!({"flagged": false})).unwrap_err();
        assert_eq!(error.error, "States.Runtime");
        assert_eq!(error.aliases, ["States.ParameterPathFailure"]);
        assert_eq!(
            error.cause.unwrap(),
            "The JSONPath '$.x' specified for the field 'y.$' could not be found in the input '{\"flagged\":false}'"
        );
    }

    #[test]
    fn a_template_without_computed_fields_is_one_literal() {
        assert!(parse(&json!({"a": [1, {"b": "$.c"}]})).unwrap().is_literal());
    }

    #[test]
    fn wrong_fields_are_refused_with_their_place() {
        let findings = parse(&json!({"a": {"b.$": 1, "c.$": "x", "d.$": "$.", "e": 1, "e.$": "$"}})).unwrap_err();
        assert_eq!(findings.len(), 4, "{findings:?}");
        assert!(findings[0].contains("'b.$' must be a string") && findings[0].contains("/a/b.$"), "{findings:?}");
        assert!(findings[3].contains("'e' and 'e.$'"), "{findings:?}");
    }
}
