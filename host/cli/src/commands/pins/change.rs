//! One change to the pins: compared with those in force, checked, signed, put in force.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::json;
use stagehost_pins::{Author, CurrentPins, Difference, PinStore, Pins, differences};
use stagehost_registry::{KeyRole, Registry};
use stagehost_runtime::Target;

use super::args::{FloorArgs, PinsArgs};
use super::candidate::{Yanks, checked};
use super::show::print_differences;
use crate::analysis::of_pins;
use crate::console::printer::Printer;
use crate::exit::{Exit, usage};
use crate::registry::args::RegistryArgs;
use crate::registry::compile::targets;
use crate::signing::args::KeyArgs;
use crate::signing::author::author;

/// The options of every change.
#[derive(Args)]
pub struct ChangeArgs {
    #[command(flatten)]
    pins: PinsArgs,

    /// The reason, for the history
    #[arg(long, value_name = "TEXT")]
    why: String,

    /// The person or pipeline that makes the change [default: the user's name]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,

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

    /// Show and check the change, but do not make it
    #[arg(long)]
    dry_run: bool,
}

impl ChangeArgs {
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
        Ok(PinsChange { args: self, printer, store: self.pins.open().await?, registry })
    }
}

/// What kind of change it is.
enum Kind<'a> {
    /// Pins that were not in force before.
    Change,
    /// The pins of an earlier revision.
    Rollback {
        restores: u64,
        /// Why yanked versions are put in force all the same.
        allow_yanked: Option<&'a str>,
    },
    /// The same pins under another signature.
    Resigned,
}

/// A change in progress: the store of pins, and the registry of the versions that they name.
pub struct PinsChange<'a> {
    args: &'a ChangeArgs,
    printer: &'a Printer,
    /// The pins.
    pub store: PinStore,
    /// The registry, if one was named.
    pub registry: Option<Registry>,
}

impl PinsChange<'_> {
    /// Replaces the pins `on` by `next`.
    ///
    /// # Errors
    /// If nothing would change, a check fails, or somebody else has changed the pins meanwhile.
    pub async fn put(&self, on: Option<&CurrentPins>, next: Pins) -> Result<Exit> {
        self.put_as(&Kind::Change, on, next).await
    }

    /// Puts pins in force again. Versions that no registry has come from the package. Yanked ones are refused unless
    /// there is a reason to allow them.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub async fn put_again(
        &self,
        on: &CurrentPins,
        next: Pins,
        restores: u64,
        allow_yanked: Option<&str>,
    ) -> Result<Exit> {
        self.put_as(&Kind::Rollback { restores, allow_yanked }, Some(on), next).await
    }

    /// Signs the pins in force again, for the environment and with the key of this change.
    ///
    /// # Errors
    /// As [`Self::put`], though nothing needs to change.
    pub async fn put_resigned(&self, on: &CurrentPins) -> Result<Exit> {
        self.put_as(&Kind::Resigned, Some(on), on.pins.clone()).await
    }

    /// Returns the environment that was named.
    pub fn environment(&self) -> Option<&str> {
        self.args.pins.environment.as_deref()
    }

    async fn put_as(&self, kind: &Kind<'_>, on: Option<&CurrentPins>, next: Pins) -> Result<Exit> {
        let changes = match on {
            Some(kept) => differences(&kept.pins, &next),
            None => Vec::new(),
        };
        if on.is_some() && changes.is_empty() && !matches!(kind, Kind::Resigned) {
            return Err(usage!("nothing would change: these pins are in force already"));
        }
        next.check()?;
        let (mut checks, yanked) = match on {
            Some(kept) => self.check(&kept.pins, &next, kind).await?,
            None => (Vec::new(), false),
        };
        let findings = of_pins(&next, self.args.state_machine.as_deref())?;
        if let Some(first) = findings.first() {
            bail!(
                "the pins do not fit the state machine ({} findings; --state-machine names another):\n{first}",
                findings.len()
            );
        }
        checks.push("the pins and the state machine fit together".to_owned());
        if self.args.dry_run {
            self.report(None, &changes, &checks)?;
            return Ok(Exit::Success);
        }
        let key = self.args.key.signing(&self.args.pins.trust.keyring.open()?, Some(KeyRole::Pins))?;
        let by = author(self.args.by.as_deref())?;
        if self.args.why.trim().is_empty() {
            return Err(usage!("--why is empty; give the reason, for the history"));
        }
        if let Some(kept) = on.filter(|kept| kept.signer != key.public()) {
            self.printer.note(format_args!(
                "the pins in force are signed by the key {}, these by {}: functions that do not trust it refuse them",
                kept.signer.id(),
                key.public().id()
            ));
        }
        let (why, restores) = match kind {
            Kind::Rollback { restores, allow_yanked: Some(reason) } if yanked => {
                (format!("{}; yanked, and allowed: {reason}", self.args.why), Some(*restores))
            }
            Kind::Rollback { restores, .. } => (self.args.why.clone(), Some(*restores)),
            Kind::Change | Kind::Resigned => (self.args.why.clone(), None),
        };
        let author = Author { key: &key, by: &by, why: &why, restores };
        let done = self.store.put(next, on, &author).await?;
        self.report(Some(&done), &changes, &checks)?;
        self.raise_floor(on.map(|kept| &kept.pins), &done).await?;
        Ok(Exit::Success)
    }

    /// Raises the lowest revision that hosts start with, so that a host can go back from some broken revisions in a row, and
    /// from a rollback or a revocation to none before it.
    async fn raise_floor(&self, before: Option<&Pins>, done: &Pins) -> Result<()> {
        let Some(floor) = self.args.floor.open().await else { return Ok(()) };
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
    async fn check(&self, before: &Pins, next: &Pins, kind: &Kind<'_>) -> Result<(Vec<String>, bool)> {
        let yanks = match kind {
            Kind::Rollback { allow_yanked: Some(_), .. } => Yanks::Allowed,
            Kind::Rollback { allow_yanked: None, .. } => Yanks::Avoidable,
            Kind::Change | Kind::Resigned => Yanks::Refused,
        };
        let (mut checks, mut any_yanked) = (Vec::new(), false);
        for (state, pin) in next.in_new_roles(before) {
            let registry = self.registry.as_ref().with_context(|| {
                format!(
                    "{pin} is new for {state}: name the registry that has it with --registry, or set STAGEHOST_REGISTRY"
                )
            })?;
            checks.push(match checked(registry, &targets(&self.args.targets), yanks, state, pin).await? {
                Some(found) => {
                    any_yanked |= found.yanked;
                    found.says
                }
                None if matches!(kind, Kind::Rollback { .. }) => {
                    format!("{state}: {pin} was in force before and is in no registry: the package has it")
                }
                None => bail!("{} has no {pin}; `stagehost stage publish` puts it there", registry.place()),
            });
        }
        Ok((checks, any_yanked))
    }

    fn report(&self, done: Option<&Pins>, changes: &[Difference], checks: &[String]) -> Result<()> {
        if self.args.pins.json {
            let document = json!({
                "revision": done.map(|pins| pins.revision), "environment": done.and_then(|pins| pins.environment.clone()),
                "dryRun": done.is_none(), "differences": changes, "checks": checks,
            });
            self.printer.document(&document);
            return Ok(());
        }
        print_differences(self.printer, changes);
        for check in checks {
            self.printer.line(format_args!("  ✓ {check}"));
        }
        match done {
            Some(pins) => {
                let environment = pins.environment.as_deref().unwrap_or_default();
                self.printer
                    .line(format_args!("revision {} is in force in the environment {environment}", pins.revision));
            }
            None => self.printer.line("nothing was changed (--dry-run)"),
        }
        Ok(())
    }
}
