//! One step of a path that can be written to.

use std::fmt;

use serde_json::Value;

/// A name or an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Name(String),
    /// Counts from the end if negative.
    Index(i64),
}

impl fmt::Display for Step {
    /// The normalised form of the JSONPath standard.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(out, "[{index}]"),
            // A JSON string is a JSONPath string.
            Self::Name(name) => write!(out, "[{}]", Value::from(name.as_str())),
        }
    }
}
