//! Paths to a place that can be written, such as `ResultPath`.

use serde_json::{Map, Value};

use super::jsonpath::position;
use super::path::{Path, PathError};
use super::token::Step;
use crate::error::quoted;

/// A path to one place that can be written: names and indices only, in the input.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ReferencePath {
    text: String,
    steps: Vec<Step>,
}

/// A document has no place for a reference path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoPlace {
    /// The step that cannot be applied; none, if the document itself is a plain value.
    step: Option<Step>,
}

impl NoPlace {
    /// Returns the cause that the service reports.
    pub fn cause(&self, path: &str, document: &Value) -> String {
        let document = quoted(document);
        match &self.step {
            Some(step) => format!("Unable to apply step \"{step}\" to input {document}"),
            None => format!("Unable to apply ReferencePath {path} to input {document}"),
        }
    }
}

/// Returns why `document` has no value at a path that can be read as a reference path into it; nothing, if it has one or
/// the path is of another kind.
pub(crate) fn absent(path: &Path, document: &Value) -> Option<NoPlace> {
    if path.is_context() || path.variable().is_some() || document.is_null() {
        return None;
    }
    let steps = path.steps()?;
    let (mut place, mut before) = (document, None);
    for step in &steps {
        let next = match (step, place) {
            (Step::Name(name), Value::Object(fields)) => fields.get(name),
            (Step::Index(index), Value::Array(items)) => position(*index, items.len()).and_then(|at| items.get(at)),
            _ => None,
        };
        match next {
            Some(next) => (place, before) = (next, Some(step)),
            None => return Some(unfit(place, before, step)),
        }
    }
    None
}

/// Returns why `step` cannot be applied to `place`. The step to blame is the one before it, if that leads to a plain value.
fn unfit(place: &Value, before: Option<&Step>, step: &Step) -> NoPlace {
    let blamed = match place {
        Value::Object(_) | Value::Array(_) => Some(step),
        _ => before,
    };
    NoPlace { step: blamed.cloned() }
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
        let (mut place, mut before) = (&mut document, None);
        for step in &self.steps {
            let fail = || NoPlace { step: Some(step.clone()) };
            place = match (step, place) {
                (Step::Name(name), Value::Object(fields)) => {
                    fields.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()))
                }
                (Step::Index(index), Value::Array(items)) => {
                    let at = position(*index, items.len()).ok_or_else(fail)?;
                    items.get_mut(at).ok_or_else(fail)?
                }
                (_, place) => return Err(unfit(place, before, step)),
            };
            before = Some(step);
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
        for (path, document, cause) in [
            ("$.a.b", json!({"a": 5}), "Unable to apply step \"a\" to input {\"a\":5}"),
            ("$.sum", json!([1, 2]), "Unable to apply step \"sum\" to input [1,2]"),
            ("$.list[2]", json!({"list": [1]}), "Unable to apply step \"2\" to input {\"list\":[1]}"),
            ("$.sum", json!("text"), "Unable to apply ReferencePath $.sum to input \"text\""),
        ] {
            let no_place = ReferencePath::parse(path).unwrap().write(document.clone(), json!(9)).unwrap_err();
            assert_eq!(no_place.cause(path, &document), cause);
        }
    }

    #[test]
    fn a_path_that_finds_nothing_names_the_step_that_is_absent() {
        let cause = |path: &str, document: Value| {
            absent(&Path::parse(path).unwrap(), &document).map(|no_place| no_place.cause(path, &document))
        };
        let step = |step: &str, document: &str| Some(format!("Unable to apply step \"{step}\" to input {document}"));
        assert_eq!(cause("$.found.words", json!({"found": {}})), step("words", "{\"found\":{}}"));
        assert_eq!(cause("$.words", json!({"found": 1})), step("words", "{\"found\":1}"));
        assert_eq!(cause("$.found.words", json!({"found": 1})), step("found", "{\"found\":1}"));
        assert_eq!(cause("$.words", json!(7)), Some("Unable to apply ReferencePath $.words to input 7".into()));
        for (path, document) in
            [("$.a", json!({"a": null})), ("$.a[*]", json!({})), ("$$.a", json!({})), ("$v.a", json!({}))]
        {
            assert_eq!(cause(path, document), None, "{path}");
        }
    }

    #[test]
    fn a_reference_path_is_definite_and_in_the_input() {
        for text in ["$$.Execution", "$.a[*]", "$..a", "$.a[0:2]"] {
            assert!(ReferencePath::parse(text).is_err(), "{text}");
        }
    }
}
