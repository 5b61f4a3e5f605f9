//! Pins looked at: those in force, those of before, and what is different.

use anyhow::{Context as _, Result};
use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::json;
use stagehost_pins::{Difference, Pin, PinStore, Pins, differences};

use super::PlaceArgs;
use crate::exit::{Exit, usage};

#[derive(Args)]
pub struct ShowArgs {
    #[command(flatten)]
    place: PlaceArgs,

    /// Of this revision, instead of the one in force
    #[arg(long, value_name = "N")]
    revision: Option<u64>,
}

#[derive(Args)]
pub struct HistoryArgs {
    #[command(flatten)]
    place: PlaceArgs,

    /// The newest so many
    #[arg(long, value_name = "N", default_value_t = 20)]
    last: usize,
}

#[derive(Args)]
pub struct DiffArgs {
    #[command(flatten)]
    place: PlaceArgs,

    /// The earlier revision [default: the one before the other]
    before: Option<u64>,

    /// The later revision [default: the one in force]
    after: Option<u64>,
}

/// The pins in force.
///
/// # Errors
/// If there are none, or nobody who is trusted has signed them.
pub async fn current(store: &PinStore) -> Result<stagehost_pins::CurrentPins> {
    store.current(None).await?.with_context(|| format!("there are no pins at {}", store.place()))
}

pub async fn show(args: ShowArgs) -> Result<Exit> {
    let store = args.place.store().await?;
    let pins = match args.revision {
        Some(revision) => store.revision(revision).await?,
        None => current(&store).await?.pins,
    };
    if args.place.json {
        println!("{}", serde_json::to_string_pretty(&pins)?);
        return Ok(Exit::Success);
    }
    println!("{}", heading(&pins));
    println!("{}", table(&pins));
    for (state, canary) in &pins.canaries {
        let limit = canary.abort_above_percent.map_or_else(String::new, |p| format!(", given up above {p} % defects"));
        println!("canary of {state}: {} for {} % of executions{limit}", named(&canary.pin), canary.percent);
    }
    for (state, shadow) in &pins.shadows {
        println!("shadow of {state}: {} beside {} % of executions", named(&shadow.pin), shadow.percent);
    }
    for (state, percent) in &pins.recordings {
        println!("recorded: {percent} % of executions of {state}");
    }
    if !pins.revoked.is_empty() {
        let revoked: Vec<_> = pins.revoked.iter().map(u64::to_string).collect();
        println!("revoked revisions: {}", revoked.join(", "));
    }
    Ok(Exit::Success)
}

fn heading(pins: &Pins) -> String {
    match &pins.change {
        Some(change) => format!("revision {} by {}, {}: {}", pins.revision, change.by, change.at, change.why),
        None => format!("revision {}", pins.revision),
    }
}

fn table(pins: &Pins) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["State", "Stage", "Version", "World", "Memory", "Deadline", "Digest"]);
    for (state, pin) in &pins.states {
        table.add_row([
            state.clone(),
            pin.stage.clone(),
            pin.version.clone(),
            pin.world.to_string(),
            format!("{} MiB", pin.limits.memory_mib),
            format!("{} s", pin.limits.deadline_ms as f64 / 1e3),
            short(&pin.digest).to_owned(),
        ]);
    }
    table
}

/// Name, version and enough of the digest to tell it from others.
pub fn named(pin: &Pin) -> String {
    format!("{pin} ({})", short(&pin.digest))
}

fn short(digest: &str) -> &str {
    digest.get(.."sha256:".len() + 12).unwrap_or(digest)
}

pub async fn history(args: HistoryArgs) -> Result<Exit> {
    let store = args.place.store().await?;
    // One more, because the last one shown is compared with the one before it.
    let revisions = store.history(args.last.saturating_add(1)).await?;
    let changes = |at: usize| revisions.get(at + 1).map(|before| differences(before, &revisions[at]));
    let shown = revisions.iter().enumerate().take(args.last);
    if args.place.json {
        let list: Vec<_> = shown
            .map(|(at, pins)| json!({"revision": pins.revision, "change": pins.change, "differences": changes(at)}))
            .collect();
        println!("{:#}", json!(list));
        return Ok(Exit::Success);
    }
    for (at, pins) in shown {
        println!("{}", heading(pins));
        print_differences(&changes(at).unwrap_or_default());
    }
    Ok(Exit::Success)
}

pub fn print_differences(differences: &[Difference]) {
    for difference in differences {
        println!("  {difference}");
    }
}

pub async fn diff(args: DiffArgs) -> Result<Exit> {
    let store = args.place.store().await?;
    let (before, after) = match (args.before, args.after) {
        (Some(before), Some(after)) => (store.revision(before).await?, store.revision(after).await?),
        (Some(before), None) => (store.revision(before).await?, current(&store).await?.pins),
        _ => {
            let after = current(&store).await?.pins;
            let previous = after.change.as_ref().and_then(|change| change.previous);
            let previous = previous.ok_or_else(|| usage!("revision {} is the first one", after.revision))?;
            (store.revision(previous).await?, after)
        }
    };
    let found = differences(&before, &after);
    if args.place.json {
        println!("{:#}", json!({"before": before.revision, "after": after.revision, "differences": found}));
    } else {
        println!("from revision {} to {}:", before.revision, after.revision);
        print_differences(&found);
        if found.is_empty() {
            println!("  nothing");
        }
    }
    Ok(Exit::Success)
}
