//! Checks that are added to a parsed query.
//!
//! The library bounds an evaluation's time, depth and sequences, but not the length of a text: a recursive function that
//! doubles one fills the memory within milliseconds. So the result of `&` and the arguments of `$join`, `$replace` and
//! `$string` are checked on the way. And the service's `and` and `or` refuse an operand that is undefined, which the
//! reference implementation takes for false.

use jsonata_core::ast::{AstNode, BinaryOp, Stage};
use jsonata_core::value::JValue;

use super::engine::MOST_BYTES;
use super::failures::{Answer, Named, memory, signature};

/// The functions behind the checks. No expression can call them: their names contain a space.
pub(super) const FUNCTIONS: [Named; 7] = [
    (BOUNDED, |values| bounded(values.first().map_or(0, text_bytes), values)),
    (JOINED, |values| bounded(joined(values), values)),
    (REPLACED, |values| bounded(replaced(values), values)),
    ("and 1", |values| operand(values, 1, "and")),
    ("and 2", |values| operand(values, 2, "and")),
    ("or 1", |values| operand(values, 1, "or")),
    ("or 2", |values| operand(values, 2, "or")),
];

const BOUNDED: &str = "bounded text";
const JOINED: &str = "bounded join";
const REPLACED: &str = "bounded replacement";

fn bounded(bytes: usize, values: &[JValue]) -> Answer {
    if bytes > MOST_BYTES { Err(memory()) } else { Ok(values.first().cloned().unwrap_or(JValue::Undefined)) }
}

fn operand(values: &[JValue], at: usize, operator: &str) -> Answer {
    match values.first() {
        Some(value) if !value.is_undefined() => Ok(value.clone()),
        _ => Err(signature(at, operator)),
    }
}

/// Returns about the bytes of a value's text, and stops counting above the limit.
fn text_bytes(value: &JValue) -> usize {
    fn count(value: &JValue, total: &mut usize) {
        *total = total.saturating_add(match value {
            JValue::String(text) => text.len(),
            _ => 1,
        });
        if *total > MOST_BYTES {
            return;
        }
        let mut each = |item: &JValue| {
            if *total <= MOST_BYTES {
                count(item, total);
            }
        };
        match value {
            JValue::Array(items) => items.iter().for_each(&mut each),
            JValue::Object(fields) => fields.values().for_each(&mut each),
            _ => {}
        }
    }
    let mut total = 0;
    count(value, &mut total);
    total
}

/// Returns the bytes of `$join(texts, separator)`.
fn joined(values: &[JValue]) -> usize {
    let separator = values.get(1).and_then(JValue::as_str).map_or(0, str::len);
    let texts = values.first().map_or(0, text_bytes);
    let count = values.first().and_then(JValue::as_array).map_or(1, Vec::len);
    texts.saturating_add(separator.saturating_mul(count))
}

/// Returns an estimate of the bytes of `$replace(text, pattern, replacement)`: a 64th of what it would be if every character of
/// the text were replaced, because few calls come near that.
fn replaced(values: &[JValue]) -> usize {
    let length = |at: usize| values.get(at).and_then(JValue::as_str).map_or(1, str::len);
    length(0).saturating_mul(length(1)) / 64
}

/// Adds the checks to a tree.
pub(super) fn add(node: &mut AstNode) {
    visit(node, false);
}

/// `inner` is true for an operand of `&` whose own result is part of a longer chain, which is checked as a whole.
fn visit(node: &mut AstNode, inner: bool) {
    let chain = matches!(node, AstNode::Binary { op: BinaryOp::Concatenate, .. });
    match node {
        AstNode::Binary { op, lhs, rhs } => {
            visit(lhs, chain);
            visit(rhs, chain);
            let names = match op {
                BinaryOp::And => Some(["and 1", "and 2"]),
                BinaryOp::Or => Some(["or 1", "or 2"]),
                _ => None,
            };
            if let Some([left, right]) = names {
                wrap(lhs, left, None);
                wrap(rhs, right, None);
            }
        }
        AstNode::Function { name, args, is_builtin: true } => {
            args.iter_mut().for_each(|argument| visit(argument, false));
            let second = |args: &[AstNode], at: usize| args.get(at).cloned();
            let (guard, other) = match name.as_str() {
                "join" => (JOINED, second(args, 1)),
                "replace" => (REPLACED, second(args, 2)),
                "string" => (BOUNDED, None),
                _ => return,
            };
            // A literal is small, and the library looks at some of them.
            if let Some(first) = args.first_mut().filter(|first| !is_literal(first)) {
                wrap(first, guard, other.filter(|other| !is_literal(other)));
            }
        }
        _ => children(node, &mut |child| visit(child, false)),
    }
    if chain && !inner {
        wrap(node, BOUNDED, None);
    }
}

fn is_literal(node: &AstNode) -> bool {
    matches!(node, AstNode::String(_) | AstNode::Number(_) | AstNode::Regex { .. } | AstNode::Placeholder)
}

/// Makes a node the first argument of a call of a check.
fn wrap(node: &mut AstNode, name: &str, second: Option<AstNode>) {
    let inner = std::mem::replace(node, AstNode::Undefined);
    let args = std::iter::once(inner).chain(second).collect();
    *node = AstNode::Function { name: name.to_owned(), args, is_builtin: true };
}

/// Calls `each` with every direct child.
fn children(node: &mut AstNode, each: &mut dyn FnMut(&mut AstNode)) {
    match node {
        AstNode::Path { steps } => {
            for step in steps {
                // A step itself is not wrapped in a call, because that would change its meaning; its children are.
                children(&mut step.node, each);
                for stage in &mut step.stages {
                    if let Stage::Filter(filter) = stage {
                        each(filter);
                    }
                }
            }
        }
        AstNode::Binary { lhs, rhs, .. } => {
            each(lhs);
            each(rhs);
        }
        AstNode::Unary { operand, .. } => each(operand),
        AstNode::Function { args, .. } | AstNode::Array(args) | AstNode::Block(args) | AstNode::ArrayGroup(args) => {
            args.iter_mut().for_each(each);
        }
        AstNode::Call { procedure, args } => {
            each(procedure);
            args.iter_mut().for_each(each);
        }
        AstNode::Lambda { body, .. } => each(body),
        AstNode::Object(pairs) => {
            for (key, value) in pairs {
                each(key);
                each(value);
            }
        }
        AstNode::ObjectTransform { input, pattern } => {
            each(input);
            for (key, value) in pattern {
                each(key);
                each(value);
            }
        }
        AstNode::Conditional { condition, then_branch, else_branch } => {
            each(condition);
            each(then_branch);
            if let Some(branch) = else_branch {
                each(branch);
            }
        }
        AstNode::FunctionApplication(inner) => each(inner),
        AstNode::Sort { input, terms } => {
            each(input);
            terms.iter_mut().for_each(|(term, _)| each(term));
        }
        // The update of a transformation must stay an object.
        AstNode::Transform { location, .. } => each(location),
        AstNode::String(_)
        | AstNode::Name(_)
        | AstNode::Number(_)
        | AstNode::Boolean(_)
        | AstNode::Null
        | AstNode::Undefined
        | AstNode::Placeholder
        | AstNode::Regex { .. }
        | AstNode::Variable(_)
        | AstNode::ParentVariable(_)
        | AstNode::Wildcard
        | AstNode::Descendant
        | AstNode::Parent(_) => {}
    }
}
