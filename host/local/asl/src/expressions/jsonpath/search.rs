//! The search for the values of a path.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::compare;
use super::position::position;
use super::segment::{Filter, Operand, Pattern, Segment};
use super::work::{Exhausted, Work};
use crate::error::quoted;
use crate::limits::PATH_RESULTS;

/// Why a search gives no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    NotFound(NotFound),
    Exhausted,
}

/// A definite path finds no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotFound {
    /// In the words of the service's library.
    pub reason: String,
    /// Only the last index does not exist in its array.
    pub beyond_end: bool,
}

impl From<Exhausted> for Failure {
    fn from(_: Exhausted) -> Self {
        Self::Exhausted
    }
}

/// Returns whether the path gives one value and not a list.
pub(crate) fn is_definite(segments: &[Segment]) -> bool {
    let last = segments.len().saturating_sub(1);
    segments.iter().enumerate().all(|(at, segment)| match segment {
        Segment::Names(names) => names.len() == 1 || at == last,
        Segment::Indices(indices) => indices.len() == 1,
        Segment::Function(_) => true,
        Segment::Slice { .. } | Segment::Wildcard | Segment::Filter(_) | Segment::Deep => false,
    })
}

/// Returns the value of a definite path, or a list of the values of another one.
pub(crate) fn find<'a>(document: &'a Value, segments: &[Segment], work: &Work) -> Result<Cow<'a, Value>, Failure> {
    find_from(document, document, segments, work)
}

/// As [`find`], from a value within the document.
pub(super) fn find_from<'a>(
    value: &'a Value,
    document: &'a Value,
    segments: &[Segment],
    work: &Work,
) -> Result<Cow<'a, Value>, Failure> {
    if let Some((Segment::Function(function), before)) = segments.split_last() {
        let fail = |reason| Failure::NotFound(NotFound { reason, beyond_end: false });
        return match find_from(value, document, before, work)? {
            Cow::Borrowed(found) => function.apply(found).map_err(fail),
            Cow::Owned(found) => function.apply(&found).map(|result| Cow::Owned(result.into_owned())).map_err(fail),
        };
    }
    if is_definite(segments) {
        return definite(value, segments);
    }
    check_slice(value, segments)?;
    let mut search = Search { document, work, found: Vec::new(), size: 0 };
    search.visit(value, segments)?;
    Ok(Cow::Owned(search.found.into_iter().map(Cow::into_owned).collect()))
}

/// Follows names and indices.
fn definite<'a>(value: &'a Value, segments: &[Segment]) -> Result<Cow<'a, Value>, Failure> {
    let mut value = value;
    for (at, segment) in segments.iter().enumerate() {
        let leaf = at + 1 == segments.len();
        let fail = |reason: String, beyond_end| Failure::NotFound(NotFound { reason, beyond_end });
        value = match (segment, value) {
            (Segment::Names(names), Value::Object(fields)) => match names.as_slice() {
                [name] => fields.get(name).ok_or_else(|| match leaf {
                    true => fail(format!("No results for path: {}", normal(segments)), false),
                    false => fail(format!("Missing property in path {}", normal(&segments[..=at])), false),
                })?,
                names => return Ok(Cow::Owned(merged(fields, names))),
            },
            (Segment::Indices(indices), Value::Array(items)) => {
                let index = indices.first().copied().unwrap_or_default();
                let found = position(index, items.len()).and_then(|at| items.get(at));
                found.ok_or_else(|| fail(format!("No results for path: {}", normal(segments)), leaf))?
            }
            (Segment::Names(_), other) => {
                let (fragment, place) = (normal(&segments[at..=at]), normal(&segments[..at]));
                let fragment = fragment.strip_prefix('$').unwrap_or_default();
                let reason = format!(
                    "Expected to find an object with property {fragment} in path {place} but found '{}'. This is not a \
                     json object according to the JsonProvider: \
                     'com.jayway.jsonpath.spi.json.JacksonJsonProvider'.",
                    java_type(other)
                );
                return Err(fail(reason, false));
            }
            (_, other) => return Err(no_array(segments, at, other)),
        };
    }
    Ok(Cow::Borrowed(value))
}

/// Checks that a slice after single names and indices is that of an array. A value that is missing has no items.
fn check_slice(value: &Value, segments: &[Segment]) -> Result<(), Failure> {
    let single = |segment: &&Segment| match segment {
        Segment::Names(names) => names.len() == 1,
        Segment::Indices(indices) => indices.len() == 1,
        _ => false,
    };
    let at = segments.iter().take_while(single).count();
    let Some(Segment::Slice { .. }) = segments.get(at) else { return Ok(()) };
    match definite(value, &segments[..at]) {
        Ok(found) if !found.is_array() => Err(no_array(segments, at, &found)),
        _ => Ok(()),
    }
}

/// Returns the failure of an index or a slice, the segment `at`, of a value that is not an array.
fn no_array(segments: &[Segment], at: usize, value: &Value) -> Failure {
    let fragment = normal(&segments[at..=at]);
    let fragment = fragment.strip_prefix('$').unwrap_or_default();
    let reason = match value {
        Value::Null => format!("The path {} is null", normal(&segments[..at])),
        other => format!("Filter: {fragment} can only be applied to arrays. Current context is: {}", quoted(other)),
    };
    Failure::NotFound(NotFound { reason, beyond_end: false })
}

/// Returns a definite path as the library writes it: `$['a'][0]`.
fn normal(segments: &[Segment]) -> String {
    segments.iter().fold("$".to_owned(), |path, segment| match segment {
        Segment::Names(names) => path + "['" + &names.join("','") + "']",
        Segment::Indices(indices) => {
            path + "[" + &indices.iter().map(i64::to_string).collect::<Vec<_>>().join(",") + "]"
        }
        Segment::Slice { from, to } => {
            let end = |end: &Option<i64>| end.map(|end| end.to_string()).unwrap_or_default();
            format!("{path}[{}:{}]", end(from), end(to))
        }
        _ => path,
    })
}

fn java_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "java.lang.Boolean",
        Value::Number(number) if number.is_f64() => "java.lang.Double",
        Value::Number(number) if number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()) => {
            "java.lang.Integer"
        }
        Value::Number(number) if number.is_i64() => "java.lang.Long",
        Value::Number(_) => "java.math.BigInteger",
        Value::String(_) => "java.lang.String",
        Value::Array(_) => "java.util.ArrayList",
        Value::Object(_) => "java.util.LinkedHashMap",
    }
}

/// Returns an object of those names that exist.
fn merged(fields: &Map<String, Value>, names: &[String]) -> Value {
    let found = names.iter().filter_map(|name| Some((name.clone(), fields.get(name)?.clone())));
    Value::Object(found.collect())
}

/// A search for any number of values. A segment that does not fit a value finds nothing in it.
struct Search<'a, 'w> {
    document: &'a Value,
    work: &'w Work,
    found: Vec<Cow<'a, Value>>,
    /// The number of values within the results.
    size: u64,
}

impl<'a> Search<'a, '_> {
    fn visit(&mut self, value: &'a Value, segments: &[Segment]) -> Result<(), Exhausted> {
        self.work.charge(1)?;
        let Some((segment, rest)) = segments.split_first() else {
            return self.keep(Cow::Borrowed(value));
        };
        match (segment, value) {
            (Segment::Deep, _) => self.descend(value, rest),
            (Segment::Names(names), Value::Object(fields)) => match names.as_slice() {
                names if names.len() > 1 && rest.is_empty() => self.keep(Cow::Owned(merged(fields, names))),
                names => names.iter().filter_map(|name| fields.get(name)).try_for_each(|found| self.visit(found, rest)),
            },
            (Segment::Indices(indices), Value::Array(items)) => {
                let positions = indices.iter().filter_map(|index| position(*index, items.len()));
                positions.filter_map(|at| items.get(at)).try_for_each(|found| self.visit(found, rest))
            }
            (Segment::Slice { from, to }, Value::Array(items)) => slice(*from, *to, items.len())
                .filter_map(|at| items.get(at))
                .try_for_each(|item| self.visit(item, rest)),
            (Segment::Wildcard, Value::Array(items)) => items.iter().try_for_each(|item| self.visit(item, rest)),
            (Segment::Wildcard, Value::Object(fields)) => fields.values().try_for_each(|item| self.visit(item, rest)),
            (Segment::Filter(filter), Value::Array(items)) => {
                items.iter().try_for_each(|item| match filter.holds(item, self.document, self.work)? {
                    true => self.visit(item, rest),
                    false => Ok(()),
                })
            }
            (Segment::Filter(filter), Value::Object(_)) => match filter.holds(value, self.document, self.work)? {
                true => self.visit(value, rest),
                false => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Applies the segments to a value and to all its descendants, outer ones first.
    fn descend(&mut self, value: &'a Value, rest: &[Segment]) -> Result<(), Exhausted> {
        self.visit(value, rest)?;
        match value {
            Value::Array(items) => items.iter().try_for_each(|item| self.descend(item, rest)),
            Value::Object(fields) => fields.values().try_for_each(|item| self.descend(item, rest)),
            _ => Ok(()),
        }
    }

    fn keep(&mut self, value: Cow<'a, Value>) -> Result<(), Exhausted> {
        self.size += count(&value, PATH_RESULTS.saturating_sub(self.size));
        if self.size > PATH_RESULTS {
            return Err(Exhausted);
        }
        self.found.push(value);
        Ok(())
    }
}

/// Returns the number of values in a value, or a larger number than `most`.
fn count(value: &Value, most: u64) -> u64 {
    let mut number = 1;
    let mut items: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(fields) => Box::new(fields.values()),
        _ => return number,
    };
    while number <= most
        && let Some(item) = items.next()
    {
        number += count(item, most - number);
    }
    number
}

/// Returns the positions of a slice.
fn slice(from: Option<i64>, to: Option<i64>, len: usize) -> std::ops::Range<usize> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let (first, end) = match (from, to) {
        (Some(from), None) => (if from < 0 { len.saturating_add(from).max(0) } else { from }, len),
        (None, Some(to)) => (0, if to < 0 { len.saturating_add(to) } else { to.min(len) }),
        (from, to) => {
            // Both are given. The library does not count a single negative one from the end: `[1:-1]` is empty.
            let (from, to) = (from.unwrap_or_default(), to.unwrap_or_default().min(len));
            match from < to && from < 0 {
                true if to < 0 => (len.saturating_add(from).max(0), len.saturating_add(to)),
                _ => (from.max(0), to),
            }
        }
    };
    let bound = |number: i64| usize::try_from(number.clamp(0, len)).unwrap_or_default();
    bound(first)..bound(end)
}

impl Filter {
    /// Returns whether the condition holds for `value`.
    fn holds(&self, value: &Value, document: &Value, work: &Work) -> Result<bool, Exhausted> {
        work.charge(1)?;
        match self {
            Self::And(all) => {
                for filter in all {
                    if !filter.holds(value, document, work)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Or(any) => {
                for filter in any {
                    if filter.holds(value, document, work)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Not(filter) => Ok(!filter.holds(value, document, work)?),
            Self::Exists(operand) => Ok(operand.value(value, document, work)?.is_some()),
            Self::Compare { left, operator, right } => {
                let left = left.value(value, document, work)?;
                left.as_deref().map_or(Ok(()), |left| work.charge_reading(left))?;
                if let Operand::Pattern(Pattern(pattern)) = right {
                    return Ok(left.as_deref().is_some_and(|left| compare::matches(left, pattern)));
                }
                let right = right.value(value, document, work)?;
                right.as_deref().map_or(Ok(()), |right| work.charge_reading(right))?;
                compare::compare(left.as_deref(), *operator, right.as_deref(), work)
            }
        }
    }
}

impl Operand {
    /// Returns the value; `None` if a path finds none.
    fn value<'a>(
        &'a self,
        value: &'a Value,
        document: &'a Value,
        work: &Work,
    ) -> Result<Option<Cow<'a, Value>>, Exhausted> {
        match self {
            Self::Literal(literal) => Ok(Some(Cow::Borrowed(literal))),
            Self::Pattern(_) => Ok(None),
            Self::Path { root, segments } => {
                let from = if *root { document } else { value };
                match find_from(from, document, segments, work) {
                    Ok(found) => Ok(Some(found)),
                    Err(Failure::NotFound(_)) => Ok(None),
                    Err(Failure::Exhausted) => Err(Exhausted),
                }
            }
        }
    }
}
