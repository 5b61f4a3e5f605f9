//! What is wrong, where, and what to do about it.

use std::fmt;

use serde::Serialize;

/// The kinds of findings. Their names are stable, so that scripts can tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The definition itself is not valid.
    Definition,
    /// A state without a pin, a pin without a state.
    Pin,
    /// What the host needs to know of the execution does not reach it.
    Envelope,
    /// A task token where none is waited for, or none where one is.
    Token,
    /// A path reads what is not there, or not always.
    Path,
    /// A value of another type than is asked for.
    Type,
    /// `IsPresent` of something that nobody writes.
    NeverPresent,
    /// The host is given a document that it does not know.
    Document,
    /// A task gives up before its stage does.
    Timeout,
    /// What cannot get better is tried again.
    Retry,
    /// A failure that nothing catches.
    Catch,
    /// An end of which nobody is told.
    Untold,
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Definition => "definition",
            Self::Pin => "pin",
            Self::Envelope => "envelope",
            Self::Token => "token",
            Self::Path => "path",
            Self::Type => "type",
            Self::NeverPresent => "never-present",
            Self::Document => "document",
            Self::Timeout => "timeout",
            Self::Retry => "retry",
            Self::Catch => "catch",
            Self::Untold => "untold",
        })
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The state; the innermost one around the place.
    pub state: Option<String>,
    /// A JSON pointer into the state machine, or into the pins (`pins:/states/…`).
    pub place: String,
    /// Which kind it is.
    pub kind: Kind,
    /// The path or field that it is about.
    pub subject: String,
    /// One sentence.
    pub problem: String,
    /// The next step.
    pub fix: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.as_deref().unwrap_or("the state machine");
        writeln!(out, "✗ {state}: {} ({})", self.subject, self.kind)?;
        writeln!(out, "    at {}", self.place)?;
        writeln!(out, "    {}", self.problem)?;
        write!(out, "    fix: {}", self.fix)
    }
}

/// Collects findings. The same place is reached in many ways, so a subject is told once a place.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Notes a finding, unless it is known.
    pub fn add(&mut self, finding: Finding) {
        let same = |known: &Finding| {
            (known.kind, &known.place, &known.subject) == (finding.kind, &finding.place, &finding.subject)
        };
        if !self.0.iter().any(same) {
            self.0.push(finding);
        }
    }

    /// All of them, sorted by place.
    pub fn finish(mut self) -> Vec<Finding> {
        self.0.sort_by(|a, b| (&a.place, a.kind, &a.subject).cmp(&(&b.place, b.kind, &b.subject)));
        self.0
    }
}

/// A JSON pointer's step.
pub fn below(pointer: &str, step: impl fmt::Display) -> String {
    format!("{pointer}/{}", step.to_string().replace('~', "~0").replace('/', "~1"))
}
