//! The operators of filters, as the service's library compares.

use std::cmp::Ordering;

use serde_json::Value;

use super::work::{Exhausted, Work};
use crate::expressions::numbers;

/// An operator between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    /// `===`: of the same type as well.
    Same,
    NotEqual,
    NotSame,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Matches,
    In,
    NotIn,
    SubsetOf,
    AnyOf,
    NoneOf,
    Contains,
    Size,
    Empty,
}

impl Operator {
    /// Every operator as it is written; a longer one before one with which it begins.
    pub(super) const ALL: [(&'static str, Self); 17] = [
        ("===", Self::Same),
        ("!==", Self::NotSame),
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        ("=~", Self::Matches),
        ("<=", Self::LessOrEqual),
        (">=", Self::GreaterOrEqual),
        ("<", Self::Less),
        (">", Self::Greater),
        ("in", Self::In),
        ("nin", Self::NotIn),
        ("subsetof", Self::SubsetOf),
        ("anyof", Self::AnyOf),
        ("noneof", Self::NoneOf),
        ("contains", Self::Contains),
        ("size", Self::Size),
        ("empty", Self::Empty),
    ];
}

/// Returns whether the whole text of a value matches.
pub(super) fn matches(value: &Value, pattern: &regex::Regex) -> bool {
    match value {
        Value::String(text) => pattern.is_match(text),
        Value::Number(number) => pattern.is_match(&number.to_string()),
        Value::Bool(flag) => pattern.is_match(if *flag { "true" } else { "false" }),
        _ => false,
    }
}

/// Compares two values, of which a missing one is `None`.
pub(super) fn compare(
    left: Option<&Value>,
    operator: Operator,
    right: Option<&Value>,
    work: &Work,
) -> Result<bool, Exhausted> {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(match operator {
        Operator::Equal => equal(left, right, work)?,
        Operator::NotEqual => !equal(left, right, work)?,
        Operator::Same => same_type(left, right) && equal(left, right, work)?,
        Operator::NotSame => !(same_type(left, right) && equal(left, right, work)?),
        Operator::Less => order(left, right).is_some_and(Ordering::is_lt),
        Operator::LessOrEqual => order(left, right).is_some_and(Ordering::is_le),
        Operator::Greater => order(left, right).is_some_and(Ordering::is_gt),
        Operator::GreaterOrEqual => order(left, right).is_some_and(Ordering::is_ge),
        Operator::Matches => false,
        Operator::In => right.is_some_and(Value::is_array) && contains(&list(right), left, work)?,
        Operator::NotIn => !(right.is_some_and(Value::is_array) && contains(&list(right), left, work)?),
        Operator::SubsetOf => left.is_some_and(Value::is_array) && each(&list(left), &list(right), true, work)?,
        Operator::AnyOf => each(&list(left), &list(right), false, work)?,
        Operator::NoneOf => left.is_some_and(Value::is_array) && !each(&list(left), &list(right), false, work)?,
        Operator::Contains => match (left, right) {
            (Some(Value::String(text)), Some(Value::String(part))) => text.contains(part.as_str()),
            (Some(Value::Array(items)), right) => contains(items, right, work)?,
            _ => false,
        },
        Operator::Size => match (left.and_then(size), right.and_then(Value::as_u64)) {
            (Some(size), Some(wanted)) => size as u64 == wanted,
            _ => false,
        },
        Operator::Empty => match (left.and_then(size), right.and_then(Value::as_bool)) {
            (Some(size), Some(wanted)) => (size == 0) == wanted,
            _ => false,
        },
    })
}

fn size(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => Some(text.chars().count()),
        Value::Array(items) => Some(items.len()),
        Value::Object(fields) => Some(fields.len()),
        _ => None,
    }
}

/// Returns whether all (or any) of `items` are among `others`.
fn each(items: &[Value], others: &[Value], all: bool, work: &Work) -> Result<bool, Exhausted> {
    for item in items {
        if contains(others, Some(item), work)? != all {
            return Ok(!all);
        }
    }
    Ok(all)
}

fn contains(items: &[Value], wanted: Option<&Value>, work: &Work) -> Result<bool, Exhausted> {
    for item in items {
        work.charge(1)?;
        if equal(Some(item), wanted, work)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether values are equal as in the library: a number equals its text, and a missing value equals nothing.
fn equal(left: Option<&Value>, right: Option<&Value>, work: &Work) -> Result<bool, Exhausted> {
    Ok(match (left, right) {
        (Some(Value::Number(left)), Some(Value::Number(right))) => {
            numbers::compare(left, right) == Some(Ordering::Equal)
        }
        (Some(Value::Number(number)), Some(Value::String(text)))
        | (Some(Value::String(text)), Some(Value::Number(number))) => number.to_string() == *text,
        (Some(Value::Array(left)), Some(Value::Array(right))) => {
            work.charge(left.len() as u64)?;
            left == right
        }
        (Some(Value::Object(left)), Some(Value::Object(right))) => {
            work.charge(left.len() as u64)?;
            left == right
        }
        (Some(left), Some(right)) => left == right,
        _ => false,
    })
}

fn same_type(left: Option<&Value>, right: Option<&Value>) -> bool {
    left.map(std::mem::discriminant) == right.map(std::mem::discriminant)
}

/// Orders two numbers or two texts; texts by UTF-16 units, as Java does.
fn order(left: Option<&Value>, right: Option<&Value>) -> Option<Ordering> {
    match (left?, right?) {
        (Value::Number(left), Value::Number(right)) => numbers::compare(left, right),
        (Value::String(left), Value::String(right)) => Some(left.encode_utf16().cmp(right.encode_utf16())),
        _ => None,
    }
}
