//! `stagehost pins show`, `history` and `diff`.

use anyhow::Result;
use clap::Args;
use comfy_table::Table;
use serde_json::json;
use stagehost_pins::{Difference, Pin, Pins, differences, short_digest};

use crate::exit::{Exit, usage};
use crate::output::printer::Printer;
use crate::output::table;
use crate::pinning::args::PinsArgs;
use crate::pinning::change::{current, revision};

#[derive(Args)]
#[command(after_help = "Examples:\n\n  stagehost pins show\n  stagehost pins show --revision 12 --json")]
pub struct ShowArgs {
    #[command(flatten)]
    pins: PinsArgs,

    /// This revision, instead of the one in force
    #[arg(long, value_name = "N")]
    revision: Option<u64>,
}

#[derive(Args)]
#[command(after_help = "Examples:\n\n  stagehost pins history\n  stagehost pins history --last 5 --json")]
pub struct HistoryArgs {
    #[command(flatten)]
    pins: PinsArgs,

    /// How many revisions, the newest first
    #[arg(long, value_name = "N", default_value_t = 20)]
    last: usize,
}

#[derive(Args)]
#[command(after_help = "Examples:\n\n  stagehost pins diff\n  stagehost pins diff 12 14")]
pub struct DiffArgs {
    #[command(flatten)]
    pins: PinsArgs,

    /// The earlier revision [default: the one before the other]
    before: Option<u64>,

    /// The later revision [default: the one in force]
    after: Option<u64>,
}

pub async fn show(args: ShowArgs, printer: &Printer) -> Result<Exit> {
    let store = args.pins.open().await?;
    let pins = match args.revision {
        Some(named) => revision(&store, named).await?,
        None => current(&store).await?.pins,
    };
    if args.pins.json {
        printer.document(&pins);
        return Ok(Exit::Success);
    }
    printer.line(heading(&pins));
    printer.line(table::text(stages(&pins)));
    for (state, canary) in &pins.canaries {
        let limit = canary
            .abort_above_percent
            .map_or_else(String::new, |p| format!(", given up if {p} % of its runs more are defects"));
        printer.line(format_args!(
            "canary of {state}: {} for {} % of executions{limit}",
            named(&canary.pin),
            canary.percent
        ));
    }
    for (state, shadow) in &pins.shadows {
        printer.line(format_args!(
            "shadow of {state}: {} beside {} % of executions",
            named(&shadow.pin),
            shadow.percent
        ));
    }
    for (state, percent) in &pins.recordings {
        printer.line(format_args!("recorded: {percent} % of executions of {state}"));
    }
    if !pins.revoked.is_empty() {
        let revoked: Vec<_> = pins.revoked.iter().map(u64::to_string).collect();
        printer.line(format_args!("revoked revisions: {}", revoked.join(", ")));
    }
    Ok(Exit::Success)
}

fn heading(pins: &Pins) -> String {
    let environment = pins.environment.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    match &pins.change {
        Some(change) => {
            format!("revision {}{environment} by {}, {}: {}", pins.revision, change.by, change.at, change.why)
        }
        None => format!("revision {}{environment}", pins.revision),
    }
}

fn stages(pins: &Pins) -> Table {
    let mut table = table::table(&["State", "Stage", "Version", "World", "Memory", "Deadline", "Digest"]);
    for (state, pin) in &pins.states {
        table.add_row([
            state.clone(),
            pin.stage.clone(),
            pin.version.clone(),
            pin.world.to_string(),
            format!("{} MiB", pin.limits.memory_mib),
            format!("{} s", pin.limits.deadline_ms as f64 / 1e3),
            short_digest(&pin.digest).to_owned(),
        ]);
    }
    table
}

/// Returns name, version and the digest's beginning.
fn named(pin: &Pin) -> String {
    format!("{pin} ({})", short_digest(&pin.digest))
}

pub async fn history(args: HistoryArgs, printer: &Printer) -> Result<Exit> {
    let store = args.pins.open().await?;
    // One more: the oldest one shown is compared with the one before it.
    let revisions = store.history(args.last.saturating_add(1)).await?;
    let changes = |at: usize, pins: &Pins| {
        let before = revisions.get(at + 1)?.pins.as_ref().ok()?;
        Some(differences(before, pins))
    };
    let shown = revisions.iter().enumerate().take(args.last);
    if args.pins.json {
        let list: Vec<_> = shown
            .map(|(at, entry)| match &entry.pins {
                Ok(pins) => json!({
                    "revision": entry.revision, "environment": pins.environment, "change": pins.change,
                    "differences": changes(at, pins),
                }),
                Err(error) => json!({"revision": entry.revision, "refused": error.to_string()}),
            })
            .collect();
        printer.document(&list);
        return Ok(Exit::Success);
    }
    for (at, entry) in shown {
        match &entry.pins {
            Ok(pins) => {
                printer.line(heading(pins));
                print_differences(printer, &changes(at, pins).unwrap_or_default());
            }
            Err(error) => printer.line(format_args!("revision {}: REFUSED: {error}", entry.revision)),
        }
    }
    Ok(Exit::Success)
}

/// Prints differences, one a line.
pub fn print_differences(printer: &Printer, differences: &[Difference]) {
    for difference in differences {
        printer.line(format_args!("  {difference}"));
    }
}

pub async fn diff(args: DiffArgs, printer: &Printer) -> Result<Exit> {
    let store = args.pins.open().await?;
    let (before, after) = match (args.before, args.after) {
        (Some(before), Some(after)) => (revision(&store, before).await?, revision(&store, after).await?),
        (Some(before), None) => (revision(&store, before).await?, current(&store).await?.pins),
        _ => {
            let after = current(&store).await?.pins;
            let previous = after.change.as_ref().and_then(|change| change.previous);
            let previous = previous.ok_or_else(|| usage!("revision {} is the first one", after.revision))?;
            (store.revision(previous).await?, after)
        }
    };
    let found = differences(&before, &after);
    if args.pins.json {
        printer.document(&json!({"before": before.revision, "after": after.revision, "differences": found}));
    } else {
        printer.line(format_args!("from revision {} to {}:", before.revision, after.revision));
        print_differences(printer, &found);
        if found.is_empty() {
            printer.line("  nothing");
        }
    }
    Ok(Exit::Success)
}
