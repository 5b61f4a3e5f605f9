//! `stagehost check`: do the state machine, the pins and the schema of the batch fit together?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use serde_json::json;
use stagehost_pins::Pins;

use crate::analysis::finding::Finding;
use crate::analysis::machine::Pinned;
use crate::analysis::{findings, pinned, shipped};
use crate::build::host_states::host_states;
use crate::build::release_pins::release_pins;
use crate::exit::{Exit, read_named_text, usage};
use crate::output::printer::Printer;

/// Check that the state machine, the pins and the batch's schema fit together
///
/// It finds: a state that calls the host without a pin, and a pin without a state; a call without a field that the host
/// needs; a task token where the state does not wait for one, or no token where it does; a path that finds nothing, at
/// least on one route to its state; a value of the wrong type for a rule or a function; a document that the host does not
/// know; a task whose timeout is shorter than its stage's; a Retry of an error that is permanent; a failure that nothing
/// catches; an end that informs neither the backend nor the dead-letter queue.
#[derive(Args)]
#[command(after_help = "\
Exit codes: 0 nothing found, 1 findings, 2 wrong usage or a missing file.

Examples:

  stagehost check
  stagehost check --pins package/pins.json")]
pub struct CheckArgs {
    /// A state machine in the Amazon States Language, instead of the shipped one
    #[arg(long, value_name = "FILE")]
    state_machine: Option<PathBuf>,

    /// Pins, such as pins.json of a package, instead of the release's own
    #[arg(long, value_name = "FILE")]
    pins: Option<PathBuf>,

    /// The JSON Schema of the batch document, instead of the shipped one
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// If a file cannot be read, or the pins are invalid.
pub fn check(args: CheckArgs, printer: &Printer) -> Result<Exit> {
    let machine = shipped::STATE_MACHINE.or(args.state_machine.as_deref())?;
    let schema = shipped::SCHEMA.or(args.schema.as_deref())?;
    let pins = match &args.pins {
        Some(file) => of_file(file)?,
        None => release_pins()
            .map(|pin| {
                (pin.state.to_owned(), Pinned { world: pin.world.name().to_owned(), deadline_ms: pin.deadline_ms })
            })
            .collect(),
    };
    // A definition that is not JSON is a finding; it has no states here.
    let dispatched = host_states(&machine.text).unwrap_or_default().into_iter().collect();
    let found = findings(&machine.text, &schema.text, &pins, dispatched)
        .map_err(|e| usage!("{}: {e:#}", schema.place.display()))?;
    if args.json {
        let document = json!({
            "stateMachine": machine.place, "pins": args.pins, "schema": schema.place, "pinned": pins.len(),
            "fits": found.is_empty(), "findings": found,
        });
        printer.document(&document);
    } else {
        print(printer, &machine.place, args.pins.as_deref(), &schema.place, &found);
    }
    Ok(if found.is_empty() { Exit::Success } else { Exit::Failure })
}

fn print(printer: &Printer, machine: &Path, pins: Option<&Path>, schema: &Path, found: &[Finding]) {
    let pins = pins.map_or("those of this release".to_owned(), |file| file.display().to_string());
    printer.line(format_args!("state machine  {}", machine.display()));
    printer.line(format_args!("pins           {pins}"));
    printer.line(format_args!("schema         {}", schema.display()));
    for finding in found {
        printer.line(finding);
    }
    match found.len() {
        0 => printer.line("✓ they fit together"),
        1 => printer.line("1 finding"),
        several => printer.line(format_args!("{several} findings")),
    }
}

fn of_file(file: &Path) -> Result<BTreeMap<String, Pinned>> {
    let pins = Pins::parse(read_named_text("--pins", file)?.as_bytes(), &file.display().to_string())
        .map_err(|e| usage!("{e}"))?;
    Ok(pinned(&pins))
}
