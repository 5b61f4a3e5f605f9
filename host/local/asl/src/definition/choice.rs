//! The rules of a Choice state.
//!
//! A comparison of the wrong type is false and not an error. A path that finds no value is an error, except for
//! `IsPresent`.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Number, Value};
use time::OffsetDateTime;

use crate::clock;
use crate::error::StateError;
use crate::expressions::jsonata::template::QueryTemplate;
use crate::expressions::numbers::compare;
use crate::expressions::path::{Failure, Path, Scope};

/// A rule or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rule {
    And(Vec<Rule>),
    Or(Vec<Rule>),
    Not(Box<Rule>),
    Test {
        variable: Path,
        test: Test,
    },
    /// `Condition` of a JSONata state, which the interpreter evaluates.
    Condition(QueryTemplate),
}

/// A data test.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Present(bool),
    Null(bool),
    Number(bool),
    String(bool),
    Boolean(bool),
    Timestamp(bool),
    Matches(StringPattern),
    Compare { kind: ValueType, order: Order, operand: Operand },
}

/// The right side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    Value(Value),
    Path(Path),
}

/// The type that both sides must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueType {
    String,
    Numeric,
    Boolean,
    Timestamp,
}

/// The order that both sides must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Equals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

impl Order {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equals => order.is_eq(),
            Self::LessThan => order.is_lt(),
            Self::LessThanEquals => order.is_le(),
            Self::GreaterThan => order.is_gt(),
            Self::GreaterThanEquals => order.is_ge(),
        }
    }
}

impl ValueType {
    /// Returns whether a literal of the definition has this type.
    pub fn accepts(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Numeric => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Timestamp => value.as_str().and_then(clock::parse).is_some(),
        }
    }

    fn order(self, left: &Value, right: &Value) -> Option<Ordering> {
        match self {
            // The service compares strings as Java does: by UTF-16 units.
            Self::String => Some(left.as_str()?.encode_utf16().cmp(right.as_str()?.encode_utf16())),
            Self::Numeric => compare(number(left)?, number(right)?),
            Self::Boolean => Some(left.as_bool()?.cmp(&right.as_bool()?)),
            Self::Timestamp => Some(date(left)?.cmp(&date(right)?)),
        }
    }
}

fn number(value: &Value) -> Option<&Number> {
    match value {
        Value::Number(number) => Some(number),
        _ => None,
    }
}

fn date(value: &Value) -> Option<OffsetDateTime> {
    value.as_str().and_then(clock::parse)
}

impl Rule {
    /// Returns whether the rule is true.
    ///
    /// # Errors
    /// A path of the rule finds no value.
    pub fn holds(&self, scope: Scope<'_>) -> Result<bool, StateError> {
        match self {
            Self::And(rules) => {
                for rule in rules {
                    if !rule.holds(scope)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Or(rules) => {
                for rule in rules {
                    if rule.holds(scope)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Not(rule) => Ok(!rule.holds(scope)?),
            Self::Condition(_) => Err(StateError::runtime("A JSONata condition is in a JSONPath state.")),
            Self::Test { variable, test: Test::Present(wanted) } => match variable.find(scope) {
                Err(Failure::Exhausted) => Err(StateError::path_work(variable.text())),
                found => Ok(found.is_ok() == *wanted),
            },
            Self::Test { variable, test } => test.holds(look_up(variable, scope)?.as_ref(), scope),
        }
    }
}

fn look_up<'a>(path: &Path, scope: Scope<'a>) -> Result<Cow<'a, Value>, StateError> {
    path.check_input(scope)?;
    let value = path.find_or(scope, |_| {
        let path = path.text();
        StateError::runtime(format!(
            "Invalid path '{path}': The choice state's condition path references an invalid value."
        ))
    })?;
    match scope.context.work().charge_reading(&value) {
        Ok(()) => Ok(value),
        Err(_) => Err(StateError::path_work(path.text())),
    }
}

impl Test {
    fn holds(&self, value: &Value, scope: Scope<'_>) -> Result<bool, StateError> {
        Ok(match self {
            Self::Present(wanted) => *wanted,
            Self::Null(wanted) => value.is_null() == *wanted,
            Self::Number(wanted) => value.is_number() == *wanted,
            Self::String(wanted) => value.is_string() == *wanted,
            Self::Boolean(wanted) => value.is_boolean() == *wanted,
            Self::Timestamp(wanted) => date(value).is_some() == *wanted,
            Self::Matches(pattern) => value.as_str().is_some_and(|text| pattern.matches(text)),
            Self::Compare { kind, order, operand } => {
                let operand = match operand {
                    Operand::Value(value) => Cow::Borrowed(value),
                    Operand::Path(path) => look_up(path, scope)?,
                };
                kind.order(value, &operand).is_some_and(|found| order.holds(found))
            }
        })
    }
}

/// The pattern of `StringMatches`: literal pieces with any text between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StringPattern(Vec<String>);

impl StringPattern {
    /// Parses a pattern: `*` is any text, `\*` an asterisk, `\\` a backslash.
    ///
    /// # Errors
    /// The reason, if a backslash is followed by another character.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = vec![String::new()];
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            let literal = match c {
                '*' => {
                    pieces.push(String::new());
                    continue;
                }
                '\\' => match chars.next() {
                    Some(c @ ('*' | '\\')) => c,
                    _ => {
                        return Err(format!("in the pattern '{text}', a backslash must be followed by * or \\"));
                    }
                },
                c => c,
            };
            if let Some(piece) = pieces.last_mut() {
                piece.push(literal);
            }
        }
        Ok(Self(pieces))
    }

    fn matches(&self, text: &str) -> bool {
        match self.0.as_slice() {
            [] => text.is_empty(),
            [only] => only == text,
            [first, middle @ .., last] => {
                let Some(mut rest) =
                    text.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str()))
                else {
                    return false;
                };
                // The leftmost match of each piece leaves the most for the others.
                middle.iter().all(|piece| match rest.find(piece.as_str()) {
                    Some(at) => {
                        rest = &rest[at + piece.len()..];
                        true
                    }
                    None => false,
                })
            }
        }
    }
}

/// Returns the comparison of a field's name: its type, its order, and whether the right side is a path.
pub(crate) fn comparison(field: &str) -> Option<(ValueType, Order, bool)> {
    let (field, path) = field.strip_suffix("Path").map_or((field, false), |field| (field, true));
    let kinds = [
        ("String", ValueType::String),
        ("Numeric", ValueType::Numeric),
        ("Boolean", ValueType::Boolean),
        ("Timestamp", ValueType::Timestamp),
    ];
    let (kind, order) = kinds.iter().find_map(|(prefix, kind)| Some((*kind, field.strip_prefix(prefix)?)))?;
    let order = match order {
        "Equals" => Order::Equals,
        _ if kind == ValueType::Boolean => return None,
        "LessThan" => Order::LessThan,
        "LessThanEquals" => Order::LessThanEquals,
        "GreaterThan" => Order::GreaterThan,
        "GreaterThanEquals" => Order::GreaterThanEquals,
        _ => return None,
    };
    Some((kind, order, path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::expressions::context::Context;
    use crate::findings::Collector;

    /// Returns whether `rule` is true for `input`.
    fn holds(rule: Value, input: &Value) -> Result<bool, String> {
        let mut notes = Collector::default();
        let rule = crate::parse::rule(&rule, &mut notes).unwrap();
        assert_eq!(notes.finish(), []);
        let context = Context::of(json!({"Execution": {"Name": "run-1"}}));
        rule.holds(Scope { input, context: &context, variables: &serde_json::Map::new() })
            .map_err(|error| error.cause.unwrap())
    }

    #[test]
    fn every_comparison_orders_both_sides_by_their_type() {
        let input = json!({
            "s": "b", "n": 5, "t": true, "d": "2026-01-02T00:00:00Z",
            "s1": "a", "n1": 4.5, "t1": true, "d1": "2026-01-02T01:00:00+01:00"
        });
        for (variable, kind, less, same, more) in [
            ("$.s", "String", json!("a"), json!("b"), json!("c")),
            ("$.n", "Numeric", json!(4), json!(5.0), json!(6)),
            (
                "$.d",
                "Timestamp",
                json!("2026-01-01T00:00:00Z"),
                json!("2026-01-02T01:00:00+01:00"),
                json!("2026-01-03T00:00:00Z"),
            ),
        ] {
            for (order, with_less, with_same, with_more) in [
                ("Equals", false, true, false),
                ("LessThan", false, false, true),
                ("LessThanEquals", false, true, true),
                ("GreaterThan", true, false, false),
                ("GreaterThanEquals", true, true, false),
            ] {
                for (with, wanted) in [(&less, with_less), (&same, with_same), (&more, with_more)] {
                    let rule = json!({"Variable": variable, (format!("{kind}{order}")): with});
                    assert_eq!(holds(rule.clone(), &input), Ok(wanted), "{rule}");
                }
            }
        }
        for (rule, wanted) in [
            (json!({"Variable": "$.t", "BooleanEquals": true}), true),
            (json!({"Variable": "$.t", "BooleanEquals": false}), false),
            (json!({"Variable": "$.t", "BooleanEqualsPath": "$.t1"}), true),
            (json!({"Variable": "$.s", "StringGreaterThanPath": "$.s1"}), true),
            (json!({"Variable": "$.n", "NumericLessThanEqualsPath": "$.n1"}), false),
            (json!({"Variable": "$.d", "TimestampEqualsPath": "$.d1"}), true),
            (json!({"Variable": "$$.Execution.Name", "StringEquals": "run-1"}), true),
        ] {
            assert_eq!(holds(rule.clone(), &input), Ok(wanted), "{rule}");
        }
    }

    #[test]
    fn a_value_of_another_type_is_false_and_not_an_error() {
        let input = json!({"s": "5", "n": 5, "null": null});
        for rule in [
            json!({"Variable": "$.s", "NumericEquals": 5}),
            json!({"Variable": "$.n", "StringEquals": "5"}),
            json!({"Variable": "$.null", "NumericLessThan": 5}),
            json!({"Variable": "$.s", "TimestampLessThan": "2026-01-01T00:00:00Z"}),
            json!({"Variable": "$.n", "StringMatches": "*"}),
            json!({"Variable": "$.n", "NumericEqualsPath": "$.s"}),
        ] {
            assert_eq!(holds(rule.clone(), &input), Ok(false), "{rule}");
        }
    }

    #[test]
    fn the_is_tests_check_the_type_of_a_value() {
        let input = json!({"s": "x", "n": 1, "b": false, "null": null, "d": "2026-01-01T00:00:00Z"});
        for (field, yes) in [
            ("IsNull", vec!["null"]),
            ("IsString", vec!["s", "d"]),
            ("IsNumeric", vec!["n"]),
            ("IsBoolean", vec!["b"]),
            ("IsTimestamp", vec!["d"]),
            ("IsPresent", vec!["s", "n", "b", "null", "d"]),
        ] {
            for name in ["s", "n", "b", "null", "d"] {
                let is = yes.contains(&name);
                let rule = |wanted: bool| json!({"Variable": format!("$.{name}"), (field): wanted});
                assert_eq!(holds(rule(true), &input), Ok(is), "{field} {name}");
                assert_eq!(holds(rule(false), &input), Ok(!is), "not {field} {name}");
            }
        }
        assert_eq!(holds(json!({"Variable": "$.missing", "IsPresent": false}), &input), Ok(true));
    }

    #[test]
    fn a_path_that_finds_no_value_is_an_error_that_names_it() {
        for rule in [
            json!({"Variable": "$.x", "IsNull": true}),
            json!({"Variable": "$.x", "StringEquals": ""}),
            json!({"Variable": "$", "NumericEqualsPath": "$.x"}),
            json!({"Not": {"Variable": "$.x", "BooleanEquals": true}}),
        ] {
            assert_eq!(
                holds(rule, &json!({})),
                Err("Invalid path '$.x': The choice state's condition path references an invalid value.".into())
            );
        }
    }

    #[test]
    fn a_rule_cannot_read_an_input_that_is_null() {
        for path in ["$", "$.a"] {
            assert_eq!(
                holds(json!({"Variable": path, "IsString": true}), &json!(null)),
                Err("Unable to apply Path transformation to null or empty input.".into())
            );
        }
        assert_eq!(holds(json!({"Variable": "$$.Execution.Name", "IsString": true}), &json!(null)), Ok(true));
    }

    #[test]
    fn and_or_and_not_stop_as_soon_as_the_result_is_known() {
        let yes = json!({"Variable": "$.a", "IsPresent": true});
        let no = json!({"Variable": "$.a", "IsPresent": false});
        let broken = json!({"Variable": "$.x", "IsNull": true});
        let input = json!({"a": 1});
        assert_eq!(holds(json!({"And": [yes, yes]}), &input), Ok(true));
        assert_eq!(holds(json!({"And": [no, broken]}), &input), Ok(false));
        assert_eq!(holds(json!({"Or": [yes, broken]}), &input), Ok(true));
        assert_eq!(holds(json!({"Or": [no, no]}), &input), Ok(false));
        assert_eq!(holds(json!({"Not": {"And": [yes, {"Not": yes}]}}), &input), Ok(true));
        assert!(holds(json!({"And": [yes, broken]}), &input).is_err());
    }

    #[test]
    fn an_asterisk_matches_any_text_and_an_escaped_one_itself() {
        for (pattern, text, wanted) in [
            ("foo*.log", "foo123.log", true),
            ("foo*.log", "foo.log", true),
            ("foo*.log", "foo.log.gz", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*a", "a", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxa", false),
            (r"a\*b", "a*b", true),
            (r"a\*b", "axb", false),
            (r"a\\*", r"a\x", true),
            ("*.*", "a.b.c", true),
        ] {
            assert_eq!(StringPattern::parse(pattern).unwrap().matches(text), wanted, "{pattern} {text}");
        }
        assert!(StringPattern::parse(r"a\b").is_err());
        assert!(StringPattern::parse(r"a\").is_err());
    }

    proptest! {
        #[test]
        fn no_pattern_panics_and_a_text_matches_itself_escaped(pattern in "\\PC{0,20}", text in "\\PC{0,20}") {
            if let Ok(pattern) = StringPattern::parse(&pattern) {
                let _ = pattern.matches(&text);
            }
            let escaped = text.replace('\\', r"\\").replace('*', r"\*");
            prop_assert!(StringPattern::parse(&escaped).unwrap().matches(&text));
        }
    }
}
