//! Source text as tokens, without comments; and without what is compiled for tests only.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier or keyword.
    Word,
    /// The content of a string.
    Text,
    /// Punctuation: `::`, or one character.
    Mark,
}

/// A piece of the source.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl Token {
    pub(crate) fn is(&self, mark: &str) -> bool {
        self.kind == Kind::Mark && self.text == mark
    }

    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text == word
    }

    fn opens(&self) -> bool {
        self.is("(") || self.is("[") || self.is("{")
    }

    fn closes(&self) -> bool {
        self.is(")") || self.is("]") || self.is("}")
    }
}

/// Splits source text. Numbers, characters and lifetimes are left out: no path is in them.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer { rest: source, line: 1, found: Vec::new() };
    while !lexer.rest.is_empty() {
        lexer.next();
    }
    lexer.found
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    found: Vec<Token>,
}

impl Lexer<'_> {
    /// Moves on by so many bytes.
    fn skip(&mut self, bytes: usize) {
        let (skipped, rest) = self.rest.split_at(bytes);
        self.line += skipped.matches('\n').count();
        self.rest = rest;
    }

    fn push(&mut self, kind: Kind, text: &str) {
        self.found.push(Token { kind, text: text.to_owned(), line: self.line });
    }

    fn next(&mut self) {
        let rest = self.rest;
        let first = rest.chars().next().unwrap_or(' ');
        if rest.starts_with("//") {
            self.skip(rest.find('\n').unwrap_or(rest.len()));
        } else if rest.starts_with("/*") {
            self.skip(block_comment(rest));
        } else if let Some((quote, end)) = string(rest) {
            self.push(Kind::Text, rest[quote..end].trim_end_matches('#').trim_end_matches('"'));
            self.skip(end);
        } else if first == '\'' || rest.starts_with("b'") {
            self.skip(quoted_or_lifetime(rest));
        } else if first.is_alphabetic() || first == '_' {
            let word = rest.strip_prefix("r#").unwrap_or(rest);
            let length = word_length(word);
            self.push(Kind::Word, &word[..length]);
            self.skip(rest.len() - word.len() + length);
        } else if first.is_ascii_digit() {
            self.skip(word_length(rest));
        } else if rest.starts_with("::") {
            self.push(Kind::Mark, "::");
            self.skip(2);
        } else {
            if !first.is_whitespace() {
                self.push(Kind::Mark, &rest[..first.len_utf8()]);
            }
            self.skip(first.len_utf8());
        }
    }
}

fn word_length(text: &str) -> usize {
    text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len())
}

/// The length of a block comment, which may hold others.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        let rest = &text[at..];
        if rest.is_empty() {
            return at;
        }
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
}

/// Where the content of a string at the beginning of the text starts, and where the string ends.
fn string(text: &str) -> Option<(usize, usize)> {
    let prefix = text.find(|letter: char| !matches!(letter, 'b' | 'c' | 'r'))?;
    let (before, rest) = text.split_at(prefix);
    if before.len() > 2 {
        return None;
    }
    let hashes = if before.ends_with('r') { rest.len() - rest.trim_start_matches('#').len() } else { 0 };
    let content = rest[hashes..].strip_prefix('"')?;
    let start = prefix + hashes + 1;
    if before.ends_with('r') {
        let end = format!("\"{}", "#".repeat(hashes));
        let length = content.find(&end).map_or(content.len(), |at| at + end.len());
        return Some((start, start + length));
    }
    let mut escaped = false;
    for (at, letter) in content.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some((start, start + at + 1)),
            _ => {}
        }
    }
    Some((start, text.len()))
}

/// The length of a character in quotes, or of a lifetime's quote.
fn quoted_or_lifetime(text: &str) -> usize {
    let prefix = usize::from(text.starts_with('b'));
    let content = &text[prefix + 1..];
    let mut letters = content.char_indices();
    match (letters.next(), letters.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let from = at + escaped.len_utf8();
            content[from..].find('\'').map_or(text.len(), |end| prefix + 1 + from + end + 1)
        }
        (Some(_), Some((at, '\''))) => prefix + 1 + at + 1,
        _ => prefix + 1 + word_length(content),
    }
}

/// The place of the bracket that closes the one at `open`.
pub(crate) fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        if token.opens() {
            depth += 1;
        } else if token.closes() {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        }
    }
    tokens.len().saturating_sub(1)
}

/// The place of the last token of an attribute that begins here.
pub(crate) fn attribute(tokens: &[Token], at: usize) -> Option<usize> {
    let open = at + 1 + usize::from(tokens.get(at + 1)?.is("!"));
    (tokens[at].is("#") && tokens.get(open)?.is("[")).then(|| closing(tokens, open))
}

/// Leaves out every item, field and statement under `#[cfg(test)]` or `#[cfg(all(test, …))]`.
pub(crate) fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let Some(end) = attribute(&tokens, at) else {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        };
        if is_for_tests(&tokens[at..=end]) {
            at = end_of_item(&tokens, end + 1);
        } else {
            kept.extend_from_slice(&tokens[at..=end]);
            at = end + 1;
        }
    }
    kept
}

fn is_for_tests(attribute: &[Token]) -> bool {
    let text: String = attribute.iter().map(|token| token.text.as_str()).collect();
    text == "#[cfg(test)]" || (text.starts_with("#[cfg(all(test") && !text.contains("not("))
}

/// The place behind an item that begins here, with further attributes before it.
fn end_of_item(tokens: &[Token], mut at: usize) -> usize {
    while let Some(end) = tokens.get(at).and_then(|_| attribute(tokens, at)) {
        at = end + 1;
    }
    let first = tokens[at..].iter().find(|token| !is_visibility(token));
    let to_semicolon = first.is_some_and(|token| ["use", "const", "static"].iter().any(|word| token.is_word(word)));
    while let Some(token) = tokens.get(at) {
        if token.opens() {
            let block = token.is("{");
            at = closing(tokens, at) + 1;
            if block && !to_semicolon {
                return at;
            }
        } else if token.closes() {
            return at;
        } else if token.is(";") || token.is(",") {
            return at + 1;
        } else {
            at += 1;
        }
    }
    at
}

fn is_visibility(token: &Token) -> bool {
    ["pub", "crate", "super", "in"].iter().any(|word| token.is_word(word)) || token.is("(") || token.is(")")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<String> {
        let words = without_tests(tokens(source)).into_iter().filter(|token| token.kind == Kind::Word);
        words.map(|token| token.text).collect()
    }

    #[test]
    fn comments_strings_characters_and_lifetimes_hold_no_words() {
        let source = r####"
            a /* x /* y */ z */ b // c
            "x \" y" c r"x\" d r#"x " y"# e b"x" f 'x' '\'' '\u{1F600}' g b'x' h 1_000u64 0x1f
        "####;
        assert_eq!(words(source), ["a", "b", "c", "d", "e", "f", "g", "h"]);
        assert_eq!(words("fn f<'a>(x: &'a str, y: &'static u8)"), ["fn", "f", "x", "str", "y", "u8"]);
        assert_eq!(words("r#type b r"), ["type", "b", "r"]);
    }

    #[test]
    fn lines_are_counted_across_comments_and_strings() {
        let found = tokens("a\n/* \n */ \"\n\" b");
        assert_eq!(found.iter().map(|token| token.line).collect::<Vec<_>>(), [1, 3, 4]);
    }

    #[test]
    fn what_is_compiled_for_tests_only_is_left_out() {
        for item in
            ["mod x;", "mod x { fn y() {} }", "use x::{y, z};", "#[path = \"x\"] mod x;", "const X: &[u8] = &{ x };"]
        {
            assert_eq!(words(&format!("a #[cfg(test)] {item} b")), ["a", "b"], "{item}");
        }
        assert_eq!(words("#[cfg(all(test, unix))] fn x() -> [u8; 1] { y } b"), ["b"]);
        assert_eq!(words("struct A { #[cfg(test)] x: (u8, u8), b: C }"), ["struct", "A", "b", "C"]);
        assert_eq!(words("#[cfg(not(test))] mod a;"), ["cfg", "not", "test", "mod", "a"]);
    }
}
