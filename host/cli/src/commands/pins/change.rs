//! One change to the pins: compared with those in force, checked, signed, put in force.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::json;
use stagehost_pins::{Author, CurrentPins, Difference, Pin, PinStore, Pins, differences};
use stagehost_registry::Registry;
use stagehost_runtime::Target;

use super::args::PinsArgs;
use super::candidate::checked;
use super::show::print_differences;
use crate::analysis::of_pins;
use crate::console::printer::Printer;
use crate::exit::{Exit, usage};
use crate::registry::args::RegistryArgs;
use crate::registry::compile::targets;
use crate::signing::args::KeyArgs;

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
        let registry = match self.registry.is_named() {
            true => Some(self.registry.open(self.pins.trust.trusted()?).await?),
            false => None,
        };
        Ok(PinsChange { args: self, printer, store: self.pins.open().await?, registry })
    }
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
        self.put_checked(on, next, None).await
    }

    /// Puts pins in force again. Versions that no registry has come from the package.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub async fn put_again(&self, on: &CurrentPins, next: Pins, restores: u64) -> Result<Exit> {
        self.put_checked(Some(on), next, Some(restores)).await
    }

    async fn put_checked(&self, on: Option<&CurrentPins>, next: Pins, restores: Option<u64>) -> Result<Exit> {
        let changes = match on {
            Some(kept) => differences(&kept.pins, &next),
            None => Vec::new(),
        };
        if on.is_some() && changes.is_empty() {
            return Err(usage!("nothing would change: these pins are in force already"));
        }
        next.check()?;
        let mut checks = self.check(on.map(|kept| &kept.pins), &next, restores.is_some()).await?;
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
        let key = self.args.key.signing(&self.args.pins.trust.keyring.open()?)?;
        let by = self.args.by.clone().or_else(|| std::env::var("USER").ok()).filter(|by| !by.is_empty());
        let by = by.ok_or_else(|| usage!("who makes this change? name a person or pipeline with --by"))?;
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
        let author = Author { key: &key, by: &by, why: &self.args.why, restores };
        let done = self.store.put(next, on, &author).await?;
        self.report(Some(&done), &changes, &checks)?;
        Ok(Exit::Success)
    }

    /// Checks every pin that is not in force already. Returns a sentence for each.
    async fn check(&self, before: Option<&Pins>, next: &Pins, again: bool) -> Result<Vec<String>> {
        let known: Vec<&Pin> = before.iter().flat_map(|pins| pins.pins()).map(|(_, pin)| pin).collect();
        let same = |pin: &Pin| known.iter().any(|known| known.identity() == pin.identity());
        let mut checks = Vec::new();
        for (state, pin) in next.pins().filter(|(_, pin)| before.is_some() && !same(pin)) {
            let registry = self.registry.as_ref().with_context(|| {
                format!(
                    "{pin} is new for {state}: name the registry that has it with --registry, or set STAGEHOST_REGISTRY"
                )
            })?;
            checks.push(match checked(registry, &targets(&self.args.targets), state, pin).await? {
                Some(found) => found,
                None if again => {
                    format!("{state}: {pin} was in force before and is in no registry: the package has it")
                }
                None => bail!("{} has no {pin}; `stagehost stage publish` puts it there", registry.place()),
            });
        }
        Ok(checks)
    }

    fn report(&self, done: Option<&Pins>, changes: &[Difference], checks: &[String]) -> Result<()> {
        if self.args.pins.json {
            let document = json!({
                "revision": done.map(|pins| pins.revision), "dryRun": done.is_none(), "differences": changes, "checks": checks,
            });
            self.printer.document(&document);
            return Ok(());
        }
        print_differences(self.printer, changes);
        for check in checks {
            self.printer.line(format_args!("  ✓ {check}"));
        }
        match done {
            Some(pins) => self.printer.line(format_args!("revision {} is in force", pins.revision)),
            None => self.printer.line("nothing was changed (--dry-run)"),
        }
        Ok(())
    }
}
