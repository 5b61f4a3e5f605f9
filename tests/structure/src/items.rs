//! What one file says: its items, imports and paths, and the modules within it.

use std::collections::BTreeMap;

use crate::tokens::{Kind, Token, attribute, closing};

/// `use path as name`.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    pub(crate) path: Vec<String>,
    /// The name in this module; none for `*`.
    pub(crate) name: Option<String>,
    pub(crate) line: usize,
    pub(crate) public: bool,
}

/// `mod name`.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) public: bool,
    pub(crate) line: usize,
    /// `#[path = "…"]`
    pub(crate) path: Option<String>,
    /// The content, unless it is in a file of its own.
    pub(crate) body: Option<Items>,
}

/// What is defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// A struct, an enum or a trait.
    Type,
    Other,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    pub(crate) sort: Sort,
    pub(crate) public: bool,
    pub(crate) line: usize,
}

/// The content of one module.
#[derive(Debug, Default)]
pub(crate) struct Items {
    pub(crate) modules: Vec<Declared>,
    pub(crate) items: BTreeMap<String, Item>,
    pub(crate) uses: Vec<Use>,
    /// Paths of two names and more, with their lines.
    pub(crate) paths: Vec<(Vec<String>, usize)>,
    /// Every single word, for imports by `*`.
    pub(crate) words: Vec<(String, usize)>,
}

const DEFINES: [&str; 8] = ["fn", "struct", "enum", "trait", "type", "const", "static", "union"];

/// Reads a module's tokens.
pub(crate) fn items(tokens: &[Token]) -> Items {
    let mut reader = Reader { tokens, at: 0, depth: 0, found: Items::default(), path: None };
    while reader.at < tokens.len() {
        reader.next();
    }
    reader.found
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: usize,
    found: Items,
    /// The `#[path]` that was read last.
    path: Option<String>,
}

impl Reader<'_> {
    fn token(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead)
    }

    fn word(&self, ahead: usize) -> Option<&str> {
        self.token(ahead).filter(|token| token.kind == Kind::Word).map(|token| token.text.as_str())
    }

    fn mark(&self, ahead: usize, mark: &str) -> bool {
        self.token(ahead).is_some_and(|token| token.is(mark))
    }

    fn before(&self, is: impl Fn(&Token) -> bool) -> bool {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).is_some_and(is)
    }

    /// Whether the words before are `pub` and those that may stand between it and a definition.
    fn public(&self) -> bool {
        let words = ["unsafe", "async", "const", "extern"];
        let before = self.tokens[..self.at].iter().rev();
        before
            .into_iter()
            .find(|token| !words.iter().any(|word| token.is_word(word)))
            .is_some_and(|token| token.is_word("pub"))
    }

    fn next(&mut self) {
        if let Some(end) = attribute(self.tokens, self.at) {
            let inside = &self.tokens[self.at..end];
            if inside.get(2).is_some_and(|token| token.is_word("path")) {
                self.path = inside.iter().find(|token| token.kind == Kind::Text).map(|token| token.text.clone());
            }
            self.at = end + 1;
            return;
        }
        match (self.word(0), self.word(1)) {
            (Some("use"), _) if !self.mark(1, "<") => return self.import(),
            (Some("mod"), Some(_)) if self.mark(2, ";") || self.mark(2, "{") => return self.module(),
            (Some(word), Some(_)) if self.depth == 0 && DEFINES.contains(&word) => self.define(),
            (Some("macro_rules"), None) => self.define_macro(),
            _ => {}
        }
        if self.word(0).is_some() && !self.before(|token| token.is("::") || token.is(".")) {
            self.path();
        }
        if self.mark(0, "{") || self.mark(0, "(") || self.mark(0, "[") {
            self.depth += 1;
        } else if self.mark(0, "}") || self.mark(0, ")") || self.mark(0, "]") {
            self.depth = self.depth.saturating_sub(1);
        }
        self.at += 1;
    }

    fn define(&mut self) {
        let (Some(word), Some(name)) = (self.word(0), self.word(1)) else { return };
        // `const fn f`, `static mut X`, and the like.
        if word == "const" && DEFINES.contains(&name) || ["unsafe", "async", "extern"].contains(&name) {
            return;
        }
        let name = if name == "mut" { self.word(2).unwrap_or(name) } else { name };
        let sort = if ["struct", "enum", "trait"].contains(&word) { Sort::Type } else { Sort::Other };
        let line = self.tokens[self.at].line;
        let item = Item { sort, public: self.public(), line };
        self.found.items.insert(name.to_owned(), item);
    }

    fn define_macro(&mut self) {
        if let Some(name) = self.word(2).filter(|_| self.mark(1, "!")) {
            let item = Item { sort: Sort::Other, public: false, line: self.tokens[self.at].line };
            self.found.items.insert(name.to_owned(), item);
        }
    }

    fn path(&mut self) {
        let line = self.tokens[self.at].line;
        let mut path: Vec<String> = self.word(0).map(str::to_owned).into_iter().collect();
        let mut ahead = 1;
        while let Some(name) = self.word(ahead + 1).filter(|_| self.mark(ahead, "::")) {
            path.push(name.to_owned());
            ahead += 2;
        }
        match path.len() {
            1 => self.found.words.extend(path.pop().map(|word| (word, line))),
            _ => self.found.paths.push((path, line)),
        }
    }

    fn module(&mut self) {
        let (public, line) = (self.public(), self.tokens[self.at].line);
        let name = self.word(1).unwrap_or_default().to_owned();
        let path = self.path.take();
        let body = self.mark(2, "{").then(|| {
            let end = closing(self.tokens, self.at + 2);
            let body = items(&self.tokens[self.at + 3..end]);
            self.at = end - 2;
            body
        });
        self.at += 3;
        self.found.modules.push(Declared { name, public, line, path, body });
    }

    fn import(&mut self) {
        let public = self.public();
        self.at += 1;
        self.import_tree(&[], public);
    }

    /// Reads one tree of a `use`, which is to be put behind `prefix`.
    fn import_tree(&mut self, prefix: &[String], public: bool) {
        let mut path = prefix.to_vec();
        while let Some(token) = self.token(0).cloned() {
            if token.is("{") {
                self.at += 1;
                while self.token(0).is_some() && !self.mark(0, "}") {
                    self.import_tree(&path, public);
                    self.at += usize::from(self.mark(0, ","));
                }
                self.at += 1;
                return;
            }
            self.at += 1;
            if token.is("::") {
                continue;
            }
            if token.is("*") {
                return self.found.uses.push(Use { path, name: None, line: token.line, public });
            }
            if token.text != "self" || path.is_empty() {
                path.push(token.text);
            }
            if self.mark(0, "::") {
                continue;
            }
            let mut name = path.last().cloned();
            if self.token(0).is_some_and(|token| token.is_word("as")) {
                name = self.word(1).map(str::to_owned);
                self.at += 2;
            }
            return self.found.uses.push(Use { path, name, line: token.line, public });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::tokens;

    fn read(source: &str) -> Items {
        items(&tokens(source))
    }

    #[test]
    fn imports_are_taken_apart() {
        let found = read("pub use a::{self, b::C as D, e::{F, g::*}}; use super::H as _; use self::i::J;");
        let uses: Vec<_> =
            found.uses.iter().map(|import| (import.path.join("::"), import.name.as_deref(), import.public)).collect();
        let expected = [
            ("a", Some("a"), true),
            ("a::b::C", Some("D"), true),
            ("a::e::F", Some("F"), true),
            ("a::e::g", None, true),
            ("super::H", Some("_"), false),
            ("self::i::J", Some("J"), false),
        ];
        assert_eq!(uses, expected.map(|(path, name, public)| (path.to_owned(), name, public)));
    }

    #[test]
    fn items_are_those_of_the_module_and_not_of_its_blocks() {
        let found = read(
            "pub struct A; pub(crate) enum B { X } pub const fn c() { fn not() {} } static mut D: u8 = 0; \
             impl A { pub fn not() {} } pub unsafe fn e() {} macro_rules! f { () => {} } pub async fn g() {}",
        );
        let names: Vec<_> = found.items.iter().map(|(name, item)| (name.as_str(), item.public)).collect();
        let expected = [("A", true), ("B", false), ("D", false), ("c", true), ("e", true), ("f", false), ("g", true)];
        assert_eq!(names, expected);
    }

    #[test]
    fn paths_are_read_wherever_they_stand() {
        let found = read("fn f(x: &dyn a::B) -> c::D<e::F> { g::h::<i::J>(x.k); $crate::l!(); <m::N as o::P>::q() }");
        let paths: Vec<_> = found.paths.iter().map(|(path, _)| path.join("::")).collect();
        assert_eq!(paths, ["a::B", "c::D", "e::F", "g::h", "i::J", "crate::l", "m::N", "o::P"]);
    }

    #[test]
    fn modules_have_a_body_or_a_file() {
        let found = read("pub mod a; mod b { pub struct C; } #[path = \"x.rs\"] mod d;");
        let [a, b, d] = &found.modules[..] else { panic!("{found:?}") };
        assert!(a.public && a.body.is_none() && !b.public && d.path.as_deref() == Some("x.rs"));
        assert!(b.body.as_ref().is_some_and(|body| body.items.contains_key("C")));
    }
}
