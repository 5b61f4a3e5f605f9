//! Paths into the state's input and the context object.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::context::Context;
use super::jsonpath::{self, Segment};
use super::token::Step;
use super::variables;
use crate::error::StateError;

pub(crate) use super::jsonpath::{Failure, NotFound};

/// The longest path, in bytes: the parser and the search recurse, and a definition is untrusted.
const MOST_BYTES: usize = 1024;

/// What a path can read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    /// `$`
    pub input: &'a Value,
    /// `$$`
    pub context: &'a Context<'a>,
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
    pub(super) segments: Vec<Segment>,
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
        let (root, left) = match variables::cut(left) {
            Some((name, rest)) if root == Root::Input => (Root::Variable(name.to_owned()), rest),
            _ => (root, left),
        };
        if !left.is_empty() && !left.starts_with(['.', '[']) {
            return Err(fail("'$' is followed by neither '.' nor '[' nor a variable's name".into()));
        }
        let segments = jsonpath::segments(left).map_err(|reason| fail(reason.into()))?;
        Ok(Self { text: text.to_owned(), root, segments })
    }

    /// Returns the path as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns whether the path reads the context object.
    pub fn is_context(&self) -> bool {
        self.root == Root::Context
    }

    /// Returns the pieces of the path after its root.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
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
        jsonpath::is_definite(&self.segments)
    }

    /// Returns the names and indices of a path that consists of nothing else.
    pub(super) fn steps(&self) -> Option<Vec<Step>> {
        let step = |segment: &Segment| match segment {
            Segment::Names(names) => names.first().filter(|_| names.len() == 1).cloned().map(Step::Name),
            Segment::Indices(indices) => indices.first().filter(|_| indices.len() == 1).copied().map(Step::Index),
            _ => None,
        };
        self.segments.iter().map(step).collect()
    }

    /// Returns the document that the path reads. For a variable that has no value, causes quote the input.
    pub fn base<'a>(&self, scope: Scope<'a>) -> &'a Value {
        match &self.root {
            Root::Input => scope.input,
            Root::Context => scope.context.value(),
            Root::Variable(name) => scope.variables.get(name).unwrap_or(scope.input),
        }
    }

    /// Checks that the path does not read from an input that is null.
    ///
    /// The service reads nothing from it, not even `$`: neither in a payload template (on Stack Overflow, "AWS Step function
    /// parameters are not moving to the next step" shows such an execution) nor in a rule of a Choice state
    /// (<https://github.com/awslabs/states-language/issues/29>; to its support, that is intended).
    ///
    /// # Errors
    /// `States.Runtime`, in the service's words.
    pub fn check_input(&self, scope: Scope<'_>) -> Result<(), StateError> {
        match self.root == Root::Input && scope.input.is_null() {
            true => Err(StateError::runtime("Unable to apply Path transformation to null or empty input.")),
            false => Ok(()),
        }
    }

    /// Returns the value of a definite path, or a list of all values that another one finds.
    ///
    /// # Errors
    /// [`Failure`], if a definite path finds no value, or a search visits more values than it may.
    pub fn find<'a>(&self, scope: Scope<'a>) -> Result<Cow<'a, Value>, Failure> {
        let (document, segments) = match &self.root {
            Root::Input => (scope.input, self.segments.as_slice()),
            Root::Context => scope.context.part(&self.segments),
            Root::Variable(name) => match scope.variables.get(name) {
                Some(variable) => (variable, self.segments.as_slice()),
                None => {
                    let reason = format!("There is no variable '{name}'");
                    return Err(Failure::NotFound(NotFound { reason, beyond_end: false }));
                }
            },
        };
        jsonpath::find(document, segments, scope.context.work())
    }

    /// As [`find`](Self::find); `fail` makes the error of a path that finds no value.
    pub fn find_or<'a>(
        &self,
        scope: Scope<'a>,
        fail: impl FnOnce(NotFound) -> StateError,
    ) -> Result<Cow<'a, Value>, StateError> {
        self.find(scope).map_err(|failure| match failure {
            Failure::NotFound(not_found) => fail(not_found),
            Failure::Exhausted => StateError::path_work(&self.text),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;

    fn find(path: &str, input: &Value) -> Option<Value> {
        let context = Context::of(json!({"State": {"Name": "Here"}}));
        let variables = Map::from_iter([("name".to_owned(), json!({"a": [1, 2]})), ("ä_1".to_owned(), json!(3))]);
        let scope = Scope { input, context: &context, variables: &variables };
        Path::parse(path).unwrap().find(scope).map(Cow::into_owned).ok()
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
            ("$.missing[*]", Some(json!([]))),
            ("$.missing[1:].n", Some(json!([]))),
            ("$.missing..n", Some(json!([]))),
            ("$[*].n", Some(json!([]))),
            ("$.books[0:9:2].price", Some(json!([8, 12]))),
            ("$.books[:1].price", Some(json!([8]))),
            ("$.books[:-1].price", Some(json!([8]))),
            ("$.books[-2:-1].price", Some(json!([8]))),
            ("$.books[1:-1].price", Some(json!([]))),
            ("$.books[0]['price','gone']", Some(json!({"price": 8}))),
            ("$.books[*]['price','tag-x']", Some(json!([{"price": 8, "tag-x": 1}, {"price": 12}]))),
            ("$['books','n']", Some(json!({"books": [{"price": 8, "tag-x": 1}, {"price": 12}], "n": 5}))),
            ("$.books[?(@.tag-x)].price", Some(json!([8]))),
            ("$.books[?(!@.tag-x)].price", Some(json!([12]))),
            ("$.books[?(@.price == '8')].price", Some(json!([8]))),
            ("$.books[?(@.gone != 1)].price", Some(json!([8, 12]))),
            ("$.books[?(@.price in [12, 13] || @.tag-x == 1)].price", Some(json!([8, 12]))),
            ("$.books[?(@.price >= $.n && @['tag-x'] == 1)].price", Some(json!([8]))),
            ("$.books[?(@.price =~ /1./)].price", Some(json!([12]))),
            ("$.books[0][?(@.price == 8)]", Some(json!([{"price": 8, "tag-x": 1}]))),
            ("$.books.length()", Some(json!(2))),
            ("$..price.max()", Some(json!(12.0))),
            ("$.books[*].price.sum()", Some(json!(20.0))),
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
            ("$['a',]", "a quoted name is missing"),
            ("$.a.concat('x')", "use an intrinsic function"),
            ("$.a[?(@.b =~ /(/)]", "is not a regular expression"),
            ("$.a[?(1)]", "a filter needs a path or a comparison"),
            ("$.a[:]", "is not an index, slice"),
            ("$.books.first().price", "expected '.' or '['"),
            (&format!("$[?{}", "(".repeat(40)), "nested too deeply"),
            (&format!("$[?(@.a{}", "[?(@.a".repeat(40)), "nested too deeply"),
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
                let context = Context::of(input.clone());
                let _ = path.find(Scope { input: &input, context: &context, variables: &Map::new() });
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

    #[test]
    fn a_context_is_made_once_and_only_if_it_is_read() {
        let made = AtomicUsize::new(0);
        let input = json!({"a": [1, 2]});
        let context = Context::new(&input, || {
            made.fetch_add(1, Ordering::Relaxed);
            json!({"Execution": {"Id": "e", "Input": null, "Name": "n"}, "State": {"Name": "S"}})
        });
        let find = |path: &str| {
            let scope = Scope { input: &input, context: &context, variables: &Map::new() };
            Path::parse(path).unwrap().find(scope).map(std::borrow::Cow::into_owned)
        };
        assert_eq!(find("$.a[0]").unwrap(), 1);
        assert_eq!(made.load(Ordering::Relaxed), 0);
        assert_eq!(find("$$.State.Name").unwrap(), "S");
        assert_eq!(find("$$.Execution.Input.a[1]").unwrap(), 2);
        assert_eq!(find("$$.Execution.Name").unwrap(), "n");
        assert!(!context.is_whole(), "the input is not copied");
        assert_eq!(find("$$.Execution").unwrap()["Input"], input);
        assert_eq!(find("$$..Name").unwrap(), json!(["n", "S"]));
        assert_eq!(find("$$").unwrap()["State"]["Name"], "S");
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_slice_of_a_missing_value_is_empty_and_one_of_another_value_than_an_array_fails() {
        assert_eq!(find("$.items[1:]", &json!({})), Some(json!([])));
        assert_eq!(find("$.items[1:]", &json!({"items": [1, 2]})), Some(json!([2])));
        assert_eq!(find("$['a','b'][1:]", &json!({"a": [1, 2], "b": [3, 4]})), Some(json!([2, 4])));
        for (path, input) in [("$[1:]", json!({})), ("$.items[1:]", json!({"items": {}})), ("$[:2]", json!("text"))] {
            assert_eq!(find(path, &input), None, "{path} of {input}");
        }
    }

    #[test]
    fn a_backslash_before_another_character_than_the_quote_belongs_to_the_name() {
        let input = json!({"Test\\\"Name\"": 1, "it's": 2, "a\"b": 3});
        assert_eq!(find("$['Test\\\"Name\"']", &input), Some(json!(1)));
        assert_eq!(find("$['it\\'s']", &input), Some(json!(2)));
        assert_eq!(find("$[\"a\\\"b\"]", &input), Some(json!(3)));
    }

    #[test]
    fn a_search_ends_at_the_limit_of_its_work_or_its_results() {
        let nested = (0..120).fold(json!([]), |inner, _| json!([inner]));
        let wide = json!((0..2_000).map(|n| json!({"n": n})).collect::<Vec<_>>());
        let context = Context::of(json!({}));
        let none = Map::new();
        for (path, input) in
            [("$..*..*..*..*", &nested), ("$..*..*..*..*..*..*..*..*", &nested), ("$[?(@.n in $[*].n)]", &wide)]
        {
            let scope = Scope { input, context: &context, variables: &none };
            let found = Path::parse(path).unwrap().find(scope);
            assert_eq!(found.unwrap_err(), Failure::Exhausted, "{path}");
        }
    }
}
