//! The options of every change, and what is printed about it.

use anyhow::Result;
use clap::Args;
use serde_json::json;
use stagehost_pins::{CurrentPins, Difference, Pins};

use super::show::print_differences;
use crate::exit::Exit;
use crate::output::printer::Printer;
use crate::pinning::change::{ChangeMeans, NextPins, PinsChange};

/// The options of every change.
#[derive(Args)]
pub struct ChangeArgs {
    #[command(flatten)]
    means: ChangeMeans,

    /// The reason, for the history
    #[arg(long, value_name = "TEXT")]
    why: String,

    /// The person or pipeline that makes the change [default: the user's name]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,

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
        self.means.open(printer).await
    }

    /// Checks a change and, unless it is a dry run, makes it.
    ///
    /// # Errors
    /// If nothing would change, a check fails, or somebody else has changed the pins meanwhile.
    pub async fn put(
        &self,
        change: &PinsChange<'_>,
        on: Option<&CurrentPins>,
        next: NextPins,
        printer: &Printer,
    ) -> Result<Exit> {
        let checked = change.checked(on, next).await?;
        let (differences, checks) = (checked.differences.clone(), checked.checks.clone());
        if self.dry_run {
            self.report(None, &differences, &checks, printer);
            return Ok(Exit::Success);
        }
        let done = change.make(on, checked, self.by.as_deref(), &self.why).await?;
        self.report(Some(&done), &differences, &checks, printer);
        change.raise_floor(on.map(|kept| &kept.pins), &done).await?;
        Ok(Exit::Success)
    }

    fn report(&self, done: Option<&Pins>, changes: &[Difference], checks: &[String], printer: &Printer) {
        if self.means.pins.json {
            let document = json!({
                "revision": done.map(|pins| pins.revision), "environment": done.and_then(|pins| pins.environment.clone()),
                "dryRun": done.is_none(), "differences": changes, "checks": checks,
            });
            printer.document(&document);
            return;
        }
        print_differences(printer, changes);
        for check in checks {
            printer.line(format_args!("  ✓ {check}"));
        }
        match done {
            Some(pins) => {
                let environment = pins.environment.as_deref().unwrap_or_default();
                printer.line(format_args!("revision {} is in force in the environment {environment}", pins.revision));
            }
            None => printer.line("nothing was changed (--dry-run)"),
        }
    }
}
