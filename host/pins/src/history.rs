//! The revisions that were in force, one before the other.
//!
//! Each revision names the one that it replaced, and a signature covers that name. So the history is as far to be trusted as
//! the chain from the pins in force reaches; the store's list of names is not.

use crate::document::Pins;
use crate::error::PinError;
use crate::store::PinStore;

/// How many revisions a process that starts goes back at most, if it cannot load the pins in force.
pub const FALLBACK_STEPS: usize = 8;

/// A revision in the history.
#[derive(Debug)]
pub struct HistoryEntry {
    /// Its number.
    pub revision: u64,
    /// The pins, or why they are not to be trusted.
    pub pins: Result<Pins, PinError>,
}

impl PinStore {
    /// Returns the revisions that were in force, the current one first, at most `limit` of them. From the first revision that
    /// is not to be trusted, nobody knows what was in force before it: the rest are all revisions that are kept.
    ///
    /// # Errors
    /// If the pins in force cannot be read or are not to be trusted, or the store cannot be read.
    pub async fn history(&self, limit: usize) -> Result<Vec<HistoryEntry>, PinError> {
        let mut entries = Vec::new();
        let mut next = self.current(None).await?.map(|kept| kept.pins);
        while let Some(pins) = next.take().filter(|_| entries.len() < limit) {
            let previous = previous(&pins);
            entries.push(HistoryEntry { revision: pins.revision, pins: Ok(pins) });
            let Some(previous) = previous.filter(|_| entries.len() < limit) else { break };
            match self.revision(previous).await {
                Ok(pins) => next = Some(pins),
                Err(error @ PinError::Storage(_)) => return Err(error),
                Err(error) => {
                    entries.push(HistoryEntry { revision: previous, pins: Err(error) });
                    let mut older: Vec<_> = self.numbers().await?.into_iter().filter(|n| *n < previous).collect();
                    older.sort_unstable_by(|one, other| other.cmp(one));
                    for revision in older.into_iter().take(limit - entries.len()) {
                        let pins = match self.revision(revision).await {
                            Err(error @ PinError::Storage(_)) => return Err(error),
                            pins => pins,
                        };
                        entries.push(HistoryEntry { revision, pins });
                    }
                }
            }
        }
        Ok(entries)
    }

    /// Returns a revision that was in force before the `newest` pins; `None` if it never was. Revisions before it are not
    /// read, so they need not be signed by a key that is trusted today.
    ///
    /// # Errors
    /// If the revision, or one between it and the newest, is missing or not to be trusted.
    pub async fn was_in_force(&self, newest: &Pins, revision: u64) -> Result<Option<Pins>, PinError> {
        let mut pins = newest.clone();
        while pins.revision > revision {
            let Some(previous) = previous(&pins) else { return Ok(None) };
            if previous < revision {
                return Ok(None);
            }
            pins = self.revision(previous).await?;
        }
        Ok((pins.revision == revision).then_some(pins))
    }

    /// Returns the revision below `broken` and not below `lowest` that may run in place of the pins `in_force`; see
    /// [`PinSource::fallback`].
    ///
    /// [`PinSource::fallback`]: crate::PinSource::fallback
    pub(crate) async fn before(&self, in_force: &Pins, broken: u64, lowest: u64) -> Result<Option<Pins>, PinError> {
        let mut at = in_force.clone();
        for _ in 0..FALLBACK_STEPS {
            let Some(previous) = replaceable(&at).filter(|previous| *previous >= lowest) else {
                return Ok(None);
            };
            at = self.revision(previous).await?;
            if previous < broken && !in_force.revoked.contains(&previous) {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// Returns the floor after the change of the pins `before` to the pins `done`: the oldest revision to which a process
    /// that starts may go back, if it cannot load newer ones. After a rollback or a revocation it is the new revision,
    /// because those before it are not wanted any more.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn floor_after(&self, before: Option<&Pins>, done: &Pins) -> Result<u64, PinError> {
        let mut lowest = done.revision;
        if before.is_some_and(|before| before.revoked != done.revoked) {
            return Ok(lowest);
        }
        let mut next = replaceable(done);
        for _ in 0..FALLBACK_STEPS {
            let Some(revision) = next else { break };
            match self.revision(revision).await {
                Err(error @ PinError::Storage(_)) => return Err(error),
                // Nor does a process go back to it.
                Err(_) => break,
                Ok(pins) => (lowest, next) = (revision, replaceable(&pins)),
            }
        }
        Ok(lowest)
    }
}

/// Returns the revision that may run if these pins cannot be loaded: the one before, unless they are a rollback, because what
/// a rollback replaced is not wanted any more.
fn replaceable(pins: &Pins) -> Option<u64> {
    let rollback = pins.change.as_ref().is_some_and(|change| change.restores.is_some());
    previous(pins).filter(|_| !rollback)
}

/// Returns the number of the revision before. Going back to smaller numbers only ends even if a document is wrong.
fn previous(pins: &Pins) -> Option<u64> {
    pins.change.as_ref()?.previous.filter(|previous| *previous < pins.revision)
}
