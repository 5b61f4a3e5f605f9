//! The library's messages in the service's words.
//!
//! The service uses the texts of the reference implementation. The library has its codes, but some texts differ.

use super::engine::Failure;

/// The names that the library gives to tokens, and their texts.
const TOKENS: [(&str, &str); 12] = [
    ("RightParen", "\")\""),
    ("LeftParen", "\"(\""),
    ("RightBracket", "\"]\""),
    ("LeftBracket", "\"[\""),
    ("RightBrace", "\"}\""),
    ("LeftBrace", "\"{\""),
    ("Comma", "\",\""),
    ("Colon", "\":\""),
    ("Semicolon", "\";\""),
    ("Dot", "\".\""),
    ("Percent", "\"%\""),
    ("Eof", "\"(end)\""),
];

/// Returns the parser's message as the service reports it: without a code.
pub(super) fn parser(message: &str) -> String {
    let message = message.split_once(": ").filter(|(code, _)| is_code(code)).map_or(message, |(_, text)| text);
    TOKENS.iter().fold(message.to_owned(), |message, (name, text)| {
        message.split(' ').map(|word| replaced(word, name, text)).collect::<Vec<_>>().join(" ")
    })
}

/// Returns a word with a token's name replaced, if the word is that name and perhaps a comma.
fn replaced(word: &str, name: &str, text: &str) -> String {
    match word.strip_prefix(name) {
        Some(rest @ ("" | ",")) => format!("{text}{rest}"),
        _ => word.to_owned(),
    }
}

fn is_code(text: &str) -> bool {
    text.len() == 5
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text[1..].bytes().all(|b| b.is_ascii_digit())
}

/// Returns the failure of an evaluation of `query`.
pub(super) fn evaluation(message: &str, query: &str) -> Failure {
    let Some((code, text)) = message.split_once(": ").filter(|(code, _)| is_code(code)) else {
        return Failure::Coded(message.to_owned());
    };
    let text = match code {
        "D1011" | "U1001" | "U1002" => return Failure::depth(),
        "D1012" | "U1003" => return Failure::time(),
        "D2015" | "D2014" => return Failure::memory(),
        "T1006" => "Attempted to invoke a non-function".to_owned(),
        "D3010" => "Second argument of replace function cannot be an empty string".to_owned(),
        "D3020" => "Third argument of split function must evaluate to a positive number".to_owned(),
        "D3030" => match text.strip_prefix("Cannot convert '").and_then(|text| text.strip_suffix("' to number")) {
            Some(value) => format!("Unable to cast value to a number: {}", serde_json::Value::from(value)),
            None => text.to_owned(),
        },
        "D3086" => "The sub-picture must not contain a passive character that is preceded by an active character and \
                    that is followed by another active character"
            .to_owned(),
        "D3138" => text.split(" (").next().unwrap_or(text).to_owned(),
        "T2001" | "T2002" => quoted_operator(text),
        "T0410" | "T0411" => argument(text, query).unwrap_or_else(|| text.to_owned()),
        "T0412" => {
            match text.strip_suffix(" must be an array of Number").and_then(|text| text.strip_prefix("Argument ")) {
                Some(at) => match called(query) {
                    Some(name) => format!("Argument {at} of function \"{name}\" must be an array of \"numbers\""),
                    None => format!("Argument {at} must be an array of \"numbers\""),
                },
                None => text.to_owned(),
            }
        }
        _ => text.to_owned(),
    };
    Failure::Coded(format!("{code}: {text}"))
}

/// Puts the operator in quotes: `The left side of the + operator must …`.
fn quoted_operator(text: &str) -> String {
    let parts = text.split_once(" of the ").zip(text.split_once(" operator "));
    match parts {
        Some(((side, _), (before, after))) => {
            let operator = before.rsplit(' ').next().unwrap_or_default();
            match operator.starts_with('"') {
                true => text.to_owned(),
                false => format!("{side} of the \"{operator}\" operator {after}"),
            }
        }
        None => text.to_owned(),
    }
}

/// Returns the text for an argument that does not have the type of the function's signature.
fn argument(text: &str, query: &str) -> Option<String> {
    let at = text.strip_prefix("Argument ")?.split(' ').next()?;
    at.parse::<usize>().ok()?;
    if text.contains("of function") {
        return None;
    }
    Some(format!("Argument {at} of function \"{}\" does not match function signature", called(query)?))
}

/// Returns the name of the function that a query calls, if it calls only one.
fn called(query: &str) -> Option<&str> {
    let calls = query.split('$').skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
        let (name, rest) = rest.split_at(end);
        (!name.is_empty() && rest.starts_with('(')).then_some(name)
    });
    let mut names: Vec<&str> = calls.collect();
    names.dedup();
    match names.as_slice() {
        [one] => Some(one),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_the_service() {
        for (message, query, cause) in [
            (
                "T2002: The right side of the + operator must evaluate to a number",
                "1 + {}",
                "T2002: The right side of the \"+\" operator must evaluate to a number",
            ),
            (
                "T0410: Argument 1 must be Function",
                "$each('x', function($v){$v})",
                "T0410: Argument 1 of function \"each\" does not match function signature",
            ),
            (
                "T0412: Argument 1 must be an array of Number",
                "$sum(['a'])",
                "T0412: Argument 1 of function \"sum\" must be an array of \"numbers\"",
            ),
            (
                "D3020: Third argument of split function must be a positive number",
                "$split('a','b',-1)",
                "D3020: Third argument of split function must evaluate to a positive number",
            ),
            ("D3030: Cannot convert 'x' to number", "$number('x')", "D3030: Unable to cast value to a number: \"x\""),
            (
                "T1006: Attempted to invoke a non-function: $nope",
                "$nope(1)",
                "T1006: Attempted to invoke a non-function",
            ),
        ] {
            assert_eq!(evaluation(message, query), Failure::Coded(cause.to_owned()), "{query}");
        }
        assert_eq!(evaluation("D1012: Evaluation timeout after 5 milliseconds.", "$f(1)"), Failure::time());
    }

    #[test]
    fn the_parser_s_messages_lose_their_codes() {
        for (message, cause) in [
            ("S0202: Expected RightBracket, got Comma", "Expected \"]\", got \",\""),
            ("S0207: Unexpected end of expression", "Unexpected end of expression"),
            ("Unclosed comment", "Unclosed comment"),
        ] {
            assert_eq!(parser(message), cause);
        }
    }
}
