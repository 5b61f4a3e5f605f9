//! `stagehost pins floor`: the lowest revision that hosts start with.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::exit::{Exit, usage};
use crate::output::printer::Printer;
use crate::pinning::args::{FloorArgs, PinsArgs};
use crate::pinning::change::current;

#[derive(Args)]
#[command(after_help = "\
Every change raises it to eight revisions before the new one, so that hosts can still go back from broken ones. A rollback \
or a revocation raises it to the new revision. --raise sets it to the revision in force: from then on no host starts with \
an older one.

Examples:

  stagehost pins floor --environment staging
  stagehost pins floor --environment staging --raise")]
pub struct FloorCommandArgs {
    #[command(flatten)]
    pins: PinsArgs,

    #[command(flatten)]
    floor: FloorArgs,

    /// Raise it to the revision in force
    #[arg(long)]
    raise: bool,
}

/// Runs the command.
///
/// # Errors
/// If no parameter is named, it cannot be read or written, or the pins are not to be trusted.
pub async fn floor(args: FloorCommandArgs, printer: &Printer) -> Result<Exit> {
    args.floor.check_environment(args.pins.environment.as_deref())?;
    let Some(number) = args.floor.open().await else {
        return Err(usage!("no parameter is named; use --floor ARN, or set STAGEHOST_PINS_FLOOR"));
    };
    let in_force = current(&args.pins.open().await?).await?.pins.revision;
    let lowest = match args.raise {
        true => Some(number.raise(in_force).await?),
        false => number.read().await?,
    };
    if args.pins.json {
        printer.document(&json!({"floor": lowest, "inForce": in_force, "place": number.place()}));
        return Ok(Exit::Success);
    }
    match lowest {
        Some(lowest) => {
            printer.line(format_args!("hosts start with no revision below {lowest}; {in_force} is in force"))
        }
        None => printer.line(format_args!("hosts start with any revision; {in_force} is in force")),
    }
    Ok(Exit::Success)
}
