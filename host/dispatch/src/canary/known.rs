//! What a process knows about one canary: the stored document, and its own runs that are not in it yet.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use stagehost_pins::Canary;
use stagehost_storage::Tag;

use super::document::HealthDocument;
use super::tally::RunTally;

/// The time between two exchanges with the store.
const LATER: Duration = Duration::from_secs(30);

/// The time between two exchanges while the canary fails. So a process makes at most twelve a minute for a canary.
const SOON: Duration = Duration::from_secs(5);

/// The runs of both stages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct BothTallies {
    canary: RunTally,
    pinned: RunTally,
}

impl BothTallies {
    fn is_empty(self) -> bool {
        self.canary.is_empty() && self.pinned.is_empty()
    }
}

/// What a process knows about one canary.
pub(crate) struct Known {
    state: String,
    /// The canary as the pins name it now.
    pub(crate) canary: Canary,
    /// The stored document, as it was read or written last.
    document: HealthDocument,
    /// Its version; `None` if none was read.
    pub(crate) tag: Option<Tag>,
    /// Runs that are not in the document.
    unsent: BothTallies,
    /// A write whose answer has not arrived: what was written, and the runs that were new in it.
    unconfirmed: Option<(Bytes, BothTallies)>,
    /// When the last exchange began.
    exchanged: Option<SystemTime>,
    exchanging: bool,
    /// Whether this process cannot load the canary.
    pub(crate) unusable: bool,
    /// Whether the canary is given up, by the document or by this process's own judgement.
    given_up: bool,
    reported: bool,
    /// When a call last asked for it.
    pub(crate) used: SystemTime,
}

impl Known {
    /// Returns a canary without any run.
    pub(crate) fn new(state: &str, canary: &Canary) -> Self {
        Self {
            state: state.to_owned(),
            canary: canary.clone(),
            document: HealthDocument::new(state, &canary.pin),
            tag: None,
            unsent: BothTallies::default(),
            unconfirmed: None,
            exchanged: None,
            exchanging: false,
            unusable: false,
            given_up: false,
            reported: false,
            used: SystemTime::now(),
        }
    }

    pub(crate) fn is_given_up(&self) -> bool {
        self.unusable || self.given_up
    }

    /// Counts runs. Those of a canary that is given up do not matter any more.
    pub(crate) fn count(&mut self, canary: RunTally, pinned: RunTally) {
        if !self.is_given_up() {
            self.unsent = BothTallies { canary: self.unsent.canary + canary, pinned: self.unsent.pinned + pinned };
        }
    }

    /// Judges the canary by this process's own runs alone, for a function without a store.
    pub(crate) fn judge_alone(&mut self) {
        let unsent = std::mem::take(&mut self.unsent);
        self.document.add(unsent.canary, unsent.pinned, self.canary.abort_above_percent);
        self.given_up |= self.document.given_up;
    }

    /// Returns whether it is time for an exchange with the store, which begins then.
    pub(crate) fn begin_exchange(&mut self) -> bool {
        let wait = if self.unsent.canary.defects > 0 { SOON } else { LATER };
        // Wall-clock time, because a frozen Lambda's monotonic clock may stand still. It may also be set back.
        let waited = |at: SystemTime| at.elapsed().map_or(true, |age| age >= wait);
        if self.exchanging || self.given_up || !self.exchanged.is_none_or(waited) {
            return false;
        }
        self.exchanging = true;
        self.exchanged = Some(SystemTime::now());
        true
    }

    /// Takes over the stored document and its version; `None` if nothing is stored.
    pub(crate) fn note_read(&mut self, found: Option<(Bytes, Tag)>) {
        let unconfirmed = self.unconfirmed.take();
        let (document, tag) = match found {
            None => (None, None),
            Some((bytes, tag)) => {
                // The write succeeded although its answer was lost. If another process has written since, this cannot
                // be noticed, and the runs are counted twice.
                if let Some((_, runs)) = unconfirmed.filter(|(written, _)| *written == bytes) {
                    self.subtract(runs);
                }
                (HealthDocument::read(&bytes), Some(tag))
            }
        };
        self.document = document.unwrap_or_else(|| HealthDocument::new(&self.state, &self.canary.pin));
        self.tag = tag;
        self.given_up |= self.document.given_up;
    }

    /// Returns the document with the new runs, and the version that it replaces; `None` if there is nothing to write.
    pub(crate) fn begin_write(&mut self) -> Option<(Bytes, Option<Tag>)> {
        if self.given_up || self.unsent.is_empty() {
            return None;
        }
        let mut document = self.document.clone();
        document.add(self.unsent.canary, self.unsent.pinned, self.canary.abort_above_percent);
        let bytes = Bytes::from(document.written_now());
        self.unconfirmed = Some((bytes.clone(), self.unsent));
        Some((bytes, self.tag.clone()))
    }

    /// Notes the result of a write; `None` if the document had changed meanwhile.
    pub(crate) fn note_written(&mut self, written: Option<Tag>) {
        // Without the version, the next read returns the document in any case.
        self.tag = None;
        let Some(tag) = written else { return };
        if let Some((bytes, runs)) = self.unconfirmed.take() {
            self.subtract(runs);
            self.note_read(Some((bytes, tag)));
        }
    }

    /// Ends an exchange. If it failed, the process judges by the last document and its own runs, for itself alone.
    pub(crate) fn end_exchange(&mut self, succeeded: bool) {
        self.exchanging = false;
        if !succeeded {
            let mut alone = self.document.clone();
            alone.add(self.unsent.canary, self.unsent.pinned, self.canary.abort_above_percent);
            self.given_up |= alone.given_up;
            self.document.adopt_looks(&alone);
        }
    }

    /// Returns what there is to report about a canary that is given up: once, then `None`.
    pub(crate) fn take_report(&mut self) -> Option<(String, Canary, HealthDocument)> {
        if !self.is_given_up() || std::mem::replace(&mut self.reported, true) {
            return None;
        }
        let mut document = self.document.clone();
        document.add(self.unsent.canary, self.unsent.pinned, None);
        Some((self.state.clone(), self.canary.clone(), document))
    }

    /// Makes the next exchange due. Tests cannot wait for it.
    #[cfg(test)]
    pub(crate) fn make_exchange_due(&mut self) {
        self.exchanged = None;
    }

    #[cfg(test)]
    pub(crate) fn is_exchanging(&self) -> bool {
        self.exchanging
    }

    fn subtract(&mut self, runs: BothTallies) {
        self.unsent =
            BothTallies { canary: self.unsent.canary - runs.canary, pinned: self.unsent.pinned - runs.pinned };
    }
}
