//! Errors of a document as a whole.

use serde_json::Value;

use crate::failure::{Case, Failure};
use crate::keys::quote;
use crate::merge::MergeError;

/// Why a document cannot be read. Names the place as a JSON path, and what is accepted there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// A required field is missing.
    #[error("{path} is missing: {accepted}")]
    Missing {
        /// Where it should be.
        path: String,
        /// What is accepted there.
        accepted: &'static str,
    },
    /// A value has an unknown form.
    #[error("{path} is {found}: {accepted}")]
    Unexpected {
        /// Where it is.
        path: String,
        /// The value, shortened.
        found: String,
        /// What is accepted there.
        accepted: &'static str,
    },
    /// A document has the stamp of this execution, but is not canonical.
    #[error("{path} was written by an earlier state of this execution, but is not a batch document: {reason}")]
    Document {
        /// Where it is.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The documents of a list cannot be merged.
    #[error("{path}: {source}")]
    Merge {
        /// Where the list is.
        path: String,
        /// Why not.
        source: MergeError,
    },
}

impl InputError {
    /// Returns the JSON path of the error.
    pub fn path(&self) -> &str {
        match self {
            InputError::Missing { path, .. }
            | InputError::Unexpected { path, .. }
            | InputError::Document { path, .. }
            | InputError::Merge { path, .. } => path,
        }
    }

    pub(super) fn unexpected(path: impl Into<String>, found: &Value, accepted: &'static str) -> Self {
        InputError::Unexpected { path: path.into(), found: describe(found), accepted }
    }
}

impl From<InputError> for Failure {
    fn from(error: InputError) -> Self {
        Failure::new(Case::InvalidInput, format!("the batch document: {error}"))
    }
}

/// Describes a value in a few words.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => format!("the number {value}"),
        Value::String(text) => format!("the text {}", quote(text)),
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(_) => "an object".into(),
    }
}
