//! Everything for which a registry refuses: each has a sentence of its own that names the thing, the place and the next
//! step.

use stagehost_runtime::{Target, World};
use stagehost_storage::StorageError;

use crate::documents::Document;
use crate::envelope::EnvelopeError;
use crate::name::{NameError, StageId};

/// Why a registry refuses.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The store.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A name or version that is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// No such stage or version.
    #[error("{registry} has no {wanted}; it has {known}")]
    NotPublished {
        /// Where.
        registry: String,
        /// What was looked for.
        wanted: String,
        /// The versions or names that there are.
        known: String,
    },
    /// A document that is not signed, or not by the right key.
    #[error("the {called} {place} is refused: {reason}")]
    Envelope {
        /// Which kind of document.
        called: &'static str,
        /// Where it is.
        place: String,
        /// What is wrong.
        reason: EnvelopeError,
    },
    /// Signed, but not readable.
    #[error("the {called} {place} is signed but cannot be read: {reason}")]
    Malformed {
        /// Which kind of document.
        called: &'static str,
        /// Where it is.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// Written by another generation of this program.
    #[error("the {called} {place} has the schema {found}, this version of stagehost reads {known}; use a newer one")]
    Schema {
        /// Which kind of document.
        called: &'static str,
        /// Where it is.
        place: String,
        /// Its schema.
        found: u32,
        /// The known one.
        known: u32,
    },
    /// Moved or replayed.
    #[error("{place} holds what was signed for {found}, not for {wanted}: it has been moved or replayed")]
    OtherVersion {
        /// Where.
        place: String,
        /// What it says.
        found: String,
        /// What was asked for.
        wanted: StageId,
    },
    /// It says that somebody else has published it.
    #[error("the manifest {place} names the publisher {said} but is signed by {signer}")]
    OtherPublisher {
        /// Where.
        place: String,
        /// A key id.
        said: String,
        /// A key id.
        signer: String,
    },
    /// The pin is for other bytes.
    #[error("{id} is pinned to {pinned}, but was published as {published}; pin what is published, or another version")]
    OtherDigest {
        /// The stage.
        id: StageId,
        /// The pin's digest.
        pinned: String,
        /// The manifest's.
        published: String,
    },
    /// The pin is for another world.
    #[error("{id} is pinned under the world {pinned}, but was published for {published}; pin it under {published}")]
    OtherWorld {
        /// The stage.
        id: StageId,
        /// The pin's world.
        pinned: World,
        /// The manifest's.
        published: World,
    },
    /// Nothing compiled for this host.
    #[error(
        "{id} has no artifact for {target} and the engine {engine}{}; run `stagehost stage recompile {id} --registry \
         {registry}` of this host's version",
        others(.known)
    )]
    NoArtifact {
        /// The stage.
        id: StageId,
        /// This machine.
        target: Target,
        /// This host.
        engine: &'static str,
        /// The artifacts that there are.
        known: Box<[String]>,
        /// Where.
        registry: Box<str>,
    },
    /// A record that is another component's.
    #[error("the artifact record {place} is of the component {found}, not of {wanted}: it has been moved or replayed")]
    OtherComponent {
        /// Where.
        place: String,
        /// The record's component.
        found: String,
        /// The manifest's.
        wanted: String,
    },
    /// A record that is for another machine.
    #[error("the artifact record {place} is for {found}, not for {wanted}: it has been moved or replayed")]
    OtherMachine {
        /// Where.
        place: String,
        /// What it says.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// A blob that is not there.
    #[error("{place} is missing; publish the same version again to restore it")]
    NoBlob {
        /// Where.
        place: String,
    },
    /// A blob of another size.
    #[error("{place} has {found} bytes instead of {expected}: it is truncated or another file")]
    Size {
        /// Where.
        place: String,
        /// Its size.
        found: u64,
        /// The size that was signed.
        expected: u64,
    },
    /// A blob with another content.
    #[error("{place} has the digest {found}, not the one that was signed: its content has been changed")]
    Digest {
        /// Where.
        place: String,
        /// Its digest.
        found: String,
    },
    /// Not fit for its world.
    #[error("{id} does not fit the world {world}: {findings}")]
    Unfit {
        /// The stage.
        id: StageId,
        /// The world.
        world: World,
        /// All that is wrong.
        findings: String,
    },
    /// No component.
    #[error("{id}: {reason}")]
    NoComponent {
        /// The stage.
        id: StageId,
        /// What it is instead.
        reason: String,
    },
    /// A version never changes.
    #[error(
        "{id} is published already with another {what} ({published}, here {offered}); a version never changes: publish \
         under another one"
    )]
    Immutable {
        /// The stage.
        id: StageId,
        /// What differs.
        what: &'static str,
        /// What it is there.
        published: Box<str>,
        /// What it would be now.
        offered: Box<str>,
    },
    /// Nothing that may be pinned.
    #[error("every version of {stage} in {registry} is yanked; name one: {stage}@VERSION")]
    AllYanked {
        /// The stage.
        stage: String,
        /// Where.
        registry: String,
    },
    /// For a processor of another generation of this program.
    #[error("{label} is no artifact that this version of stagehost knows; use a newer one")]
    UnknownArtifact {
        /// Processor and engine, as the record's name has them.
        label: String,
    },
    /// Somebody else changes it again and again.
    #[error("{place} is being changed by somebody else; try again")]
    Contended {
        /// Where.
        place: String,
    },
    /// What is in the way of a blob.
    #[error("{0}; remove it and publish again")]
    BrokenBlob(Box<RegistryError>),
    /// No digest.
    #[error("{0:?} is no digest; expected sha256: or blake3: and 64 hexadecimal digits")]
    NoDigest(String),
}

impl RegistryError {
    pub(crate) fn malformed<D: Document>(place: &str, reason: &str) -> Self {
        Self::Malformed { called: D::CALLED, place: place.to_owned(), reason: reason.to_owned() }
    }
}

fn others(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!(" (there are: {})", known.join(", ")) }
}
