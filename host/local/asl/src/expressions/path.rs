//! Paths into the state's input and the context object.
//!
//! The service's JSONPath is older than the standard and differs from it: `$$` is the context object, names may contain
//! hyphens, a definite path that finds no value is a failure, an indefinite one yields an array. So the text is cut
//! into steps here. Definite steps are followed directly; the remaining text is normalised and given to
//! `serde_json_path`.

use std::borrow::Cow;

use serde_json::{Map, Value};
use serde_json_path::JsonPath;

use super::token::{Step, Token};
use super::variables;

/// The longest path, in bytes: the query parser recurses, and a definition is untrusted.
const MOST_BYTES: usize = 1024;

/// What a path can read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    /// `$`
    pub input: &'a Value,
    /// `$$`
    pub context: &'a Value,
    /// `$name`
    pub variables: &'a Map<String, Value>,
}

/// Where a path begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Root {
    Input,
    Context,
    /// A variable of this name.
    Variable(String),
}

/// A parsed path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path {
    pub(super) text: String,
    pub(super) root: Root,
    /// The definite steps at the beginning; the whole path if `rest` is `None`.
    pub(super) steps: Vec<Step>,
    pub(super) rest: Option<Rest>,
}

/// The part of a path that may find any number of values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rest {
    query: JsonPath,
    /// Its first step is a slice or a list of indices, which applies to an array only.
    array: bool,
}

/// Why a text is not a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a path: {reason}")]
pub(crate) struct PathError {
    pub(super) text: String,
    pub(super) reason: Cow<'static, str>,
}

impl Path {
    /// Parses a path.
    ///
    /// # Errors
    /// [`PathError`], which quotes the text and gives the reason.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let fail = |reason: Cow<'static, str>| PathError { text: text.chars().take(200).collect(), reason };
        if text.len() > MOST_BYTES {
            return Err(fail(format!("longer than {MOST_BYTES} bytes").into()));
        }
        let (root, left) = match (text.strip_prefix("$$"), text.strip_prefix('$')) {
            (Some(rest), _) => (Root::Context, rest),
            (None, Some(rest)) => (Root::Input, rest),
            (None, None) => return Err(fail("it does not begin with '$'".into())),
        };
        let (root, mut left) = match variables::cut(left) {
            Some((name, rest)) if root == Root::Input => (Root::Variable(name.to_owned()), rest),
            _ => (root, left),
        };
        if !left.is_empty() && !left.starts_with(['.', '[']) {
            return Err(fail("'$' is followed by neither '.' nor '[' nor a variable's name".into()));
        }
        let mut steps = Vec::new();
        let mut query = String::from("$");
        let mut array = false;
        while !left.is_empty() {
            let (token, rest) = Token::cut(left).map_err(|reason| fail(reason.into()))?;
            left = rest;
            match token {
                Token::Step(step) if query.len() == 1 => steps.push(step),
                Token::Step(step) => query.push_str(&step.to_string()),
                Token::Many { text, array: only_array } => {
                    array |= query.len() == 1 && only_array;
                    query.push_str(&text);
                }
            }
        }
        let rest = match query.len() {
            1 => None,
            _ => match JsonPath::parse(&query) {
                Ok(query) => Some(Rest { query, array }),
                Err(error) => return Err(fail(error.message().to_owned().into())),
            },
        };
        Ok(Self { text: text.to_owned(), root, steps, rest })
    }

    /// Returns the path as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the definite steps as the service writes them in causes: `$['a'][0]`.
    pub fn normal(&self) -> String {
        let step = |step: &Step| match step {
            Step::Index(index) => format!("[{index}]"),
            Step::Name(name) => format!("['{name}']"),
        };
        self.steps.iter().map(step).fold("$".to_owned(), |path, step| path + &step)
    }

    /// Returns the name of the variable that the path reads.
    pub fn variable(&self) -> Option<&str> {
        match &self.root {
            Root::Variable(name) => Some(name),
            Root::Input | Root::Context => None,
        }
    }

    /// Returns whether the path finds at most one value.
    pub fn is_definite(&self) -> bool {
        self.rest.is_none()
    }

    /// Returns the document that the path reads. For a variable that has no value, causes quote the input.
    pub fn base<'a>(&self, scope: Scope<'a>) -> &'a Value {
        match &self.root {
            Root::Input => scope.input,
            Root::Context => scope.context,
            Root::Variable(name) => scope.variables.get(name).unwrap_or(scope.input),
        }
    }

    /// Returns the value of a definite path, or an array of all values that an indefinite one finds. `None` if the
    /// definite steps find no value.
    pub fn find<'a>(&self, scope: Scope<'a>) -> Option<Cow<'a, Value>> {
        if self.variable().is_some_and(|name| !scope.variables.contains_key(name)) {
            return None;
        }
        let mut value = self.base(scope);
        for step in &self.steps {
            value = match (step, value) {
                (Step::Name(name), Value::Object(fields)) => fields.get(name)?,
                (Step::Index(index), Value::Array(items)) => items.get(position(*index, items.len())?)?,
                _ => return None,
            };
        }
        match &self.rest {
            None => Some(Cow::Borrowed(value)),
            Some(rest) if rest.array && !value.is_array() => None,
            Some(rest) => Some(Cow::Owned(rest.query.query(value).into_iter().cloned().collect())),
        }
    }
}

/// Returns the position of an index that counts from the end if negative.
pub(crate) fn position(index: i64, len: usize) -> Option<usize> {
    match index {
        0.. => usize::try_from(index).ok(),
        _ => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;

    fn find(path: &str, input: &Value) -> Option<Value> {
        let context = json!({"State": {"Name": "Here"}});
        let variables = Map::from_iter([("name".to_owned(), json!({"a": [1, 2]})), ("ä_1".to_owned(), json!(3))]);
        Path::parse(path).unwrap().find(Scope { input, context: &context, variables: &variables }).map(Cow::into_owned)
    }

    #[test]
    fn a_definite_path_yields_its_value_or_no_value() {
        let input = json!({"a": {"b-c": [10, 20, {"ä ö": null}]}});
        for (path, value) in [
            ("$", Some(input.clone())),
            ("$.a.b-c[0]", Some(json!(10))),
            ("$['a']['b-c'][-1]", Some(json!({"ä ö": null}))),
            ("$.a[\"b-c\"][2]['ä ö']", Some(json!(null))),
            ("$.a.b-c[3]", None),
            ("$.a.b-c[-4]", None),
            ("$.a.missing", None),
            ("$.a[0]", None),
            ("$.a.b-c.name", None),
        ] {
            assert_eq!(find(path, &input), value, "{path}");
        }
    }

    #[test]
    fn two_dollars_are_the_context_object() {
        assert_eq!(find("$$.State.Name", &json!({})), Some(json!("Here")));
        assert_eq!(find("$$.State.Missing", &json!({})), None);
    }

    #[test]
    fn a_name_after_the_dollar_is_a_variable() {
        for (path, value) in [
            ("$name", Some(json!({"a": [1, 2]}))),
            ("$name.a[1]", Some(json!(2))),
            ("$name['a']", Some(json!([1, 2]))),
            ("$name.a[*]", Some(json!([1, 2]))),
            ("$ä_1", Some(json!(3))),
            ("$missing", None),
            ("$missing.a", None),
        ] {
            assert_eq!(find(path, &json!({"name": 1})), value, "{path}");
        }
    }

    #[test]
    fn an_indefinite_path_yields_an_array_which_may_be_empty() {
        let input = json!({"books": [{"price": 8, "tag-x": 1}, {"price": 12}], "n": 5});
        for (path, value) in [
            ("$.books[*].price", Some(json!([8, 12]))),
            ("$..price", Some(json!([8, 12]))),
            ("$..tag-x", Some(json!([1]))),
            ("$.books[?(@.price > 10)].price", Some(json!([12]))),
            ("$.books[?(@.price > 100)]", Some(json!([]))),
            ("$.books[0,1].price", Some(json!([8, 12]))),
            ("$.books[-1:].price", Some(json!([12]))),
            ("$.n[*]", Some(json!([]))),
            ("$.n[0:]", None),
            ("$.missing[*]", None),
        ] {
            assert_eq!(find(path, &input), value, "{path}");
        }
    }

    #[test]
    fn a_malformed_path_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "does not begin with '$'"),
            ("a.b", "does not begin with '$'"),
            ("$-name", "a variable's name"),
            ("$.", "a name is missing"),
            ("$.a.", "a name is missing"),
            ("$.a b", "must be written in brackets"),
            ("$.a[", "not closed"),
            ("$.a[]", "empty brackets"),
            ("$.a[0]b", "expected '.' or '['"),
            ("$[0])", "expected '.' or '['"),
            ("$[?(@.a]", "brackets do not match"),
            ("$['a','b']", "only one quoted name"),
            ("$.a.length()", "use an intrinsic function"),
            ("$.a[?(@.b =~ /x/)]", "is not a path"),
            (&format!("$[?{}", "(".repeat(40)), "nested too deeply"),
            (&format!("$.{}", "a".repeat(2000)), "longer than"),
        ] {
            let error = Path::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,60}") {
            let _ = Path::parse(&text);
        }

        #[test]
        fn no_text_of_path_characters_makes_the_parser_or_the_search_panic(
            text in r#"\$\$?[.\[\]*'"?@()a-c0-9:,\-!=<>&| \\]{0,40}"#,
        ) {
            if let Ok(path) = Path::parse(&text) {
                let input = json!({"a": [1, {"b": [2, 3]}], "c": {"a": "x"}});
                let _ = path.find(Scope { input: &input, context: &input, variables: &Map::new() });
            }
        }

        #[test]
        fn every_quoted_name_finds_its_field(name in "\\PC{1,20}") {
            let escaped = name.replace('\\', "\\\\").replace('\'', "\\'");
            let mut fields = Map::new();
            fields.insert(name, json!(1));
            prop_assert_eq!(find(&format!("$['{escaped}']"), &Value::Object(fields)), Some(json!(1)));
        }
    }
}
