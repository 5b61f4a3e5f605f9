//! Where pins are kept: every revision under its number, signed, for good; and which one is in force.
//!
//! ```text
//! pins.json                   the revision in force, a signed envelope
//! history/00000007.json       every revision that was ever written, made once and never changed
//! ```
//!
//! A change first makes its revision in the history, which succeeds for one author only, and then replaces the pins in
//! force if they still are those that the change was made on. Who dies in between leaves a revision that never was in
//! force; the next author takes the next number.

use std::sync::Arc;

use bytes::Bytes;
use stagehost_registry::{PublicKey, SigningKey, TrustedKeys, open_signed, seal};
use stagehost_storage::{Found, Storage, Tag};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::document::{Change, PinError, Pins};

/// The name of the pins in force.
pub const CURRENT: &str = "pins.json";

const HISTORY: &str = "history/";

/// What the envelope says it holds.
const PAYLOAD: &str = "application/vnd.stagehost.pins.v1+json";

/// Pins as they are kept, opened.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The pins.
    pub pins: Pins,
    /// Which content of the store they are: what a change must be made on.
    pub tag: Tag,
    /// Who signed them.
    pub signer: PublicKey,
}

/// Who makes a change.
pub struct Author<'a> {
    /// Signs it.
    pub key: &'a SigningKey,
    /// A person or a pipeline.
    pub by: &'a str,
    /// In their words.
    pub why: &'a str,
    /// The earlier revision that is put in force again.
    pub restores: Option<u64>,
}

/// A place for pins, and whose signature counts there.
#[derive(Clone)]
pub struct PinStore {
    storage: Arc<dyn Storage>,
    trusted: TrustedKeys,
}

impl PinStore {
    /// The pins in `storage`, believed if one of these keys signed them.
    pub fn new(storage: Arc<dyn Storage>, trusted: TrustedKeys) -> Self {
        Self { storage, trusted }
    }

    /// Where the pins in force are, for people.
    pub fn place(&self) -> String {
        self.storage.place(CURRENT)
    }

    /// The pins in force, unless they are those that the caller has; `None` then.
    ///
    /// # Errors
    /// If there are none, or they are not to be trusted.
    pub async fn current(&self, unless: Option<&Tag>) -> Result<Option<Kept>, PinError> {
        match self.storage.get(CURRENT, unless).await? {
            Found::Missing => Err(PinError::None { place: self.place() }),
            Found::Unchanged => Ok(None),
            Found::Found { bytes, tag } => {
                let (pins, signer) = self.opened(CURRENT, &bytes)?;
                Ok(Some(Kept { pins, tag, signer }))
            }
        }
    }

    /// A revision as it was written.
    ///
    /// # Errors
    /// If it is not there, or not to be trusted.
    pub async fn revision(&self, revision: u64) -> Result<Pins, PinError> {
        let name = history(revision);
        let Found::Found { bytes, .. } = self.storage.get(&name, None).await? else {
            return Err(PinError::Lost { revision, place: self.storage.place(&name) });
        };
        let (pins, _) = self.opened(&name, &bytes)?;
        if pins.revision != revision {
            return Err(PinError::Misplaced { place: self.storage.place(&name), found: pins.revision });
        }
        Ok(pins)
    }

    /// The revisions that were in force, the present one first, at most `limit` of them.
    ///
    /// # Errors
    /// If one is missing or not to be trusted.
    pub async fn history(&self, limit: usize) -> Result<Vec<Pins>, PinError> {
        let mut revisions: Vec<Pins> = self.current(None).await?.map(|kept| kept.pins).into_iter().collect();
        while revisions.len() < limit
            && let Some((newer, change)) = revisions.last().and_then(|pins| Some((pins.revision, pins.change.as_ref()?)))
            // Numbers count up, so the way back ends.
            && let Some(previous) = change.previous.filter(|previous| *previous < newer)
        {
            revisions.push(self.revision(previous).await?);
        }
        Ok(revisions)
    }

    /// Puts `next` in force in place of `on`, or as the first pins where there are none. Its revision and its change are
    /// set here.
    ///
    /// # Errors
    /// [`PinError::Overtaken`] if other pins are in force by now; otherwise if the document makes no sense or the store
    /// cannot be written.
    pub async fn put(&self, mut next: Pins, on: Option<&Kept>, author: &Author<'_>) -> Result<Pins, PinError> {
        if on.is_none() && !matches!(self.storage.get(CURRENT, None).await?, Found::Missing) {
            return Err(self.overtaken().await);
        }
        let newest = self.storage.list(HISTORY).await?.iter().filter_map(|name| number(name)).max();
        let newest = newest.max(on.map(|kept| kept.pins.revision)).unwrap_or_default();
        next.revision = newest.checked_add(1).ok_or_else(|| PinError::Invalid {
            place: self.storage.place(&history(newest)),
            reason: "there is no higher revision; somebody who may not has put it there".to_owned(),
        })?;
        next.change = Some(Change {
            by: author.by.to_owned(),
            at: OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default(),
            why: author.why.to_owned(),
            previous: on.map(|kept| kept.pins.revision),
            restores: author.restores,
        });
        next.check()?;
        let text = serde_json::to_vec_pretty(&next)
            .map_err(|e| PinError::Invalid { place: self.place(), reason: e.to_string() })?;
        let envelope = Bytes::from(seal(PAYLOAD, &text, author.key));
        let kept = self.storage.create(&history(next.revision), envelope.clone()).await?;
        if kept.is_none() && !self.is(&history(next.revision), &envelope).await? {
            return Err(self.overtaken().await);
        }
        let placed = match on {
            Some(kept) => self.storage.replace(CURRENT, envelope.clone(), &kept.tag).await?,
            None => self.storage.create(CURRENT, envelope.clone()).await?,
        };
        if placed.is_none() && !self.is(CURRENT, &envelope).await? {
            return Err(self.overtaken().await);
        }
        Ok(next)
    }

    /// Whether a document is this very one. A write whose answer is lost is made again by the SDK, and refused because of
    /// itself.
    async fn is(&self, name: &str, envelope: &Bytes) -> Result<bool, PinError> {
        Ok(matches!(self.storage.get(name, None).await?, Found::Found { bytes, .. } if bytes == *envelope))
    }

    async fn overtaken(&self) -> PinError {
        let now = match self.current(None).await {
            Ok(Some(Kept { pins: Pins { revision, change: Some(change), .. }, .. })) => {
                format!("revision {revision} by {} of {} is in force ({})", change.by, change.at, change.why)
            }
            _ => format!("the pins at {} are being changed", self.place()),
        };
        PinError::Overtaken { now }
    }

    fn opened(&self, name: &str, bytes: &[u8]) -> Result<(Pins, PublicKey), PinError> {
        let place = self.storage.place(name);
        let opened = open_signed(bytes, PAYLOAD, &self.trusted)
            .map_err(|source| PinError::Signature { place: place.clone(), source })?;
        Ok((Pins::parse(&opened.payload, &place)?, opened.signer))
    }
}

/// So many digits that names sort as numbers do.
fn history(revision: u64) -> String {
    format!("{HISTORY}{revision:08}.json")
}

fn number(name: &str) -> Option<u64> {
    name.strip_prefix(HISTORY)?.strip_suffix(".json")?.parse().ok()
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
