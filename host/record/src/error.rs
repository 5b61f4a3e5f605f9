//! The errors of records.

use stagehost_storage::StorageError;

/// The most documents of one name: a state may be invoked more than once with the same attempt.
pub(crate) const MAX_SAME_NAME: u32 = 9;

/// Why a record cannot be stored or used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The temporary file failed.
    #[error("the temporary file of a record: {0}")]
    TemporaryFile(#[from] std::io::Error),
    /// The document is not a record.
    #[error("{place} is not a record of a call: {reason}")]
    Invalid {
        /// File or object.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// All names are taken.
    #[error("there are {MAX_SAME_NAME} documents at {0} already")]
    Taken(String),
}
