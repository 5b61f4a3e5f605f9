//! Choice states: what each rule reads, and what is known of the document if it holds or not.

use serde_json::Value;
use stagehost_asl::inspect::{self, Piece, Type};

use super::flow::{Flow, Here};
use super::shape::Shape;
use crate::json_pointer::below;

impl<'a> Flow<'a> {
    /// Returns the states that a Choice state leads to, with what is known on each way.
    pub(super) fn choice(&mut self, state: &'a Value, here: &Here<'_>, input: &Shape) -> Vec<(&'a str, Shape)> {
        let mut ways = Vec::new();
        let mut left = Some(input.clone());
        let choices = below(here.place, "Choices");
        for (at, rule) in state.get("Choices").and_then(Value::as_array).into_iter().flatten().enumerate() {
            let Some(shape) = left else { break };
            let place = below(&choices, at);
            let next = rule.get("Next").and_then(Value::as_str);
            ways.extend(next.zip(self.assume(rule, true, &place, here, &shape)));
            left = self.assume(rule, false, &place, here, &shape);
        }
        ways.extend(state.get("Default").and_then(Value::as_str).zip(left));
        ways
    }

    /// Returns what is known of `shape` if the rule holds (`truth`), or does not; `None` if that is impossible.
    fn assume(&mut self, rule: &Value, truth: bool, place: &str, here: &Here<'_>, shape: &Shape) -> Option<Shape> {
        // Rules are tried in order: `And` ends with the first that does not hold, `Or` with the first that does.
        for (operator, ends_with) in [("And", false), ("Or", true)] {
            let Some(parts) = rule.get(operator).and_then(Value::as_array) else { continue };
            let place = below(place, operator);
            let mut ended = Vec::new();
            let mut left = Some(shape.clone());
            for (at, part) in parts.iter().enumerate() {
                let Some(shape) = left else { break };
                let place = below(&place, at);
                ended.extend(self.assume(part, ends_with, &place, here, &shape));
                left = self.assume(part, !ends_with, &place, here, &shape);
            }
            return match truth == ends_with {
                true if ended.is_empty() => None,
                true => Some(Shape::one_of(ended)),
                false => left,
            };
        }
        if let Some(inner) = rule.get("Not") {
            return self.assume(inner, !truth, &below(place, "Not"), here, shape);
        }
        self.test(rule, truth, place, here, shape)
    }

    fn test(&mut self, rule: &Value, truth: bool, place: &str, here: &Here<'_>, shape: &Shape) -> Option<Shape> {
        let text = rule.get("Variable").and_then(Value::as_str)?;
        let Ok(path) = inspect::path(text) else { return Some(shape.clone()) };
        if path.variable.is_some() {
            return Some(shape.clone());
        }
        let variable = below(place, "Variable");
        let found = if path.context { here.context.look(&path.pieces) } else { shape.look(&path.pieces) };
        if let Some(wanted) = rule.get("IsPresent").and_then(Value::as_bool) {
            let possible = !found.never();
            let seen = (here.name.to_owned(), text.to_owned(), false);
            self.presence.entry(variable).or_insert(seen).2 |= possible;
            return if path.context { Some(shape.clone()) } else { shape.given(&path.pieces, wanted == truth) };
        }
        self.missing(&found, text, &variable, here);
        let value = found.shape();
        for (field, with) in rule.as_object().into_iter().flatten() {
            let Some((wanted, is_path)) = comparison(field) else { continue };
            self.compares(&value, wanted, text, field, &variable, here);
            if let (true, Some(other)) = (is_path, with.as_str()) {
                let place = below(place, field);
                if let Ok(path) = inspect::path(other)
                    && path.variable.is_none()
                {
                    let found = if path.context { here.context.look(&path.pieces) } else { shape.look(&path.pieces) };
                    self.missing(&found, other, &place, here);
                    self.compares(&found.shape(), wanted, other, field, &place, here);
                }
            }
        }
        Some(if path.context { shape.clone() } else { known(rule, &path.pieces, truth, shape) })
    }
}

/// Returns the type that a test needs, and whether it compares with a path.
fn comparison(field: &str) -> Option<(Type, bool)> {
    if field == "StringMatches" { Some((Type::String, false)) } else { inspect::comparison(field) }
}

/// Returns what is known after a test: its path finds something, and after an `Is…` test of a known type.
fn known(rule: &Value, pieces: &[Piece], truth: bool, shape: &Shape) -> Shape {
    let there = shape.given(pieces, true).unwrap_or_else(|| shape.clone());
    let tests =
        [("IsString", Type::String), ("IsNumeric", Type::Number), ("IsBoolean", Type::Boolean), ("IsNull", Type::Null)];
    let asked = tests.iter().find_map(|(name, wanted)| Some((*wanted, rule.get(*name)?.as_bool()?)));
    match asked {
        Some((wanted, is)) => there.given_type(pieces, wanted, is == truth),
        None => there,
    }
}
