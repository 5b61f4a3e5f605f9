//! Why a file could not be made sense of, and at which byte.

/// `E` is the error of the [`Source`](crate::Source) that was read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError<E> {
    /// It begins like no [`Format`](crate::Format).
    #[error("it is {looks_like}")]
    NotRecognised {
        /// What it is instead, as far as [`describe`](crate::describe) can tell: `a ZIP archive`.
        looks_like: &'static str,
    },
    /// The file ends where something more should be.
    #[error("it ends at byte {offset}, within {what}")]
    Truncated {
        /// What is cut off: `the movie header`.
        what: &'static str,
        /// The file's length.
        offset: u64,
    },
    /// Something that cannot be so.
    #[error("{what}, at byte {offset}")]
    Corrupt {
        /// What is wrong: `the PNG header's checksum is wrong`.
        what: &'static str,
        /// Where it stands.
        offset: u64,
    },
    /// The source could not be read; the file itself may be fine.
    #[error("{0}")]
    Read(E),
}

impl<E> ProbeError<E> {
    pub(crate) fn corrupt(what: &'static str, offset: u64) -> Self {
        ProbeError::Corrupt { what, offset }
    }
}
