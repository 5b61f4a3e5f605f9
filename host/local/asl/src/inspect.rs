//! What a definition's expressions read, for tools that look at a machine without running it.
//!
//! The interpreter's own model stays inside: it holds what is needed to run. This is the same parser's view of one text.

use std::fmt;

use crate::choice;
use crate::intrinsics;
use crate::path;

/// The text of a field that is computed: of one that ends in `.$`, of a `…Path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// `$…`
    Path(Path),
    /// `States.…(…)`
    Call(Call),
}

/// A path, cut into pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// As written.
    pub text: String,
    /// It begins with `$$`: it reads the context object, not the state's input.
    pub context: bool,
    /// From the root on.
    pub pieces: Vec<Piece>,
}

/// One piece of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A field.
    Name(String),
    /// An item; counts from the end when negative.
    Index(i64),
    /// Any number of items or fields of what stands before: `[*]`, a slice, a list of indices, a filter.
    Some,
    /// `..`: anything below.
    Deep,
}

impl fmt::Display for Piece {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(out, ".{name}"),
            Self::Index(index) => write!(out, "[{index}]"),
            Self::Some => out.write_str("[*]"),
            Self::Deep => out.write_str(".."),
        }
    }
}

/// A call of an intrinsic function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// `States.Format`
    pub function: &'static str,
    /// In order.
    pub arguments: Vec<Argument>,
}

/// What a function is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Computed.
    Expression(Expression),
    /// A literal, and its type.
    Literal(Type),
}

/// The types of JSON that a definition tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A text; a time is one too.
    String,
    /// Any number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `null`
    Null,
}

/// Reads an expression.
///
/// # Errors
/// One sentence that says what is wrong, and where.
pub fn expression(text: &str) -> Result<Expression, String> {
    Ok(match intrinsics::Expression::parse(text)? {
        intrinsics::Expression::Path(path) => Expression::Path(view(path.text())?),
        intrinsics::Expression::Call(call) => Expression::Call(view_call(&call)?),
    })
}

/// Reads a path.
///
/// # Errors
/// As [`expression`].
pub fn path(text: &str) -> Result<Path, String> {
    path::Path::parse(text).map_err(|error| error.to_string()).and_then(|path| view(path.text()))
}

/// The type that a comparison of a Choice rule asks for (`NumericGreaterThan`), and whether its value is a path to
/// compare with. `None` if `field` is no comparison.
pub fn comparison(field: &str) -> Option<(Type, bool)> {
    let (kind, _, path) = choice::comparison(field)?;
    let kind = match kind {
        choice::Kind::String | choice::Kind::Timestamp => Type::String,
        choice::Kind::Numeric => Type::Number,
        choice::Kind::Boolean => Type::Boolean,
    };
    Some((kind, path))
}

fn view(text: &str) -> Result<Path, String> {
    let (context, mut left) = match text.strip_prefix("$$") {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('$').unwrap_or_default()),
    };
    let mut pieces = Vec::new();
    while !left.is_empty() {
        let (token, rest) = path::Token::cut(left)?;
        pieces.push(match token {
            path::Token::Step(path::Step::Name(name)) => Piece::Name(name),
            path::Token::Step(path::Step::Index(index)) => Piece::Index(index),
            path::Token::Many { text, .. } if text.starts_with("..") => Piece::Deep,
            path::Token::Many { .. } => Piece::Some,
        });
        left = rest;
    }
    Ok(Path { text: text.to_owned(), context, pieces })
}

fn view_call(call: &intrinsics::Call) -> Result<Call, String> {
    let view = |argument: &intrinsics::Argument| {
        Ok(match argument {
            intrinsics::Argument::Path(path) => Argument::Expression(Expression::Path(view(path.text())?)),
            intrinsics::Argument::Call(call) => Argument::Expression(Expression::Call(view_call(call)?)),
            intrinsics::Argument::Text(_) => Argument::Literal(Type::String),
            intrinsics::Argument::Number(_) => Argument::Literal(Type::Number),
            intrinsics::Argument::Bool(_) => Argument::Literal(Type::Boolean),
            intrinsics::Argument::Null => Argument::Literal(Type::Null),
        })
    };
    let arguments = call.arguments().iter().map(view).collect::<Result<_, String>>()?;
    Ok(Call { function: call.name(), arguments })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_path_is_cut_into_names_indices_and_what_finds_many() {
        let seen = path("$$.Map['Item'][-1].a[*].b[?(@.c > 1)]..d").unwrap();
        assert!(seen.context);
        let text: String = seen.pieces.iter().map(ToString::to_string).collect();
        assert_eq!(text, ".Map.Item[-1].a[*].b[*]..");
        assert_eq!(path("$").unwrap().pieces, []);
        assert!(path("$.").unwrap_err().contains("a name is missing"));
    }

    #[test]
    fn the_paths_within_a_call_are_found() {
        let seen = expression("States.Format('{}', $.a, States.Array(1, $$.State.Name))").unwrap();
        let Expression::Call(call) = seen else { panic!("{seen:?}") };
        assert_eq!((call.function, call.arguments.len()), ("States.Format", 3));
        assert_eq!(call.arguments[0], Argument::Literal(Type::String));
        assert_eq!(call.arguments[1], Argument::Expression(Expression::Path(path("$.a").unwrap())));
        assert!(
            matches!(&call.arguments[2], Argument::Expression(Expression::Call(inner)) if inner.arguments.len() == 2)
        );
        assert!(expression("States.Nothing()").is_err());
    }

    #[test]
    fn a_comparison_names_its_type_and_whether_it_compares_with_a_path() {
        assert_eq!(comparison("NumericGreaterThan"), Some((Type::Number, false)));
        assert_eq!(comparison("TimestampLessThanEqualsPath"), Some((Type::String, true)));
        assert_eq!(comparison("BooleanEquals"), Some((Type::Boolean, false)));
        assert_eq!(comparison("IsPresent"), None);
    }
}
