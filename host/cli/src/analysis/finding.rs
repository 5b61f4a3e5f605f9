//! Findings: the problem, its place, and the fix.

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
    /// A field that the host needs is missing from its call.
    Envelope,
    /// A task token where the state does not wait for one, or no token where it does.
    Token,
    /// A path finds nothing, or not always something.
    Path,
    /// A value of the wrong type.
    Type,
    /// `IsPresent` of a field that no state writes.
    NeverPresent,
    /// The host gets a document that it does not know.
    Document,
    /// A task whose timeout is shorter than its stage's.
    Timeout,
    /// A Retry of an error that stays.
    Retry,
    /// A failure that nothing catches.
    Catch,
    /// An end that reaches neither the backend nor the dead-letter queue.
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

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The innermost state around the place.
    pub state: Option<String>,
    /// A JSON pointer into the state machine, or into the pins (`pins:/states/…`).
    pub place: String,
    /// Its kind.
    pub kind: Kind,
    /// The path or field.
    pub subject: String,
    /// The problem, in one sentence.
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

/// Collects findings. The analysis reaches a place in many ways, but reports a subject there once.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Adds a finding, unless it is known.
    pub fn add(&mut self, finding: Finding) {
        let same = |known: &Finding| {
            (known.kind, &known.place, &known.subject) == (finding.kind, &finding.place, &finding.subject)
        };
        if !self.0.iter().any(same) {
            self.0.push(finding);
        }
    }

    /// Returns all findings, sorted by place.
    pub fn finish(mut self) -> Vec<Finding> {
        self.0.sort_by(|a, b| (&a.place, a.kind, &a.subject).cmp(&(&b.place, b.kind, &b.subject)));
        self.0
    }
}
