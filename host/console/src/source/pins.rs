//! The pins, and changes to them.

use async_trait::async_trait;
use stagehost_pins::{Difference, Pins};

use super::error::SourceError;

/// A change that a person asks for. The names are those of `stagehost pins`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinsWish {
    /// Another version for a state.
    Set {
        /// The state.
        state: String,
        /// `[NAME@]VERSION`
        version: String,
    },
    /// A candidate for some executions.
    Canary {
        /// The state.
        state: String,
        /// `[NAME@]VERSION`
        version: String,
        /// The share of executions, 1 to 99 %.
        percent: u8,
        /// Hosts give it up if this many of a hundred runs more end in a defect.
        abort_above: Option<u8>,
    },
    /// The state's canary becomes its pin.
    Promote {
        /// The state.
        state: String,
    },
    /// The state's canary ends.
    Abort {
        /// The state.
        state: String,
    },
    /// An earlier revision is put in force again.
    Rollback {
        /// The revision; `None` for the one before.
        revision: Option<u64>,
    },
    /// No execution may continue with a revision.
    Revoke {
        /// The revision.
        revision: u64,
    },
}

/// What a change does, or did.
#[derive(Clone, Debug, Default)]
pub struct PinsOutlook {
    /// The new revision; `None` if nothing was changed yet.
    pub revision: Option<u64>,
    /// What differs from the pins in force.
    pub differences: Vec<Difference>,
    /// What was checked, a sentence each.
    pub checks: Vec<String>,
}

/// Pins, and who signed them.
#[derive(Clone, Debug)]
pub struct SignedPins {
    /// The pins.
    pub pins: Pins,
    /// The signer; `None` if they are not signed, as those of a file on this machine.
    pub signer: Option<PinsSigner>,
}

/// The key that signed pins, and that is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinsSigner {
    /// The key's id.
    pub id: String,
    /// Its name among the keys of the person at the console, if it has one there.
    pub name: Option<String>,
    /// What the key is trusted for: `pins`, or `both` if it may publish stages too.
    pub trusted_for: Option<String>,
}

/// What is known about a state's candidates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CandidateNews {
    /// Counts and times, a sentence each.
    pub sentences: Vec<String>,
    /// Calls in which the shadow did something else than the pinned stage, the newest first.
    pub differing: Vec<DifferingCall>,
}

/// A call in which a shadow did something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DifferingCall {
    /// The execution's ARN.
    pub execution: String,
    /// The file's key, or `batch`.
    pub subject: String,
    /// What differs, a text each.
    pub differences: Vec<String>,
    /// Pictures that both made.
    pub pictures: Vec<PicturePair>,
}

/// A picture of the pinned stage, and the one that the shadow made in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PicturePair {
    /// The key of the pinned stage's picture in the media bucket. A later run may have replaced it.
    pub key: String,
    /// The key of the shadow's picture in the media bucket.
    pub shadow: String,
    /// The length of the shadow's picture, in bytes.
    pub bytes: u64,
}

/// A revision that was in force.
#[derive(Clone, Debug)]
pub struct PastRevision {
    /// Its number.
    pub revision: u64,
    /// The pins, or why they are not to be trusted.
    pub pins: Result<Pins, String>,
}

/// The store of pins, with the operator's key.
#[async_trait]
pub trait PinsDesk: Send + Sync + 'static {
    /// Returns where the pins are.
    fn place(&self) -> String;

    /// Returns why they cannot be changed here; `None` if they can.
    fn fixed(&self) -> Option<String>;

    /// Returns the pins in force.
    ///
    /// # Errors
    /// [`SourceError`], if there are none or they are not to be trusted.
    async fn current(&self) -> Result<SignedPins, SourceError>;

    /// Returns a revision.
    ///
    /// # Errors
    /// [`SourceError::Missing`].
    async fn revision(&self, revision: u64) -> Result<SignedPins, SourceError>;

    /// Returns the revisions that were in force, the newest first.
    ///
    /// # Errors
    /// [`SourceError`], if the store cannot be read.
    async fn history(&self, limit: usize) -> Result<Vec<PastRevision>, SourceError>;

    /// Returns what is known about a state's canary and shadow, as far as these pins have any.
    ///
    /// # Errors
    /// [`SourceError`], if the store does not answer.
    async fn candidates(&self, pins: &Pins, state: &str) -> Result<CandidateNews, SourceError>;

    /// Shows and checks a change, and makes it if `by_whom` gives a person and a reason.
    ///
    /// # Errors
    /// [`SourceError::Refused`] if a check fails or somebody else was faster.
    async fn change(&self, wish: &PinsWish, by_whom: Option<(&str, &str)>) -> Result<PinsOutlook, SourceError>;
}
