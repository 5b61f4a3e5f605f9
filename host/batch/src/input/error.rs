//! What is wrong with a document as a whole.

use serde_json::Value;

use crate::keys::quote;
use crate::{Case, Failure, MergeError};

/// A document whose shape cannot be understood. Names the place as a JSON path, and what is accepted there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// Something needed is not there.
    #[error("{path} is missing: {accepted}")]
    Missing {
        /// Where it should be.
        path: String,
        /// What may be there.
        accepted: &'static str,
    },
    /// Something is there which cannot be understood.
    #[error("{path} is {found}: {accepted}")]
    Unexpected {
        /// Where it is.
        path: String,
        /// What was found, shortened.
        found: String,
        /// What may be there instead.
        accepted: &'static str,
    },
    /// A document with the stamp of this execution that is not canonical.
    #[error("{path} was written by an earlier state of this execution, but is no batch document: {reason}")]
    Document {
        /// Where it is.
        path: String,
        /// What the reader says of it.
        reason: String,
    },
    /// Documents that cannot be merged.
    #[error("{path}: {source}")]
    Merge {
        /// Where the list is.
        path: String,
        /// Why not.
        source: MergeError,
    },
}

impl InputError {
    /// The JSON path at fault.
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

/// A value in a few words.
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
