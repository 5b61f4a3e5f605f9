//! The store of pins: every revision, signed, and the one in force.
//!
//! ```text
//! pins.json                   the revision in force, a signed envelope
//! history/00000007.json       every revision that was ever written, never changed
//! ```
//!
//! A change first creates its revision in the history, which only one author can, and then replaces the pins in force if
//! they are still the ones that the change is based on. If the author's process dies in between, that revision never takes
//! effect, and the next author uses the next number.

use std::sync::Arc;

use bytes::Bytes;
use stagehost_registry::{KeyRole, KeyRoles, PublicKey, SigningKey, TrustedKeys, open_signed, seal};
use stagehost_storage::{Found, Storage, Tag};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::document::{Change, Pins};
use crate::error::PinError;

/// The name of the document with the pins in force.
pub const CURRENT: &str = "pins.json";

/// The environment of pins in stores for which none is named.
pub const LOCAL_ENVIRONMENT: &str = "local";

const HISTORY: &str = "history/";

/// The payload type of the envelopes.
const PAYLOAD: &str = "application/vnd.stagehost.pins.v1+json";

/// The pins in force, as they are stored.
#[derive(Clone, Debug)]
pub struct CurrentPins {
    /// The pins.
    pub pins: Pins,
    /// The version of the stored document, on which a change is based.
    pub tag: Tag,
    /// The key that signed them.
    pub signer: PublicKey,
}

/// The author of a change.
pub struct Author<'a> {
    /// The key that signs the change.
    pub key: &'a SigningKey,
    /// A person or a pipeline.
    pub by: &'a str,
    /// The reason for the change.
    pub why: &'a str,
    /// The earlier revision that the change restores, if it is a rollback.
    pub restores: Option<u64>,
}

/// A store of pins, the keys whose signatures are accepted, and the environment that the pins must be for.
#[derive(Clone)]
pub struct PinStore {
    storage: Arc<dyn Storage>,
    trusted: TrustedKeys,
    environment: Accepted,
}

/// Which environments' pins are accepted.
#[derive(Clone)]
enum Accepted {
    Only(String),
    Any,
    /// Those of any environment, and those that name none.
    Unbound,
}

impl PinStore {
    /// Returns the store in `storage`, which accepts signatures by those `trusted` keys that may change pins, on pins for
    /// the environment [`LOCAL_ENVIRONMENT`].
    pub fn new(storage: Arc<dyn Storage>, trusted: TrustedKeys) -> Self {
        Self { storage, trusted, environment: Accepted::Only(LOCAL_ENVIRONMENT.to_owned()) }
    }

    /// Returns the store with pins for the environment `name`.
    #[must_use]
    pub fn for_environment(mut self, name: &str) -> Self {
        self.environment = Accepted::Only(name.to_owned());
        self
    }

    /// Returns the store with pins for any environment. A change keeps that of the pins in force.
    #[must_use]
    pub fn of_any_environment(mut self) -> Self {
        self.environment = Accepted::Any;
        self
    }

    /// Returns the store with pins for any environment or for none: to sign them again for the right one.
    #[must_use]
    pub fn even_unbound(mut self) -> Self {
        self.environment = Accepted::Unbound;
        self
    }

    /// Returns where the pins in force are, for messages.
    pub fn place(&self) -> String {
        self.storage.place(CURRENT)
    }

    /// Returns what a key is trusted for here; `None` if it is not trusted.
    pub fn roles_of(&self, signer: &PublicKey) -> Option<KeyRoles> {
        self.trusted.get(&signer.id()).map(|known| known.roles)
    }

    /// Returns the pins in force; `None` if they are the version `unless`, which the caller has already.
    ///
    /// # Errors
    /// If there are none, they are not signed by a trusted key, or they are for another environment.
    pub async fn current(&self, unless: Option<&Tag>) -> Result<Option<CurrentPins>, PinError> {
        match self.storage.get(CURRENT, unless).await? {
            Found::Missing => Err(PinError::None { place: self.place() }),
            Found::Unchanged => Ok(None),
            Found::Found { bytes, tag } => {
                let (pins, signer) = self.opened(CURRENT, &bytes)?;
                Ok(Some(CurrentPins { pins, tag, signer }))
            }
        }
    }

    /// Returns a revision from the history.
    ///
    /// # Errors
    /// If it is missing, not signed by a trusted key, or for another environment.
    pub async fn revision(&self, revision: u64) -> Result<Pins, PinError> {
        Ok(self.signed_revision(revision).await?.0)
    }

    /// Returns a revision from the history, and the key that signed it.
    ///
    /// # Errors
    /// If it is missing, not signed by a trusted key, or for another environment.
    pub async fn signed_revision(&self, revision: u64) -> Result<(Pins, PublicKey), PinError> {
        let name = history(revision);
        let Found::Found { bytes, .. } = self.storage.get(&name, None).await? else {
            return Err(PinError::Lost { revision, place: self.storage.place(&name) });
        };
        let (pins, signer) = self.opened(&name, &bytes)?;
        if pins.revision != revision {
            return Err(PinError::Misplaced { place: self.storage.place(&name), found: pins.revision });
        }
        Ok((pins, signer))
    }

    /// Puts `next` in force in place of `on`; with `None`, as the first pins. Sets the revision, the environment and the
    /// change of `next`.
    ///
    /// # Errors
    /// [`PinError::Overtaken`] if other pins are in force by now. [`PinError::NoEnvironment`] if neither the store nor the pins
    /// `on` name one. Other errors if `next` is invalid or the store cannot be
    /// written.
    pub async fn put(&self, mut next: Pins, on: Option<&CurrentPins>, author: &Author<'_>) -> Result<Pins, PinError> {
        if on.is_none() && !matches!(self.storage.get(CURRENT, None).await?, Found::Missing) {
            return Err(self.overtaken().await);
        }
        let newest = self.numbers().await?.into_iter().max();
        let newest = newest.max(on.map(|kept| kept.pins.revision)).unwrap_or_default();
        next.revision = newest.checked_add(1).ok_or_else(|| PinError::Invalid {
            place: self.storage.place(&history(newest)),
            reason: "no higher revision is possible; this document was not written by stagehost".to_owned(),
        })?;
        let environment = match &self.environment {
            Accepted::Only(own) => Some(own.clone()),
            Accepted::Any | Accepted::Unbound => on.and_then(|kept| kept.pins.environment.clone()),
        };
        next.environment = Some(environment.ok_or_else(|| PinError::NoEnvironment { place: self.place() })?);
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

    /// Returns whether a document has exactly this content. The SDK repeats a write whose answer was lost, and the
    /// repetition is refused because of the first write.
    async fn is(&self, name: &str, envelope: &Bytes) -> Result<bool, PinError> {
        Ok(matches!(self.storage.get(name, None).await?, Found::Found { bytes, .. } if bytes == *envelope))
    }

    async fn overtaken(&self) -> PinError {
        let now = match self.current(None).await {
            Ok(Some(CurrentPins { pins: Pins { revision, change: Some(change), .. }, .. })) => {
                format!("revision {revision} by {} of {} is in force ({})", change.by, change.at, change.why)
            }
            _ => format!("the pins at {} are being changed", self.place()),
        };
        PinError::Overtaken { now }
    }

    fn opened(&self, name: &str, bytes: &[u8]) -> Result<(Pins, PublicKey), PinError> {
        let place = self.storage.place(name);
        let opened = open_signed(bytes, PAYLOAD, &self.trusted, Some(KeyRole::Pins))
            .map_err(|source| PinError::Signature { place: place.clone(), source })?;
        Ok((self.of_this_environment(Pins::parse(&opened.payload, &place)?, place)?, opened.signer))
    }

    fn of_this_environment(&self, pins: Pins, place: String) -> Result<Pins, PinError> {
        match (&pins.environment, &self.environment) {
            (Some(found), Accepted::Only(own)) if found != own => {
                Err(PinError::Environment { place, found: found.clone(), own: own.clone() })
            }
            (None, Accepted::Only(_) | Accepted::Any) => Err(PinError::NoEnvironment { place }),
            _ => Ok(pins),
        }
    }

    /// Returns the pins in force without what they pin: only revision, environment, change and revoked revisions are read, so
    /// that pins which break a rule still say what was in force before them. `None` if there are none.
    ///
    /// # Errors
    /// If they are not signed by a trusted key, are for another environment, or are not pins at all.
    pub(crate) async fn outline(&self) -> Result<Option<CurrentPins>, PinError> {
        let Found::Found { bytes, tag } = self.storage.get(CURRENT, None).await? else { return Ok(None) };
        let place = self.place();
        let opened = open_signed(&bytes, PAYLOAD, &self.trusted, Some(KeyRole::Pins))
            .map_err(|source| PinError::Signature { place: place.clone(), source })?;
        let outline = Pins::outline(&opened.payload, &place)?;
        Ok(Some(CurrentPins { pins: self.of_this_environment(outline, place)?, tag, signer: opened.signer }))
    }

    /// Returns the numbers of all revisions that are kept, also of those that were never in force.
    ///
    /// # Errors
    /// If the store cannot be listed.
    pub(crate) async fn numbers(&self) -> Result<Vec<u64>, PinError> {
        Ok(self.storage.list(HISTORY).await?.iter().filter_map(|name| number(name)).collect())
    }
}

/// Returns the name of a revision, with leading zeros so that names sort like numbers.
fn history(revision: u64) -> String {
    format!("{HISTORY}{revision:08}.json")
}

fn number(name: &str) -> Option<u64> {
    name.strip_prefix(HISTORY)?.strip_suffix(".json")?.parse().ok()
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
