//! The parser of calls such as `States.Format('…', $.path, States.Array(1, 2))`.

use serde_json::Value;

use super::call::{Argument, Call, Text};
use super::function::Function;
use crate::expressions::path::Path;

/// The service's limit on nested calls.
const MOST_NESTING: usize = 10;
/// The longest call, in bytes.
const MOST_BYTES: usize = 10_000;

/// Parses a call that fills the whole text.
///
/// # Errors
/// The reason and the character at which parsing failed.
pub(super) fn call(text: &str) -> Result<Call, String> {
    if text.len() > MOST_BYTES {
        return Err(format!("an intrinsic function call is longer than {MOST_BYTES} bytes"));
    }
    let mut reader = Reader { text, at: 0 };
    let call = reader.call(0)?;
    reader.spaces();
    match reader.rest() {
        "" => Ok(call),
        rest => Err(format!("'{text}': unexpected '{rest}' after the call")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Skips spaces and consumes `token` if it comes next. Returns whether it did.
    fn take(&mut self, token: char) -> bool {
        self.spaces();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len_utf8();
        }
        found
    }

    fn fail<T>(&self, what: &str) -> Result<T, String> {
        let column = self.text.get(..self.at).map_or(0, |before| before.chars().count()) + 1;
        Err(format!("'{}' is not an intrinsic function call: {what} (character {column})", self.text))
    }

    fn call(&mut self, depth: usize) -> Result<Call, String> {
        if depth >= MOST_NESTING {
            return self.fail("more than 10 nested calls");
        }
        self.spaces();
        let start = self.at;
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_')).unwrap_or(rest.len());
        let (name, _) = rest.split_at(end);
        let Some(function) = Function::named(name) else {
            return match name {
                "" => self.fail("expected a function's name"),
                _ => self.fail(&format!("there is no function '{name}'")),
            };
        };
        self.at += end;
        if !self.take('(') {
            return self.fail("expected '('");
        }
        let mut arguments = Vec::new();
        if !self.take(')') {
            loop {
                arguments.push(self.argument(depth)?);
                if self.take(')') {
                    break;
                }
                if !self.take(',') {
                    return self.fail("expected ',' or ')'");
                }
            }
        }
        let (least, most) = function.arity();
        if !(least..=most).contains(&arguments.len()) {
            let wanted = match (least, most) {
                (least, usize::MAX) => format!("at least {least}"),
                (least, most) if least == most => least.to_string(),
                (least, most) => format!("{least} to {most}"),
            };
            return self.fail(&format!("{name} takes {wanted} arguments, not {}", arguments.len()));
        }
        let text = self.text.get(start..self.at).unwrap_or_default().to_owned();
        Ok(Call { text, function, arguments })
    }

    fn argument(&mut self, depth: usize) -> Result<Argument, String> {
        self.spaces();
        match self.rest().chars().next() {
            Some('\'') => self.string(),
            Some('$') => self.path(),
            Some('S') => self.call(depth + 1).map(Argument::Call),
            Some(_) => self.literal(),
            None => self.fail("an argument is missing"),
        }
    }

    /// Reads a string in single quotes. `\'`, `\{`, `\}` and `\\` stand for the character after the backslash; the
    /// language allows no other escape.
    fn string(&mut self) -> Result<Argument, String> {
        let mut pieces = vec![String::new()];
        let mut chars = self.rest().char_indices().skip(1).peekable();
        while let Some((offset, c)) = chars.next() {
            let piece = match pieces.last_mut() {
                Some(piece) => piece,
                None => break,
            };
            match c {
                '\'' => {
                    self.at += offset + 1;
                    return Ok(Argument::Text(Text { pieces }));
                }
                '\\' => match chars.next() {
                    Some((_, c @ ('\'' | '{' | '}' | '\\'))) => piece.push(c),
                    _ => {
                        return self.fail("in a string, a backslash must be followed by ', {, } or \\");
                    }
                },
                '{' if chars.next_if(|(_, next)| *next == '}').is_some() => pieces.push(String::new()),
                c => piece.push(c),
            }
        }
        self.fail("a string is not closed")
    }

    /// Reads a path, which ends at a comma, a space or a parenthesis outside its brackets.
    fn path(&mut self) -> Result<Argument, String> {
        let rest = self.rest();
        let mut depth = 0_usize;
        let mut quote = None;
        let mut escaped = false;
        let mut end = rest.len();
        for (at, c) in rest.char_indices() {
            match (quote, c) {
                _ if escaped => escaped = false,
                (Some(_), '\\') => escaped = true,
                (Some(open), c) if c == open => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(c),
                (None, '[' | '(') => depth += 1,
                (None, ']') => depth = depth.saturating_sub(1),
                (None, ')') if depth > 0 => depth -= 1,
                (None, ',' | ')') if depth == 0 => {
                    end = at;
                    break;
                }
                (None, c) if depth == 0 && c.is_whitespace() => {
                    end = at;
                    break;
                }
                (None, _) => {}
            }
        }
        let (path, _) = rest.split_at(end);
        let path = Path::parse(path).map_err(|error| error.to_string())?;
        self.at += end;
        Ok(Argument::Path(path))
    }

    /// Reads a number, `true`, `false` or `null`.
    fn literal(&mut self) -> Result<Argument, String> {
        let rest = self.rest();
        let end = rest.find(|c: char| c == ',' || c == ')' || c.is_whitespace()).unwrap_or(rest.len());
        let (word, _) = rest.split_at(end);
        let argument = match serde_json::from_str(word) {
            Ok(Value::Number(number)) => Argument::Number(number),
            Ok(Value::Bool(value)) => Argument::Bool(value),
            Ok(Value::Null) => Argument::Null,
            _ => {
                return self.fail(&format!(
                    "'{word}' is not an argument: expected a path, a number, true, false, null, a call or a string in single quotes"
                ));
            }
        };
        self.at += end;
        Ok(argument)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_call_is_read_with_its_arguments_and_nested_calls() {
        let call = call("States.Format( 'a{}b' , $.x['y,)'][?(@.n > 1)] , States.Array(1, true, null) )").unwrap();
        assert_eq!(call.function, Function::Format);
        assert_eq!(call.arguments.len(), 3);
        assert_eq!(call.arguments[0], Argument::Text(Text { pieces: vec!["a".into(), "b".into()] }));
        assert!(matches!(&call.arguments[1], Argument::Path(path) if path.text() == "$.x['y,)'][?(@.n > 1)]"));
        assert!(matches!(&call.arguments[2], Argument::Call(inner) if inner.text == "States.Array(1, true, null)"));
    }

    #[test]
    fn escaped_characters_stand_for_themselves_and_an_escaped_brace_is_not_a_placeholder() {
        let call = call(r"States.Format('it\'s \{\} {} \\')").unwrap();
        assert_eq!(call.arguments[0], Argument::Text(Text { pieces: vec!["it's {} ".into(), " \\".into()] }));
    }

    #[test]
    fn a_malformed_call_is_refused_with_the_place() {
        for (text, part) in [
            ("", "expected a function's name"),
            ("Format('a')", "there is no function 'Format'"),
            ("States.Nothing()", "there is no function 'States.Nothing'"),
            ("States.UUID", "expected '('"),
            ("States.UUID(1)", "takes 0 arguments, not 1"),
            ("States.MathAdd(1)", "takes 2 arguments, not 1"),
            ("States.MathRandom(1)", "takes 2 to 3 arguments"),
            ("States.Format()", "takes at least 1"),
            ("States.Format('a'", "expected ',' or ')'"),
            ("States.Format('a", "not closed"),
            (r"States.Format('a\n')", "a backslash must be followed by"),
            ("States.Format('a') x", "unexpected 'x' after the call"),
            ("States.Array(a)", "'a' is not an argument"),
            ("States.Array(\"a\")", "is not an argument"),
            ("States.Array(,)", "is not an argument"),
            ("States.Array($.a.)", "a name is missing"),
            (&format!("{}1{}", "States.Array(".repeat(11), ")".repeat(11)), "more than 10"),
        ] {
            let error = call(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn ten_nested_calls_are_allowed() {
        call(&format!("{}1{}", "States.Array(".repeat(10), ")".repeat(10))).unwrap();
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,60}") {
            let _ = call(&text);
        }

        #[test]
        fn no_text_of_call_characters_makes_the_parser_panic(
            text in r"States\.(Array|Format|UUID|Hash)\([$.a\['\]\\{}(), 0-9tS-]{0,40}\)?",
        ) {
            let _ = call(&text);
        }
    }
}
