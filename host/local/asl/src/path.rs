//! Paths into the state's input and the context object.
//!
//! The service's JSONPath is older than the standard and differs where it matters: `$$` is the context object, names
//! may hold hyphens, a definite path that finds nothing is a failure, an indefinite one yields an array. So the text is
//! cut into steps here; definite paths are followed directly, and the rest is handed, normalised, to `serde_json_path`.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value};
use serde_json_path::JsonPath;

/// Longer paths are refused: the query parser recurses, and a definition is untrusted.
const MOST_BYTES: usize = 1024;
/// Deeper brackets and parentheses in a filter are refused, for the same reason.
const MOST_NESTING: usize = 16;

/// What a path is looked up in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    /// `$`
    pub input: &'a Value,
    /// `$$`
    pub context: &'a Value,
}

/// Where a path begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Root {
    Input,
    Context,
}

/// One step of a definite path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Name(String),
    /// Counts from the end when negative.
    Index(i64),
}

/// A parsed path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path {
    text: String,
    root: Root,
    /// The definite steps; all of the path, or what stands before `rest`.
    steps: Vec<Step>,
    rest: Option<Rest>,
}

/// The part of a path that may find any number of values.
#[derive(Clone, Debug, PartialEq)]
struct Rest {
    query: JsonPath,
    /// Its first step is a slice or a list of indices, which only an array can answer.
    array: bool,
}

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a path: {reason}")]
pub(crate) struct PathError {
    text: String,
    reason: Cow<'static, str>,
}

impl Path {
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let fail = |reason: Cow<'static, str>| PathError { text: text.chars().take(200).collect(), reason };
        if text.len() > MOST_BYTES {
            return Err(fail(format!("longer than {MOST_BYTES} bytes").into()));
        }
        let (root, mut left) = match (text.strip_prefix("$$"), text.strip_prefix('$')) {
            (Some(rest), _) => (Root::Context, rest),
            (None, Some(rest)) => (Root::Input, rest),
            (None, None) => return Err(fail("it does not begin with '$'".into())),
        };
        if !left.is_empty() && !left.starts_with(['.', '[']) {
            return Err(fail("'$' is followed by neither '.' nor '['; variables are not supported".into()));
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

    /// As written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The definite steps as the service writes them in causes: `$['a'][0]`.
    pub fn normal(&self) -> String {
        let step = |step: &Step| match step {
            Step::Index(index) => format!("[{index}]"),
            Step::Name(name) => format!("['{name}']"),
        };
        self.steps.iter().map(step).fold("$".to_owned(), |path, step| path + &step)
    }

    /// Whether it can find one value only.
    pub fn is_definite(&self) -> bool {
        self.rest.is_none()
    }

    /// What it is looked up in.
    pub fn base<'a>(&self, scope: Scope<'a>) -> &'a Value {
        match self.root {
            Root::Input => scope.input,
            Root::Context => scope.context,
        }
    }

    /// The value of a definite path, or the array of all that an indefinite one finds. `None` where the definite part
    /// leads nowhere.
    pub fn find<'a>(&self, scope: Scope<'a>) -> Option<Cow<'a, Value>> {
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

/// Where an index, maybe from the end, points.
pub(crate) fn position(index: i64, len: usize) -> Option<usize> {
    match index {
        0.. => usize::try_from(index).ok(),
        _ => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

impl fmt::Display for Step {
    /// The normalised form of the JSONPath standard.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(out, "[{index}]"),
            // A JSON string is a JSONPath string.
            Self::Name(name) => write!(out, "[{}]", Value::from(name.as_str())),
        }
    }
}

/// One piece of a path.
pub(crate) enum Token {
    Step(Step),
    /// Something that may find many values, in the standard's form.
    Many {
        text: String,
        array: bool,
    },
}

impl Token {
    pub(crate) fn cut(text: &str) -> Result<(Self, &str), &'static str> {
        if let Some(rest) = text.strip_prefix("..") {
            return match rest.strip_prefix('*') {
                Some(rest) => Ok((Self::many("..*"), rest)),
                None if rest.starts_with('[') => {
                    let (inside, rest) = bracket(rest)?;
                    Ok((Self::many(format!("..[{inside}]")), rest))
                }
                None => {
                    let (name, rest) = shorthand(rest)?;
                    Ok((Self::many(format!("..{}", Step::Name(name.to_owned()))), rest))
                }
            };
        }
        if let Some(rest) = text.strip_prefix('.') {
            if let Some(rest) = rest.strip_prefix('*') {
                return Ok((Self::many("[*]"), rest));
            }
            let (name, rest) = shorthand(rest)?;
            return Ok((Self::Step(Step::Name(name.to_owned())), rest));
        }
        let (inside, rest) = bracket(text)?;
        let inside = inside.trim();
        if let Ok(index) = inside.parse::<i64>() {
            return Ok((Self::Step(Step::Index(index)), rest));
        }
        if inside.starts_with(['\'', '"']) {
            let name = quoted(inside).ok_or("only one quoted name may stand in brackets")?;
            return Ok((Self::Step(Step::Name(name)), rest));
        }
        if inside.is_empty() {
            return Err("empty brackets");
        }
        let array = !inside.starts_with(['*', '?']);
        Ok((Self::Many { text: format!("[{inside}]"), array }, rest))
    }

    fn many(text: impl Into<String>) -> Self {
        Self::Many { text: text.into(), array: false }
    }
}

/// The name behind a dot.
fn shorthand(text: &str) -> Result<(&str, &str), &'static str> {
    let stop = |c: char| c.is_whitespace() || c.is_control() || ".[]()'\"*,\\?".contains(c);
    let end = text.find(stop).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    match rest.chars().next() {
        _ if name.is_empty() => Err("a name is missing behind '.'"),
        None | Some('.' | '[') => Ok((name, rest)),
        Some('(') => Err("functions such as length() are not supported; use an intrinsic function"),
        Some(_) => Err("a name with such a character must stand in brackets and quotes: ['…']"),
    }
}

/// The inside of the bracket with which the text begins, and what follows it.
fn bracket(text: &str) -> Result<(&str, &str), &'static str> {
    if !text.starts_with('[') {
        return Err("expected '.' or '['");
    }
    let mut quote = None;
    let mut escaped = false;
    let mut closers = Vec::new();
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => closers.push(']'),
            (None, '(') => closers.push(')'),
            (None, ']' | ')') if closers.pop() != Some(c) => return Err("brackets do not match"),
            (None, _) => {}
        }
        if closers.len() > MOST_NESTING {
            return Err("brackets are nested too deeply");
        }
        if closers.is_empty() {
            let (inside, rest) = (text.get(1..at), text.get(at + 1..));
            return Ok((inside.unwrap_or_default(), rest.unwrap_or_default()));
        }
    }
    Err("a bracket is not closed")
}

/// A name in quotes, nothing else around it.
fn quoted(text: &str) -> Option<String> {
    let open = text.chars().next()?;
    let inside = text.strip_prefix(open)?.strip_suffix(open)?;
    let mut name = String::with_capacity(inside.len());
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => name.push(chars.next()?),
            c if c == open => return None,
            c => name.push(c),
        }
    }
    Some(name)
}

/// A path that names one place to write to: names and indices only, in the input.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ReferencePath {
    text: String,
    steps: Vec<Step>,
}

/// A reference path that cannot be written to; `step` is where it fails.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoPlace {
    pub step: String,
}

impl ReferencePath {
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let path = Path::parse(text)?;
        let reason = match path {
            Path { root: Root::Context, .. } => "the context object cannot be written to",
            Path { rest: Some(_), .. } => "only names and indices may stand in a reference path",
            Path { root: Root::Input, steps, rest: None, text } => return Ok(Self { text, steps }),
        };
        Err(PathError { text: text.to_owned(), reason: reason.into() })
    }

    /// As written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Puts `value` into `document`: missing names are made, what is there is replaced. An index must exist already.
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

/// A JSON pointer of such steps; `/` for none, as the service writes it.
pub(crate) fn pointer(steps: &[String]) -> String {
    match steps {
        [] => "/".to_owned(),
        _ => steps.iter().map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1"))).collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn find(path: &str, input: &Value) -> Option<Value> {
        let context = json!({"State": {"Name": "Here"}});
        Path::parse(path).unwrap().find(Scope { input, context: &context }).map(Cow::into_owned)
    }

    #[test]
    fn a_definite_path_yields_its_value_or_nothing() {
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
    fn an_indefinite_path_yields_an_array_even_of_nothing() {
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
    fn what_is_no_path_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "does not begin with '$'"),
            ("a.b", "does not begin with '$'"),
            ("$name", "variables are not supported"),
            ("$.", "a name is missing"),
            ("$.a.", "a name is missing"),
            ("$.a b", "must stand in brackets"),
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
    fn a_reference_path_cannot_step_into_what_is_no_container() {
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
                let _ = path.find(Scope { input: &input, context: &input });
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
