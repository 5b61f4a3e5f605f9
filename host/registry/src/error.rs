//! The errors of a registry. Each message names the thing, the place and the next step.

use stagehost_runtime::{Target, World};
use stagehost_storage::StorageError;

use crate::envelope::EnvelopeError;
use crate::name::{NameError, StageId};

/// Why a registry cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Invalid name or version.
    #[error(transparent)]
    Name(#[from] NameError),
    /// No such stage or version.
    #[error("{registry} has no {wanted}; it has {known}")]
    NotPublished {
        /// Where it is.
        registry: String,
        /// The stage, or its version.
        wanted: String,
        /// The published versions or stages.
        known: String,
    },
    /// A document is not signed by a trusted key.
    #[error("the {called} {place} is refused: {reason}")]
    Envelope {
        /// The kind of document.
        called: &'static str,
        /// Where it is.
        place: String,
        /// What is wrong.
        reason: EnvelopeError,
    },
    /// A document is signed, but cannot be read.
    #[error("the {called} {place} is signed but cannot be read: {reason}")]
    Malformed {
        /// The kind of document.
        called: &'static str,
        /// Where it is.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// A document has a schema that this version does not know.
    #[error("the {called} {place} has the schema {found}, this version of stagehost reads {known}; use a newer one")]
    Schema {
        /// The kind of document.
        called: &'static str,
        /// Where it is.
        place: String,
        /// Its schema.
        found: u32,
        /// The known schema.
        known: u32,
    },
    /// A document is for another version than the one whose place it is in.
    #[error("{place} holds a document that was signed for {found}, not for {wanted}: it has been moved or replayed")]
    OtherVersion {
        /// Where it is.
        place: String,
        /// The version that it is for.
        found: String,
        /// The version whose place it is in.
        wanted: StageId,
    },
    /// A manifest names another publisher than its signer.
    #[error("the manifest {place} names the publisher {named} but is signed by {signer}")]
    OtherPublisher {
        /// Where it is.
        place: String,
        /// The id of the key that it names.
        named: String,
        /// The id of the key that signed it.
        signer: String,
    },
    /// The pin has another digest than the published version.
    #[error(
        "{id} is pinned to {pinned}, but was published as {published}; pin the published digest or another version"
    )]
    OtherDigest {
        /// The stage.
        id: StageId,
        /// The pin's digest.
        pinned: String,
        /// The manifest's value.
        published: String,
    },
    /// The pin has another world than the published version.
    #[error("{id} is pinned under the world {pinned}, but was published for {published}; pin it under {published}")]
    OtherWorld {
        /// The stage.
        id: StageId,
        /// The pin's world.
        pinned: World,
        /// The manifest's value.
        published: World,
    },
    /// There is no artifact for this host.
    #[error(
        "{id} has no artifact for {target} and the engine {engine}{}; run `stagehost stage recompile {id} --registry \
         {registry}` of this host's version",
        others(.known)
    )]
    NoArtifact {
        /// The stage.
        id: StageId,
        /// This machine's processor.
        target: Target,
        /// This host's engine.
        engine: &'static str,
        /// The artifacts that exist.
        known: Box<[String]>,
        /// Where it is.
        registry: Box<str>,
    },
    /// An artifact record is for another component.
    #[error("the artifact record {place} is of the component {found}, not of {wanted}: it has been moved or replayed")]
    OtherComponent {
        /// Where it is.
        place: String,
        /// The record's component.
        found: String,
        /// The manifest's component.
        wanted: String,
    },
    /// An artifact record is for another processor or engine.
    #[error("the artifact record {place} is for {found}, not for {wanted}: it has been moved or replayed")]
    OtherMachine {
        /// Where it is.
        place: String,
        /// Processor and engine that it is for.
        found: String,
        /// Processor and engine whose place it is in.
        wanted: String,
    },
    /// A blob is missing.
    #[error("{place} is missing; publish the same version again to restore it")]
    NoBlob {
        /// Where it is.
        place: String,
    },
    /// A blob has another size than the signed one.
    #[error("{place} has {found} bytes instead of {expected}: it is truncated or another file")]
    Size {
        /// Where it is.
        place: String,
        /// Its size.
        found: u64,
        /// The signed size.
        expected: u64,
    },
    /// A blob has another content than the signed one.
    #[error("{place} has the digest {found}, not the one that was signed: its content has been changed")]
    Digest {
        /// Where it is.
        place: String,
        /// Its digest.
        found: String,
    },
    /// The component does not fit its world.
    #[error("{id} does not fit the world {world}: {findings}")]
    Unfit {
        /// The stage.
        id: StageId,
        /// The world.
        world: World,
        /// All mismatches.
        findings: String,
    },
    /// The bytes are not a component.
    #[error("{id}: {reason}")]
    NoComponent {
        /// The stage.
        id: StageId,
        /// What they are.
        reason: String,
    },
    /// The version is published already with something else. A version never changes.
    #[error(
        "{id} is published already with another {what} ({published}, here {offered}); a version never changes: publish \
         under another version"
    )]
    Immutable {
        /// The stage.
        id: StageId,
        /// What differs.
        what: &'static str,
        /// The published value.
        published: Box<str>,
        /// The new value.
        offered: Box<str>,
    },
    /// Every version of the stage is yanked.
    #[error("every version of {stage} in {registry} is yanked; name one: {stage}@VERSION")]
    AllYanked {
        /// The stage.
        stage: String,
        /// Where it is.
        registry: String,
    },
    /// An artifact is for a processor that this version does not know.
    #[error("this version of stagehost does not know the artifact {label}; use a newer one")]
    UnknownArtifact {
        /// Processor and engine, as in the record's name.
        label: String,
    },
    /// Somebody else keeps changing the document.
    #[error("{place} is being changed by somebody else; try again")]
    Contended {
        /// Where it is.
        place: String,
    },
    /// An existing blob is damaged.
    #[error("{0}; remove it and publish again")]
    BrokenBlob(Box<RegistryError>),
    /// Invalid digest.
    #[error("invalid digest {0:?}; expected sha256: or blake3: and 64 hexadecimal digits")]
    InvalidDigest(String),
}

fn others(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!(" (there are: {})", known.join(", ")) }
}
