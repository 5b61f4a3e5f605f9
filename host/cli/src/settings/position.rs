//! Where in a JSON text a value is.

use serde::Serialize;

use crate::json_pointer::steps;

/// A place in a text. Both numbers count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character of the line.
    pub column: usize,
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Returns where the value is that a JSON Pointer (RFC 6901) names: at its name in an object, at its first character in
/// a list. `None` if there is no such value. `text` must be valid JSON.
pub fn locate(text: &str, pointer: &str) -> Option<Position> {
    let names: Vec<String> = steps(pointer).collect();
    let at = Reader { text: text.as_bytes(), at: 0 }.find(&names)?;
    let before = text.get(..at)?;
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Some(Position { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 })
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// Returns where the value begins that the names lead to, from the value that comes next.
    fn find(&mut self, names: &[String]) -> Option<usize> {
        self.space();
        let Some((name, rest)) = names.split_first() else { return Some(self.at) };
        let in_object = match self.peek()? {
            b'{' => true,
            b'[' => false,
            _ => return None,
        };
        self.at += 1;
        for index in 0.. {
            self.space();
            if matches!(self.peek()?, b'}' | b']') {
                return None;
            }
            let begin = self.at;
            let found = if in_object {
                let key: String = serde_json::from_slice(self.string()?).ok()?;
                self.space();
                self.at += 1; // the colon
                key == *name
            } else {
                *name == index.to_string()
            };
            match (found, rest.is_empty()) {
                (true, true) => return Some(begin),
                (true, false) => return self.find(rest),
                (false, _) => self.skip()?,
            }
            self.space();
            if self.peek()? == b',' {
                self.at += 1;
            }
        }
        None
    }

    fn skip(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        self.space();
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth == 0 => return Some(()),
                b'}' | b']' => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' if depth == 0 => return Some(()),
                _ => self.at += 1,
            }
        }
    }

    /// Returns the string that comes next, quotes included, and goes behind it.
    fn string(&mut self) -> Option<&[u8]> {
        let begin = self.at;
        self.at += 1;
        while self.peek()? != b'"' {
            self.at += if self.peek()? == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        self.text.get(begin..self.at)
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::json_pointer::below;

    const TEXT: &str = r#"{
  "a": {"ä\"b": [1, {"c/d": "}"}], "skipped": "\\"},
  "e": [[], {}, "x"]
}"#;

    #[test]
    fn a_pointer_leads_to_the_name_or_the_item() {
        let at = |pointer: &str| locate(TEXT, pointer).map(|found| (found.line, found.column));
        assert_eq!(at(""), Some((1, 1)));
        assert_eq!(at("/a"), Some((2, 3)));
        assert_eq!(at("/a/ä\"b"), Some((2, 9)));
        assert_eq!(at("/a/ä\"b/1"), Some((2, 21)));
        assert_eq!(at("/a/ä\"b/1/c~1d"), Some((2, 22)));
        assert_eq!(at("/e/2"), Some((3, 17)));
        assert_eq!(at("/e/3"), None);
        assert_eq!(at("/b"), None);
    }

    #[test]
    fn a_name_with_a_slash_or_a_tilde_is_escaped() {
        assert!(locate(r#"{"c/d~":1}"#, &below("", "c/d~")).is_some());
    }
}
