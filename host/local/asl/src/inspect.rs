//! The structure of a definition's expressions, for tools that analyse a machine without running it.
//!
//! The texts are parsed by the interpreter's parser; the interpreter's own types stay private.

use std::fmt;

use crate::definition::choice;
use crate::expressions::intrinsics;
use crate::expressions::jsonpath::Segment;
use crate::expressions::path as paths;

/// The text of a computed field: one that ends in `.$`, or a `…Path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// `$…`
    Path(Path),
    /// `States.…(…)`
    Call(Call),
}

/// A path in pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// As written.
    pub text: String,
    /// The path begins with `$$`: it reads the context object and not the state's input.
    pub context: bool,
    /// The path begins with a variable's name: it reads that variable.
    pub variable: Option<String>,
    /// The pieces from the root on.
    pub pieces: Vec<Piece>,
}

/// One piece of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A field.
    Name(String),
    /// An item; counts from the end if negative.
    Index(i64),
    /// Any number of items or fields: `[*]`, a slice, a list of indices, a filter.
    Some,
    /// `..`: any descendant.
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
    /// The arguments in order.
    pub arguments: Vec<Argument>,
}

/// An argument of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A computed value.
    Expression(Expression),
    /// A literal of this type.
    Literal(Type),
}

/// The types of JSON that a definition distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A string, which may be a timestamp.
    String,
    /// Any number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `null`
    Null,
}

/// Parses an expression.
///
/// # Errors
/// The reason and the place.
pub fn expression(text: &str) -> Result<Expression, String> {
    Ok(match intrinsics::Expression::parse(text)? {
        intrinsics::Expression::Path(path) => Expression::Path(view(&path)),
        intrinsics::Expression::Call(call) => Expression::Call(view_call(&call)),
    })
}

/// Parses a path.
///
/// # Errors
/// As [`expression`].
pub fn path(text: &str) -> Result<Path, String> {
    paths::Path::parse(text).map(|path| view(&path)).map_err(|error| error.to_string())
}

/// Returns the type that a comparison of a Choice rule expects (`NumericGreaterThan`), and whether its right side is a
/// path. `None` if `field` is not a comparison.
pub fn comparison(field: &str) -> Option<(Type, bool)> {
    let (kind, _, path) = choice::comparison(field)?;
    let kind = match kind {
        choice::ValueType::String | choice::ValueType::Timestamp => Type::String,
        choice::ValueType::Numeric => Type::Number,
        choice::ValueType::Boolean => Type::Boolean,
    };
    Some((kind, path))
}

fn view(path: &paths::Path) -> Path {
    let mut pieces = Vec::new();
    let mut segments = path.segments().iter();
    while let Some(segment) = segments.next() {
        pieces.push(match segment {
            Segment::Names(names) if names.len() == 1 => Piece::Name(names.concat()),
            Segment::Indices(indices) if indices.len() == 1 => Piece::Index(indices.iter().sum()),
            Segment::Deep => {
                // The segment after it belongs to it.
                segments.next();
                Piece::Deep
            }
            _ => Piece::Some,
        });
    }
    Path {
        text: path.text().to_owned(),
        context: path.is_context(),
        variable: path.variable().map(str::to_owned),
        pieces,
    }
}

fn view_call(call: &intrinsics::Call) -> Call {
    let view = |argument: &intrinsics::Argument| match argument {
        intrinsics::Argument::Path(path) => Argument::Expression(Expression::Path(view(path))),
        intrinsics::Argument::Call(call) => Argument::Expression(Expression::Call(view_call(call))),
        intrinsics::Argument::Text(_) => Argument::Literal(Type::String),
        intrinsics::Argument::Number(_) => Argument::Literal(Type::Number),
        intrinsics::Argument::Bool(_) => Argument::Literal(Type::Boolean),
        intrinsics::Argument::Null => Argument::Literal(Type::Null),
    };
    Call { function: call.name(), arguments: call.arguments().iter().map(view).collect() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_path_is_cut_into_names_indices_and_multiple_matches() {
        let parsed = path("$$.Map['Item'][-1].a[*].b[?(@.c > 1)]..d").unwrap();
        assert!(parsed.context);
        let text: String = parsed.pieces.iter().map(ToString::to_string).collect();
        assert_eq!(text, ".Map.Item[-1].a[*].b[*]..");
        assert_eq!(path("$").unwrap().pieces, []);
        let variable = path("$name.a").unwrap();
        assert_eq!((variable.variable.as_deref(), variable.pieces), (Some("name"), vec![Piece::Name("a".into())]));
        assert!(path("$.").unwrap_err().contains("a name is missing"));
    }

    #[test]
    fn the_paths_within_a_call_are_found() {
        let parsed = expression("States.Format('{}', $.a, States.Array(1, $$.State.Name))").unwrap();
        let Expression::Call(call) = parsed else { panic!("{parsed:?}") };
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
