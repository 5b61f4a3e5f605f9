//! One change to the pins, from what is in force to what shall be: shown, checked, signed, put in force.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::json;
use stagehost_aws::storage_from_env;
use stagehost_pins::{Author, CurrentPins, Difference, Pin, PinStore, Pins, differences};
use stagehost_registry::Registry;
use stagehost_runtime::Target;
use stagehost_storage::Location;

use super::PlaceArgs;
use super::candidate::checked;
use super::show::print_differences;
use crate::check::of_pins;
use crate::exit::{Exit, usage};
use crate::keyring::{KeyArgs, Keyring};
use crate::registry::targets;

/// What every change has in common.
#[derive(Args)]
pub struct ChangeArgs {
    #[command(flatten)]
    place: PlaceArgs,

    /// Why, for whoever reads the history
    #[arg(long, value_name = "TEXT")]
    why: String,

    /// Who; a person or a pipeline [default: the user's name]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,

    #[command(flatten)]
    key: KeyArgs,

    /// Where stages are published: s3://bucket/prefix or a folder
    #[arg(long, value_name = "PLACE", env = "STAGEHOST_REGISTRY", hide_env_values = true)]
    registry: Option<Location>,

    /// The processor of the hosts: x86_64 or arm64; may be given several times. What is pinned has to be compiled for it
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

    /// Say what would change and check it, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl ChangeArgs {
    /// Opens what a change is made on. Nothing is asked of either place yet.
    ///
    /// # Errors
    /// If a key that is to be believed is none.
    pub async fn open(&self) -> Result<Places<'_>> {
        let registry = match &self.registry {
            Some(location) => Some(Registry::new(storage_from_env(location).await, self.place.believe.trusted()?)),
            None => None,
        };
        Ok(Places { args: self, store: self.place.store().await?, registry })
    }
}

/// The pins to be changed, and the registry that has what they name.
pub struct Places<'a> {
    args: &'a ChangeArgs,
    /// The pins.
    pub store: PinStore,
    /// The registry, if one was named.
    pub registry: Option<Registry>,
}

impl Places<'_> {
    /// Puts `next` in force in place of `on`.
    ///
    /// # Errors
    /// If nothing would change, a check fails, or somebody was first.
    pub async fn put(&self, on: Option<&CurrentPins>, next: Pins) -> Result<Exit> {
        self.put_checked(on, next, None).await
    }

    /// The same for pins that have been in force before: of their stages, those that no registry has are the package's.
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
            return Err(usage!("nothing would change: the pins say that already"));
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
        checks.push("the pins and the state machine belong together".to_owned());
        if self.args.dry_run {
            self.report(None, &changes, &checks)?;
            return Ok(Exit::Success);
        }
        let keyring = Keyring::open(&self.args.place.believe.keyring)?;
        let key = keyring.signing(self.args.key.key.as_deref())?;
        let by = self.args.by.clone().or_else(|| std::env::var("USER").ok()).filter(|by| !by.is_empty());
        let by = by.ok_or_else(|| usage!("who makes this change? name them with --by"))?;
        if self.args.why.trim().is_empty() {
            return Err(usage!("--why is empty; whoever reads the history will want to know"));
        }
        if let Some(kept) = on.filter(|kept| kept.signer != key.public()) {
            eprintln!(
                "the pins in force are signed by the key {}, these by {}: functions that do not trust it refuse them",
                kept.signer.id(),
                key.public().id()
            );
        }
        let author = Author { key: &key, by: &by, why: &self.args.why, restores };
        let done = self.store.put(next, on, &author).await?;
        self.report(Some(&done), &changes, &checks)?;
        Ok(Exit::Success)
    }

    /// Checks every pin that is not in force already; gives what was found right, for people.
    async fn check(&self, before: Option<&Pins>, next: &Pins, again: bool) -> Result<Vec<String>> {
        let known: Vec<&Pin> = before.iter().flat_map(|pins| pins.pins()).map(|(_, pin)| pin).collect();
        let same = |pin: &Pin| known.iter().any(|known| known.identity() == pin.identity());
        let mut checks = Vec::new();
        for (state, pin) in next.pins().filter(|(_, pin)| before.is_some() && !same(pin)) {
            let registry = self.registry.as_ref().with_context(|| {
                format!(
                    "{pin} is new for {state}: name the registry that has it with --registry, so that it can be checked"
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
        if self.args.place.json {
            let document = json!({
                "revision": done.map(|pins| pins.revision), "dryRun": done.is_none(), "differences": changes, "checks": checks,
            });
            println!("{document:#}");
            return Ok(());
        }
        print_differences(changes);
        for check in checks {
            println!("  ✓ {check}");
        }
        match done {
            Some(pins) => println!("revision {} is in force", pins.revision),
            None => println!("nothing was changed (--dry-run)"),
        }
        Ok(())
    }
}
