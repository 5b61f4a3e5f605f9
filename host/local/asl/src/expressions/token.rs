//! The pieces of a path.

use std::fmt;

use serde_json::Value;

/// The deepest nesting of brackets and parentheses in a filter: the query parser recurses.
const MOST_NESTING: usize = 16;

/// One step of a definite path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Name(String),
    /// Counts from the end if negative.
    Index(i64),
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

/// A piece of a path.
pub(crate) enum Token {
    Step(Step),
    /// A piece that may find many values, written as in the standard.
    Many {
        text: String,
        array: bool,
    },
}

impl Token {
    /// Cuts the first piece off. Returns it and the remaining text.
    ///
    /// # Errors
    /// The reason, if the text does not begin with a piece.
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
            let name = quoted(inside).ok_or("only one quoted name is allowed in brackets")?;
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

/// Returns the name after a dot, and the remaining text.
fn shorthand(text: &str) -> Result<(&str, &str), &'static str> {
    let stop = |c: char| c.is_whitespace() || c.is_control() || ".[]()'\"*,\\?".contains(c);
    let end = text.find(stop).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    match rest.chars().next() {
        _ if name.is_empty() => Err("a name is missing after '.'"),
        None | Some('.' | '[') => Ok((name, rest)),
        Some('(') => Err("functions such as length() are not supported; use an intrinsic function"),
        Some(_) => Err("a name with such a character must be written in brackets and quotes: ['…']"),
    }
}

/// Returns the content of the bracket with which the text begins, and the remaining text.
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

/// Returns the name, if the text is one quoted name.
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
