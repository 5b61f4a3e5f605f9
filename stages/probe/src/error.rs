//! Why a file could not be probed, and at which byte.

/// Why a file could not be probed. `E` is the error of the [`Source`](crate::Source) that was read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError<E> {
    /// The first bytes match no [`Format`](crate::Format).
    #[error("it is {looks_like}")]
    NotRecognised {
        /// What it seems to be, by [`describe`](crate::describe): `a ZIP archive`.
        looks_like: &'static str,
    },
    /// The file ends too early.
    #[error("it ends at byte {offset}, within {what}")]
    Truncated {
        /// What is cut off: `the movie header`.
        what: &'static str,
        /// The file's length.
        offset: u64,
    },
    /// The file breaks its format's rules.
    #[error("{what}, at byte {offset}")]
    Corrupt {
        /// What is wrong: `the PNG header's checksum is wrong`.
        what: &'static str,
        /// The offset of the fault.
        offset: u64,
    },
    /// The source could not be read. The file itself may be good.
    #[error("{0}")]
    Read(E),
}

impl<E> ProbeError<E> {
    pub(crate) fn corrupt(what: &'static str, offset: u64) -> Self {
        ProbeError::Corrupt { what, offset }
    }
}
