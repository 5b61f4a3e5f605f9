//! The pins on the console: those of a store, which can be changed, or those of a file, which cannot.

use std::path::PathBuf;

use anyhow::Result;
use async_trait::async_trait;
use stagehost_console::{
    CandidateNews, PastRevision, PinsDesk, PinsOutlook, PinsSigner, PinsWish, SignedPins, SourceError,
};
use stagehost_pins::{PinError, PinStore, Pins};
use stagehost_registry::PublicKey;

use crate::output::printer::Printer;
use crate::pinning::change::{ChangeMeans, NextPins, PinsChange};
use crate::pinning::wanted;
use crate::web::candidates::{HostReports, candidates};

/// A store of pins, with the checks and the key of `stagehost pins`.
pub struct StoreDesk {
    means: ChangeMeans,
    store: PinStore,
    reports: Option<HostReports>,
    /// Why the pins cannot be changed here.
    fixed: Option<String>,
    printer: Printer,
}

impl StoreDesk {
    /// Opens the store, whose hosts keep their reports at these places. Nothing is read yet. If `fixed` says why, the pins cannot
    /// be changed.
    ///
    /// # Errors
    /// If no store is named or a key is invalid.
    pub async fn open(
        means: ChangeMeans,
        reports: Option<HostReports>,
        fixed: Option<String>,
        printer: &Printer,
    ) -> Result<Self> {
        let store = means.pins.open().await?;
        Ok(Self { means, store, reports, fixed, printer: printer.clone() })
    }

    /// Returns what is shown of a key. Its name is that of a file in the folder of keys.
    fn signer(&self, key: &PublicKey) -> PinsSigner {
        let id = key.id();
        let keys = self.means.pins.trust.keyring.open().and_then(|keyring| keyring.public()).unwrap_or_default();
        let name = keys.into_iter().find(|(_, known)| known.key.id() == id).map(|(name, _)| name);
        let trusted_for = self.store.roles_of(key).map(|roles| roles.name().to_owned());
        PinsSigner { id, name, trusted_for }
    }

    async fn changed(&self, wish: &PinsWish, by_whom: Option<(&str, &str)>) -> Result<PinsOutlook> {
        let change = self.means.open(&self.printer).await?;
        let on = change.current().await?;
        let next = next(&change, &on, wish).await?;
        let checked = change.checked(Some(&on), next).await?;
        let mut outlook =
            PinsOutlook { revision: None, differences: checked.differences.clone(), checks: checked.checks.clone() };
        if let Some((by, why)) = by_whom {
            let done = change.make(Some(&on), checked, Some(by), why).await?;
            outlook.revision = Some(done.revision);
            // The change is in force; what is not done yet is said beside it.
            if let Err(error) = change.raise_floor(Some(&on.pins), &done).await {
                outlook.checks.push(format!("{error:#}"));
            }
        }
        Ok(outlook)
    }
}

async fn next(change: &PinsChange<'_>, on: &stagehost_pins::CurrentPins, wish: &PinsWish) -> Result<NextPins> {
    match wish {
        PinsWish::Set { state, version } => wanted::set(change, on, state, Some(version), &|_| Ok(())).await,
        PinsWish::Canary { state, version, percent, abort_above } => {
            wanted::canary(change, on, state, version, (*percent, *abort_above), &|_| Ok(())).await
        }
        PinsWish::Promote { state } => wanted::promote(on, state),
        PinsWish::Abort { state } => wanted::abort(on, state),
        PinsWish::Rollback { revision } => wanted::rollback(&change.store, on, *revision, None).await,
        PinsWish::Revoke { revision } => wanted::revoke(on, *revision),
    }
}

/// Returns the page's error: what is missing, or why the pins are not to be trusted.
fn of_pins(error: PinError) -> SourceError {
    match error {
        PinError::None { .. } | PinError::Lost { .. } => SourceError::Missing(error.to_string()),
        error => SourceError::Failed(format!("{:#}", anyhow::Error::from(error))),
    }
}

#[async_trait]
impl PinsDesk for StoreDesk {
    fn place(&self) -> String {
        self.store.place()
    }

    fn fixed(&self) -> Option<String> {
        self.fixed.clone()
    }

    async fn current(&self) -> Result<SignedPins, SourceError> {
        match self.store.current(None).await.map_err(of_pins)? {
            Some(current) => Ok(SignedPins { signer: Some(self.signer(&current.signer)), pins: current.pins }),
            None => Err(SourceError::Missing(format!("there are no pins at {}", self.store.place()))),
        }
    }

    async fn revision(&self, revision: u64) -> Result<SignedPins, SourceError> {
        let (pins, key) = self.store.signed_revision(revision).await.map_err(of_pins)?;
        Ok(SignedPins { pins, signer: Some(self.signer(&key)) })
    }

    async fn history(&self, limit: usize) -> Result<Vec<PastRevision>, SourceError> {
        let entries = self.store.history(limit).await.map_err(of_pins)?;
        let past = entries.into_iter().map(|entry| PastRevision {
            revision: entry.revision,
            pins: entry.pins.map_err(|error| format!("{:#}", anyhow::Error::from(error))),
        });
        Ok(past.collect())
    }

    async fn candidates(&self, pins: &Pins, state: &str) -> Result<CandidateNews, SourceError> {
        let Some(reports) = &self.reports else { return Ok(CandidateNews::default()) };
        candidates(reports, pins, state).await.map_err(|error| SourceError::Failed(format!("{error:#}")))
    }

    async fn change(&self, wish: &PinsWish, by_whom: Option<(&str, &str)>) -> Result<PinsOutlook, SourceError> {
        if let Some(why) = &self.fixed {
            return Err(SourceError::Refused(why.clone()));
        }
        self.changed(wish, by_whom).await.map_err(|error| SourceError::Refused(format!("{error:#}")))
    }
}

/// The pins of a local run: one revision in a file, made of the components that were built.
pub struct FileDesk(pub PathBuf);

#[async_trait]
impl PinsDesk for FileDesk {
    fn place(&self) -> String {
        self.0.display().to_string()
    }

    fn fixed(&self) -> Option<String> {
        Some(
            "These pins are the components that this command was started with. Start it again with --stage or --config to \
             change them. Pins in a store can be changed here: serve --pins PLACE --registry PLACE --allow-changes."
                .to_owned(),
        )
    }

    async fn current(&self) -> Result<SignedPins, SourceError> {
        let text = tokio::fs::read(&self.0).await;
        let text = text.map_err(|error| SourceError::Failed(format!("cannot read {}: {error}", self.place())))?;
        let pins = Pins::parse(&text, &self.place()).map_err(of_pins)?;
        Ok(SignedPins { pins, signer: None })
    }

    async fn revision(&self, revision: u64) -> Result<SignedPins, SourceError> {
        let signed = self.current().await?;
        let found = signed.pins.revision;
        if found == revision {
            return Ok(signed);
        }
        Err(SourceError::Missing(format!("{} holds revision {found}, not {revision}", self.place())))
    }

    async fn history(&self, _: usize) -> Result<Vec<PastRevision>, SourceError> {
        let SignedPins { pins, .. } = self.current().await?;
        Ok(vec![PastRevision { revision: pins.revision, pins: Ok(pins) }])
    }

    async fn candidates(&self, _: &Pins, _: &str) -> Result<CandidateNews, SourceError> {
        Ok(CandidateNews::default())
    }

    async fn change(&self, _: &PinsWish, _: Option<(&str, &str)>) -> Result<PinsOutlook, SourceError> {
        Err(SourceError::Refused(self.fixed().unwrap_or_default()))
    }
}
