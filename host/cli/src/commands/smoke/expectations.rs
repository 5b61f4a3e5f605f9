//! What was expected, and what was found.

use anyhow::Result;
use serde::Serialize;

use crate::output::table;

/// What is expected of a deployed stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Expected {
    /// An execution ends as it should.
    End,
    /// The backend takes the callback.
    Callback,
    /// The files that failed are counted.
    Counts,
    /// Thumbnails and archives are as the output says.
    Files,
    /// Uploads have the tag that brings them to Glacier.
    Tags,
    /// The execution is in the batch's trace.
    Trace,
    /// A transcoding job that fails costs its own film only.
    FailedJob,
    /// A host that dies is called again.
    KilledHost,
    /// What no state can catch, and what nobody can read, is kept.
    DeadLetters,
    /// Alarms go off, and notify somebody.
    Alarms,
    /// Failures are metrics.
    Metrics,
    /// Nothing of the run is left.
    NothingLeft,
}

/// One expectation.
#[derive(Clone, Debug, Serialize)]
pub struct Expectation {
    kind: Expected,
    /// The batch, or what else was looked at.
    about: &'static str,
    /// What was expected.
    expected: String,
    /// What was found, or why nothing was.
    found: String,
    /// Whether it is as expected.
    passed: bool,
}

/// All expectations of a run.
#[derive(Debug, Default)]
pub struct Expectations(Vec<Expectation>);

impl Expectations {
    /// Adds an expectation that holds if `found` is not an error.
    pub fn add(&mut self, kind: Expected, about: &'static str, expected: impl Into<String>, found: Result<String>) {
        let (found, passed) = match found {
            Ok(found) => (found, true),
            Err(error) => (format!("{error:#}"), false),
        };
        self.0.push(Expectation { kind, about, expected: expected.into(), found, passed });
    }

    /// Returns whether there are expectations, and all of them hold.
    pub fn passed(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|expectation| expectation.passed)
    }

    /// Returns all, in the order in which they were added.
    pub fn rows(&self) -> &[Expectation] {
        &self.0
    }

    /// Returns them as a table.
    pub fn table(&self) -> String {
        let mut table = table::table(&["Batch", "", "Expected", "Found"]);
        for expectation in &self.0 {
            let passed = if expectation.passed { "ok" } else { "FAILED" };
            table.add_row([expectation.about, passed, &expectation.expected, &expectation.found]);
        }
        table::text(table)
    }
}

/// Returns texts in one line; `none` if there are none.
pub fn listed(texts: &[String]) -> String {
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn one_expectation_that_fails_fails_the_whole_and_nothing_looked_at_is_not_a_success() {
        let mut expectations = Expectations::default();
        assert!(!expectations.passed());
        expectations.add(Expected::End, "good", "SUCCEEDED", Ok("SUCCEEDED".into()));
        assert!(expectations.passed());
        let refused = anyhow!("the backend answered with 500").context("no callback");
        expectations.add(Expected::Callback, "good", "a callback", Err(refused));
        expectations.add(Expected::Tags, "good", "a tag", Ok("lifecycle=raw".into()));
        assert!(!expectations.passed());
        let table = expectations.table();
        assert!(table.contains("FAILED") && table.contains("no callback: the backend answered with 500"), "{table}");
    }
}
