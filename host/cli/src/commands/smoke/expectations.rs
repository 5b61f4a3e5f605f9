//! What was expected, and what was found.

use anyhow::Result;
use serde::Serialize;

use crate::console::table;

/// One expectation.
#[derive(Clone, Debug, Serialize)]
pub struct Expectation {
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
    /// Adds an expectation that holds if `found` is no error.
    pub fn add(&mut self, about: &'static str, expected: impl Into<String>, found: Result<String>) {
        let (found, passed) = match found {
            Ok(found) => (found, true),
            Err(error) => (format!("{error:#}"), false),
        };
        self.0.push(Expectation { about, expected: expected.into(), found, passed });
    }

    /// Returns whether everything is as expected. Nothing looked at is not.
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

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn one_expectation_that_fails_fails_the_whole_and_nothing_looked_at_is_no_success() {
        let mut expectations = Expectations::default();
        assert!(!expectations.passed());
        expectations.add("good", "SUCCEEDED", Ok("SUCCEEDED".into()));
        assert!(expectations.passed());
        expectations.add("good", "a callback", Err(anyhow!("the backend answered with 500").context("no callback")));
        assert!(!expectations.passed());
        let table = expectations.table();
        assert!(table.contains("FAILED") && table.contains("no callback: the backend answered with 500"), "{table}");
    }
}
