//! Why pins are refused.

use stagehost_registry::EnvelopeError;
use stagehost_runtime::GrantError;
use stagehost_storage::StorageError;

/// Why pins cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// They cannot be read.
    #[error("cannot read the pins at {place}: {reason}")]
    Unreadable {
        /// File or object.
        place: String,
        /// Why not.
        reason: String,
    },
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There are no pins.
    #[error("there are no pins at {place}; `stagehost pins init` makes the first revision")]
    None {
        /// File or object.
        place: String,
    },
    /// A revision is missing in the history.
    #[error("revision {revision} of the pins is not at {place}, though every revision is kept")]
    Lost {
        /// The revision.
        revision: u64,
        /// File or object.
        place: String,
    },
    /// The document is malformed.
    #[error("the pins at {place} are not valid: {reason}")]
    Invalid {
        /// File or object.
        place: String,
        /// What is wrong, and where.
        reason: String,
    },
    /// They are not signed by a trusted key.
    #[error("the pins at {place} are not to be trusted: {source}")]
    Signature {
        /// File or object.
        place: String,
        /// What is wrong.
        source: EnvelopeError,
    },
    /// A document in the history has another revision than its name.
    #[error("{place} holds revision {found}: it has been put in the place of another")]
    Misplaced {
        /// File or object.
        place: String,
        /// The revision in it.
        found: u64,
    },
    /// They are signed for another environment.
    #[error(
        "the pins at {place} are signed for the environment {found}, but this is {own}: they belong elsewhere, or the name \
         of this environment is wrong (ENV of a host, --environment of a command)"
    )]
    Environment {
        /// File or object.
        place: String,
        /// The environment that they name.
        found: String,
        /// The environment of the reader.
        own: String,
    },
    /// They name no environment.
    #[error(
        "the pins at {place} are signed for no environment, so they could be those of another; `stagehost pins resign \
         --environment NAME --why TEXT` signs them again"
    )]
    NoEnvironment {
        /// File or object.
        place: String,
    },
    /// An older revision than the lowest that a process may start with.
    #[error(
        "the pins at {place} are revision {revision}, but nothing below {floor} may be in force any more: somebody has put \
         older ones back; `stagehost pins history` shows the newer ones"
    )]
    BelowFloor {
        /// File or object.
        place: String,
        /// Their revision.
        revision: u64,
        /// The lowest revision that may be in force.
        floor: u64,
    },
    /// Somebody else has changed the pins meanwhile.
    #[error("somebody else was first: {now}; look at what they changed and run the command again")]
    Overtaken {
        /// The revision in force now, and its author.
        now: String,
    },
    /// Invalid grant.
    #[error("the pin of {state}: {source}")]
    Grant {
        /// The state.
        state: String,
        /// What is wrong.
        source: GrantError,
    },
    /// Invalid digest.
    #[error("the pin of {state} has the digest {digest:?}; expected sha256: and 64 hexadecimal digits")]
    Digest {
        /// The state.
        state: String,
        /// The digest as written.
        digest: String,
    },
    /// Invalid candidate or recording.
    #[error("the {what} of {state} {problem}")]
    Candidate {
        /// `canary`, `shadow`, `recording`
        what: &'static str,
        /// The state.
        state: String,
        /// What is wrong.
        problem: String,
    },
}

impl PinError {
    /// Returns whether the document itself breaks a rule, and not its signature, its place or its store.
    pub(crate) fn is_of_the_document(&self) -> bool {
        matches!(self, Self::Invalid { .. } | Self::Grant { .. } | Self::Digest { .. } | Self::Candidate { .. })
    }
}
