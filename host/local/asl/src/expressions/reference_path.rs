//! Paths to a place that can be written, such as `ResultPath`.

use serde_json::{Map, Value};

use super::jsonpath::position;
use super::path::{Path, PathError};
use super::token::Step;

/// A path to one place that can be written: names and indices only, in the input.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ReferencePath {
    text: String,
    steps: Vec<Step>,
}

/// The document has no place for the path. `step` is the first one that does not fit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoPlace {
    pub step: String,
}

impl ReferencePath {
    /// Parses a reference path.
    ///
    /// # Errors
    /// [`PathError`], if the text is not a path, is indefinite, or is in the context object.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let path = Path::parse(text)?;
        let reason = match path.steps() {
            _ if path.is_context() => "the context object cannot be written to",
            _ if path.variable().is_some() => "a variable is written by 'Assign' only",
            None => "only names and indices are allowed in a reference path",
            Some(steps) => return Ok(Self { text: path.text, steps }),
        };
        Err(PathError { text: text.to_owned(), reason: reason.into() })
    }

    /// Returns the path as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Writes `value` into `document`: missing names are added and a value that exists is replaced.
    ///
    /// # Errors
    /// [`NoPlace`], if an index does not exist or a step does not fit the type of its value.
    pub fn write(&self, document: Value, value: Value) -> Result<Value, NoPlace> {
        let mut document = document;
        let mut place = &mut document;
        for step in &self.steps {
            let fail = || NoPlace { step: step.to_string() };
            place = match (step, place) {
                (Step::Name(name), Value::Object(fields)) => {
                    fields.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()))
                }
                (Step::Index(index), Value::Array(items)) => {
                    let at = position(*index, items.len()).ok_or_else(fail)?;
                    items.get_mut(at).ok_or_else(fail)?
                }
                _ => return Err(fail()),
            };
        }
        *place = value;
        Ok(document)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reference_path_makes_the_names_that_are_missing_and_keeps_the_rest() {
        let path = ReferencePath::parse("$.a.b.c").unwrap();
        assert_eq!(path.write(json!({"a": {"x": 1}}), json!(2)).unwrap(), json!({"a": {"x": 1, "b": {"c": 2}}}));
        let path = ReferencePath::parse("$").unwrap();
        assert_eq!(path.write(json!({"a": 1}), json!([2])).unwrap(), json!([2]));
        let path = ReferencePath::parse("$.list[1]").unwrap();
        assert_eq!(path.write(json!({"list": [1, 2]}), json!(9)).unwrap(), json!({"list": [1, 9]}));
    }

    #[test]
    fn a_reference_path_cannot_step_into_a_plain_value() {
        let path = ReferencePath::parse("$.a.b").unwrap();
        assert_eq!(path.write(json!({"a": 5}), json!(1)).unwrap_err().step, "[\"b\"]");
        let path = ReferencePath::parse("$.list[2]").unwrap();
        assert!(path.write(json!({"list": [1, 2]}), json!(9)).is_err());
        assert!(path.write(json!("text"), json!(9)).is_err());
    }

    #[test]
    fn a_reference_path_is_definite_and_in_the_input() {
        for text in ["$$.Execution", "$.a[*]", "$..a", "$.a[0:2]"] {
            assert!(ReferencePath::parse(text).is_err(), "{text}");
        }
    }
}
