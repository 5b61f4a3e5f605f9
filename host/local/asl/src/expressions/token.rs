//! One step of a path that can be written to.

use std::fmt;

/// A name or an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Name(String),
    /// Counts from the end if negative.
    Index(i64),
}

impl fmt::Display for Step {
    /// The name or the index alone, as causes have it.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(out, "{index}"),
            Self::Name(name) => out.write_str(name),
        }
    }
}
