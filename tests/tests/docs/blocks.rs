//! The fenced blocks of a Markdown page, and the comments that say how a block is run.
//!
//! A comment stands on the line above the fence; readers of the page do not see it:
//!
//! ```text
//! <!-- exits with 3 -->                    the commands end with this exit code instead of 0
//! <!-- file: settings.json -->             the block is the content of this file
//! <!-- in the background, on port 4599 --> the command keeps running; another port takes the place of this one
//! <!-- given: REASON -->                   the test puts something there that the page cannot make by itself
//! <!-- part of: tests/stage.py -->         the block is a part of this file, which another test runs
//! <!-- not run: REASON -->                 the block cannot be run by a test
//! ```

use std::fmt;

/// A fenced block.
#[derive(Clone, Debug)]
pub struct Block {
    /// The page, relative to the top of the repository.
    pub page: String,
    /// The line of the opening fence, counted from 1.
    pub line: usize,
    /// The info string: `sh`, `json`, …; empty if the fence has none.
    pub language: String,
    /// What the comment above it says.
    pub note: Note,
    /// The content.
    pub text: String,
}

/// How a block is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// As its language says; commands succeed.
    Plain,
    /// The commands end with this exit code.
    Exits(i32),
    /// The block is the content of this file.
    File(String),
    /// The command keeps running and listens on this port.
    Background(u16),
    /// The block is a part of this file of the repository, word for word. Another test runs the file.
    PartOf(String),
    /// The test prepares something first.
    Given,
    /// The block is not run, for this reason.
    NotRun(String),
}

impl Note {
    /// Reads a line above a fence; `None` if it is no such comment.
    fn read(line: &str) -> Option<Self> {
        let text = line.trim().strip_prefix("<!--")?.strip_suffix("-->")?.trim();
        if let Some(code) = text.strip_prefix("exits with ") {
            return code.parse().ok().map(Self::Exits);
        }
        if let Some(port) = text.strip_prefix("in the background, on port ") {
            return port.parse().ok().map(Self::Background);
        }
        let (kind, rest) = text.split_once(": ")?;
        match kind {
            "file" => Some(Self::File(rest.to_owned())),
            "part of" => Some(Self::PartOf(rest.to_owned())),
            "given" => Some(Self::Given),
            "not run" => Some(Self::NotRun(rest.to_owned())),
            _ => None,
        }
    }
}

impl Block {
    /// The file that the block is the content of: named by the comment above it, or by a comment in its first line.
    pub fn file(&self) -> Option<&str> {
        if let Note::File(name) = &self.note {
            return Some(name);
        }
        let first = self.text.lines().next()?;
        let name = first.strip_prefix("# ").or_else(|| first.strip_prefix("// "))?;
        (matches!(self.language.as_str(), "toml" | "rust") && name.contains('.') && !name.contains(' ')).then_some(name)
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.page, self.line)
    }
}

/// All fenced blocks of a page, in order.
///
/// Errors: if a block has no end, or a comment that looks like a note cannot be read.
pub fn blocks(page: &str, markdown: &str) -> Result<Vec<Block>, String> {
    let mut found = Vec::new();
    let mut above = "";
    let mut lines = markdown.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            above = line;
            continue;
        };
        let note = match Note::read(above) {
            Some(note) => note,
            None if above.trim_start().starts_with("<!--") => {
                return Err(format!("{page}:{number}: no note that this test knows: {above}"));
            }
            None => Note::Plain,
        };
        let mut text = String::new();
        loop {
            match lines.next() {
                Some((_, "```")) => break,
                Some((_, line)) => {
                    text.push_str(line);
                    text.push('\n');
                }
                None => return Err(format!("{page}:{}: the block has no end", number + 1)),
            }
        }
        above = "";
        found.push(Block { page: page.to_owned(), line: number + 1, language: language.trim().to_owned(), note, text });
    }
    Ok(found)
}

#[test]
fn a_block_has_its_language_its_line_and_the_note_above_it() -> Result<(), String> {
    let page = "text\n\n<!-- exits with 3 -->\n```sh\nfalse\n```\n\n```rust\n// src/lib.rs\nfn f() {}\n```\n\
                <!-- part of: a/b.js -->\n```js\nf();\n```\n";
    let found = blocks("page.md", page)?;
    let shown: Vec<_> = found.iter().map(|b| (b.to_string(), b.language.as_str(), b.note.clone(), b.file())).collect();
    assert_eq!(
        shown,
        [
            ("page.md:4".to_owned(), "sh", Note::Exits(3), None),
            ("page.md:8".to_owned(), "rust", Note::Plain, Some("src/lib.rs")),
            ("page.md:13".to_owned(), "js", Note::PartOf("a/b.js".into()), None),
        ]
    );
    assert!(blocks("page.md", "<!-- exits maybe -->\n```sh\n```\n").is_err(), "a misspelt note is an error");
    assert!(blocks("page.md", "```sh\n").is_err(), "a block without an end is an error");
    Ok(())
}
