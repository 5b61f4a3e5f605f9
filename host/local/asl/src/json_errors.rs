//! Why a text is not JSON, in the words of the service, which reads it with Jackson.

/// The longest part of the text that is quoted, in characters.
const MOST_QUOTED: usize = 500;

/// What the scanner expects next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Value,
    /// A value, or the end of an array that is empty.
    FirstValue,
    Name,
    /// A name, or the end of an object that is empty.
    FirstName,
    Colon,
    /// A comma, or the end of the object or array.
    More,
}

/// The place of a character, counted from 1.
#[derive(Clone, Copy)]
struct Place {
    line: usize,
    column: usize,
}

/// Returns the message and the place of the first error. `otherwise` is the message for what Jackson has no words for
/// here.
pub(crate) fn describe(text: &str, otherwise: &str) -> (String, String) {
    let (problem, place) = first_error(text).unwrap_or_else(|| (otherwise.to_owned(), end(text)));
    let source = source(text, place);
    (format!("{problem}\n at {source}"), source)
}

/// Returns why a text is not JSON, without the place, in the service's words; `None` if it has none for it here.
pub fn json_problem(text: &str) -> Option<String> {
    first_error(text).map(|(problem, _)| problem)
}

/// Writes a place as Jackson does.
fn source(text: &str, Place { line, column }: Place) -> String {
    let length = text.chars().count();
    let quoted: String = text.chars().take(MOST_QUOTED).collect();
    let cut = match length > MOST_QUOTED {
        true => format!("[truncated {} chars]", length - MOST_QUOTED),
        false => String::new(),
    };
    format!("[Source: (String)\"{quoted}\"{cut}; line: {line}, column: {column}]")
}

/// Returns the place after the last character.
fn end(text: &str) -> Place {
    let line = text.matches('\n').count() + 1;
    Place { line, column: text.chars().rev().take_while(|c| *c != '\n').count() + 1 }
}

fn first_error(text: &str) -> Option<(String, Place)> {
    let characters: Vec<char> = text.chars().collect();
    let mut places = Vec::with_capacity(characters.len() + 1);
    let mut place = Place { line: 1, column: 1 };
    for c in &characters {
        places.push(place);
        place = match c {
            '\n' => Place { line: place.line + 1, column: 1 },
            _ => Place { line: place.line, column: place.column + 1 },
        };
    }
    places.push(place);
    let after = |at: usize| places.get(at + 1).or(places.last()).copied();
    // The open objects (true) and arrays (false), and where they begin.
    let mut open: Vec<(bool, usize)> = Vec::new();
    let mut expected = Expected::Value;
    let mut at = 0;
    while let Some(&c) = characters.get(at) {
        if matches!(c, ' ' | '\t' | '\n' | '\r') {
            at += 1;
            continue;
        }
        if c < ' ' {
            let code = u32::from(c);
            let problem = format!(
                "Illegal character ((CTRL-CHAR, code {code})): only regular white space (\\r, \\n, \\t) is allowed between \
                 tokens"
            );
            return Some((problem, after(at)?));
        }
        let (inside_object, _) = open.last().copied().unwrap_or((false, 0));
        let unexpected = |what: &str| {
            let code = u32::from(c);
            Some((format!("Unexpected character ('{c}' (code {code})): {what}"), after(at)?))
        };
        match (expected, c) {
            (Expected::FirstName | Expected::More, '}') if inside_object => {
                open.pop();
                expected = Expected::More;
            }
            (Expected::FirstValue | Expected::More, ']') if !inside_object && !open.is_empty() => {
                open.pop();
                expected = Expected::More;
            }
            (Expected::More, _) if open.is_empty() => return None,
            (Expected::More, ',') => expected = if inside_object { Expected::Name } else { Expected::Value },
            (Expected::More, _) => {
                let kind = if inside_object { "Object" } else { "Array" };
                return unexpected(&format!("was expecting comma to separate {kind} entries"));
            }
            (Expected::Colon, ':') => expected = Expected::Value,
            (Expected::Colon, _) => {
                return unexpected("was expecting a colon to separate field name and value");
            }
            (Expected::Name | Expected::FirstName, '"') | (Expected::Value | Expected::FirstValue, '"') => {
                let named = matches!(expected, Expected::Name | Expected::FirstName);
                let Some(closed) = string_end(&characters, at) else {
                    let problem = match named {
                        true => "Unexpected end-of-input in field name",
                        false => "Unexpected end-of-input: was expecting closing quote for a string value",
                    };
                    return Some((problem.to_owned(), *places.last()?));
                };
                at = closed;
                expected = if named { Expected::Colon } else { Expected::More };
            }
            (Expected::Name | Expected::FirstName, _) => {
                return unexpected("was expecting double-quote to start field name");
            }
            (_, '{') => {
                open.push((true, at));
                expected = Expected::FirstName;
            }
            (_, '[') => {
                open.push((false, at));
                expected = Expected::FirstValue;
            }
            (_, c) if c.is_alphabetic() || c == '_' || c == '$' => {
                let rest = characters.get(at..)?;
                let token: String = rest.iter().take_while(|c| c.is_alphanumeric() || "_$".contains(**c)).collect();
                if !["true", "false", "null"].contains(&token.as_str()) {
                    let place = places.get(at + token.chars().count())?;
                    let problem = format!(
                        "Unrecognized token '{token}': was expecting (JSON String, Number, Array, Object or token 'null', \
                         'true' or 'false')"
                    );
                    return Some((problem, *place));
                }
                at += token.chars().count() - 1;
                expected = Expected::More;
            }
            (_, c) if c == '-' || c.is_ascii_digit() => {
                let rest = characters.get(at + 1..)?;
                at += rest.iter().take_while(|c| c.is_ascii_digit() || "+-.eE".contains(**c)).count();
                expected = Expected::More;
            }
            _ => {
                return unexpected(
                    "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
                );
            }
        }
        at += 1;
    }
    let (is_object, begun) = open.last().copied()?;
    let kind = if is_object { "Object" } else { "Array" };
    let marker = source(text, *places.get(begun)?);
    let problem = format!("Unexpected end-of-input: expected close marker for {kind} (start marker at {marker})");
    Some((problem, *places.last()?))
}

/// Returns the position of the quote that ends the string which begins at a position.
fn string_end(characters: &[char], begun: usize) -> Option<usize> {
    let mut at = begun + 1;
    loop {
        match characters.get(at)? {
            '"' => return Some(at),
            '\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_jackson_s_words_and_place() {
        for (text, problem, line, column) in [
            (
                "not a definition",
                "Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or \
                 'false')",
                1,
                4,
            ),
            (
                "{\"a\" 1}",
                "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value",
                1,
                7,
            ),
            (
                "{\"a\": 1\n \"b\": 2}",
                "Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries",
                2,
                3,
            ),
            (
                "{\"a\": 1,}",
                "Unexpected character ('}' (code 125)): was expecting double-quote to start field name",
                1,
                10,
            ),
            (
                "{\"a\": [1, 2",
                "Unexpected end-of-input: expected close marker for Array (start marker at [Source: (String)\"{\"a\": [1, \
                 2\"; line: 1, column: 7])",
                1,
                12,
            ),
            (
                "\u{1}",
                "Illegal character ((CTRL-CHAR, code 1)): only regular white space (\\r, \\n, \\t) is allowed between tokens",
                1,
                2,
            ),
            (
                "{\"a\": tru\\u0000",
                "Unrecognized token 'tru': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or \
                 'false')",
                1,
                10,
            ),
            ("{} x", "something else", 1, 5),
        ] {
            let source = format!("[Source: (String)\"{text}\"; line: {line}, column: {column}]");
            assert_eq!(describe(text, "something else"), (format!("{problem}\n at {source}"), source));
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        let (message, _) = describe(&"x".repeat(600), "");
        assert!(message.contains("[truncated 100 chars]; line: 1, column: 601]"), "{message}");
    }
}
