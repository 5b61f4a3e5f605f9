//! One change to the pins: compared with those in force, checked, signed, put in force.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use stagehost_pins::{Author, CurrentPins, Difference, PinError, PinStore, Pins, differences};
use stagehost_registry::{KeyRole, Registry};
use stagehost_runtime::Target;

use super::args::{FloorArgs, PinsArgs};
use super::candidate::{Yanks, checked};
use crate::analysis::of_pins;
use crate::exit::usage;
use crate::output::printer::Printer;
use crate::registry::args::RegistryArgs;
use crate::registry::compile::targets;
use crate::signing::args::KeyArgs;
use crate::signing::author::author;

/// What changes are made with: the store, the key, the registry of the versions, what they must fit.
#[derive(Args, Clone)]
pub struct ChangeMeans {
    #[command(flatten)]
    pub pins: PinsArgs,

    #[command(flatten)]
    key: KeyArgs,

    #[command(flatten)]
    floor: FloorArgs,

    #[command(flatten)]
    registry: RegistryArgs,

    /// The hosts' processor: x86_64 or arm64; may be given several times. Pinned versions must be compiled for it
    /// [default: both]
    #[arg(
        long = "target",
        value_name = "TARGET",
        env = "STAGEHOST_TARGET",
        hide_env_values = true,
        value_delimiter = ','
    )]
    targets: Vec<Target>,

    /// The state machine that the pins belong to [default: the shipped one]
    #[arg(long, value_name = "FILE")]
    state_machine: Option<PathBuf>,
}

impl ChangeMeans {
    /// Returns what the pins of this machine's own pipeline are changed with: there is no floor, and versions must be compiled
    /// for this processor.
    pub fn of_this_machine(
        pins: PinsArgs,
        key: KeyArgs,
        registry: RegistryArgs,
        state_machine: Option<PathBuf>,
    ) -> Self {
        let targets = Target::of_this_machine().into_iter().collect();
        Self { pins, key, floor: FloorArgs::default(), registry, targets, state_machine }
    }

    /// Opens the store of pins and the registry. Nothing is read yet.
    ///
    /// # Errors
    /// If no store is named, or a key is invalid.
    pub async fn open<'a>(&'a self, printer: &'a Printer) -> Result<PinsChange<'a>> {
        self.floor.check_environment(self.pins.environment.as_deref())?;
        let registry = match self.registry.is_named() {
            true => Some(self.registry.open(self.pins.trust.trusted()?).await?),
            false => None,
        };
        Ok(PinsChange { means: self, printer, store: self.pins.open().await?, registry })
    }
}

/// What kind of change it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// Pins that were not in force before.
    New,
    /// The pins of an earlier revision. Versions that no registry has come from the package. Yanked ones are refused unless
    /// there is a reason to allow them.
    Rollback {
        restores: u64,
        /// Why yanked versions are put in force all the same.
        allow_yanked: Option<String>,
    },
    /// The same pins under another signature.
    Resigned,
}

/// Pins that would follow those in force.
#[derive(Debug)]
pub struct NextPins {
    pub kind: ChangeKind,
    pub pins: Pins,
}

impl NextPins {
    /// Returns pins that were not in force before.
    pub fn new(pins: Pins) -> Self {
        Self { kind: ChangeKind::New, pins }
    }
}

/// A change that was checked.
#[derive(Debug)]
pub struct CheckedChange {
    next: NextPins,
    /// What differs.
    pub differences: Vec<Difference>,
    /// What was checked, a sentence each.
    pub checks: Vec<String>,
    yanked: bool,
}

/// A change in progress: the store of pins, and the registry of the versions that they name.
pub struct PinsChange<'a> {
    means: &'a ChangeMeans,
    printer: &'a Printer,
    /// The pins.
    pub store: PinStore,
    /// The registry, if one was named.
    pub registry: Option<Registry>,
}

impl PinsChange<'_> {
    /// Returns the environment that was named.
    pub fn environment(&self) -> Option<&str> {
        self.means.pins.environment.as_deref()
    }

    /// Returns the pins in force.
    ///
    /// # Errors
    /// If there are none, or no trusted key has signed them.
    pub async fn current(&self) -> Result<CurrentPins> {
        current(&self.store).await
    }

    /// Compares pins with those in force and checks all that hosts would check.
    ///
    /// # Errors
    /// If nothing would change, or a check fails.
    pub async fn checked(&self, on: Option<&CurrentPins>, next: NextPins) -> Result<CheckedChange> {
        let differences = on.map_or_else(Vec::new, |kept| differences(&kept.pins, &next.pins));
        if on.is_some() && differences.is_empty() && next.kind != ChangeKind::Resigned {
            return Err(usage!("nothing would change: these pins are in force already"));
        }
        next.pins.check()?;
        let (mut checks, yanked) = match on {
            Some(kept) => self.check(&kept.pins, &next).await?,
            None => (Vec::new(), false),
        };
        let findings = of_pins(&next.pins, self.means.state_machine.as_deref())?;
        if let Some(first) = findings.first() {
            bail!(
                "the pins do not fit the state machine ({} findings; --state-machine names another):\n{first}",
                findings.len()
            );
        }
        checks.push("the pins and the state machine fit together".to_owned());
        Ok(CheckedChange { next, differences, checks, yanked })
    }

    /// Signs a checked change and puts it in force.
    ///
    /// # Errors
    /// If no key may sign it, or somebody else has changed the pins meanwhile.
    pub async fn make(
        &self,
        on: Option<&CurrentPins>,
        change: CheckedChange,
        by: Option<&str>,
        why: &str,
    ) -> Result<Pins> {
        let key = self.means.key.signing(&self.means.pins.trust.keyring.open()?, Some(KeyRole::Pins))?;
        let by = author(by)?;
        if why.trim().is_empty() {
            return Err(usage!("--why is empty; give the reason, for the history"));
        }
        if let Some(kept) = on.filter(|kept| kept.signer != key.public()) {
            self.printer.note(format_args!(
                "the pins in force are signed by the key {}, these by {}: functions that do not trust it refuse them",
                kept.signer.id(),
                key.public().id()
            ));
        }
        let (why, restores) = match &change.next.kind {
            ChangeKind::Rollback { restores, allow_yanked: Some(reason) } if change.yanked => {
                (format!("{why}; yanked, and allowed: {reason}"), Some(*restores))
            }
            ChangeKind::Rollback { restores, .. } => (why.to_owned(), Some(*restores)),
            ChangeKind::New | ChangeKind::Resigned => (why.to_owned(), None),
        };
        let author = Author { key: &key, by: &by, why: &why, restores };
        Ok(self.store.put(change.next.pins, on, &author).await?)
    }

    /// Raises the lowest revision that hosts start with, so that a host can go back from some broken revisions in a row, and
    /// from a rollback or a revocation to none before it.
    ///
    /// # Errors
    /// If the number cannot be written. The change is in force.
    pub async fn raise_floor(&self, before: Option<&Pins>, done: &Pins) -> Result<()> {
        let Some(floor) = self.means.floor.open().await else { return Ok(()) };
        let lowest = self.store.floor_after(before, done).await?;
        floor.raise(lowest).await.with_context(|| {
            format!(
                "revision {} is in force, but the lowest revision that hosts start with was not raised to {lowest}; \
                 `stagehost pins floor --raise` tries again",
                done.revision
            )
        })?;
        Ok(())
    }

    /// Checks every pin that takes a role which it does not have yet. Returns a sentence for each, and whether one is yanked.
    async fn check(&self, before: &Pins, next: &NextPins) -> Result<(Vec<String>, bool)> {
        let yanks = match &next.kind {
            ChangeKind::Rollback { allow_yanked: Some(_), .. } => Yanks::Allowed,
            ChangeKind::Rollback { allow_yanked: None, .. } => Yanks::Avoidable,
            ChangeKind::New | ChangeKind::Resigned => Yanks::Refused,
        };
        let (mut checks, mut any_yanked) = (Vec::new(), false);
        for (state, pin) in next.pins.in_new_roles(before) {
            let registry = self.registry.as_ref().with_context(|| {
                format!(
                    "{pin} is new for {state}: name the registry that has it with --registry, or set STAGEHOST_REGISTRY"
                )
            })?;
            checks.push(match checked(registry, &targets(&self.means.targets), yanks, state, pin).await? {
                Some(found) => {
                    any_yanked |= found.yanked;
                    found.says
                }
                None if matches!(next.kind, ChangeKind::Rollback { .. }) => {
                    format!("{state}: {pin} was in force before and is in no registry: the package has it")
                }
                None => bail!("{} has no {pin}; `stagehost stage publish` puts it there", registry.place()),
            });
        }
        Ok((checks, any_yanked))
    }
}

/// Returns the pins in force.
///
/// # Errors
/// If there are none, or no trusted key has signed them.
pub async fn current(store: &PinStore) -> Result<CurrentPins> {
    store.current(None).await?.with_context(|| format!("there are no pins at {}", store.place()))
}

/// Returns a revision that the command line names.
///
/// # Errors
/// If there is no such revision (wrong usage) or it was lost, or if no trusted key has signed it.
pub async fn revision(store: &PinStore, revision: u64) -> Result<Pins> {
    match store.revision(revision).await {
        Err(lost @ PinError::Lost { .. }) => {
            let newest = current(store).await?.pins.revision;
            if (1..=newest).contains(&revision) {
                return Err(lost.into());
            }
            Err(usage!("there is no revision {revision} of the pins at {}: the newest is {newest}", store.place()))
        }
        found => Ok(found?),
    }
}
