//! `stagehost config schema`: the JSON Schema of the `--config` file.

use anyhow::Result;
use clap::Args;

use super::args::StatesArgs;
use crate::exit::Exit;
use crate::output::printer::Printer;
use crate::settings::schema::schema;

#[derive(Args)]
#[command(after_help = "\
An editor completes and checks a file that names the schema in \
its first line: {\"$schema\": \"./stagehost.schema.json\",

Exit codes: 0 printed, 2 wrong usage or a missing file.

Examples:

  stagehost config schema > stagehost.schema.json
  stagehost config schema --state-machine my.asl.json \\
    --stage AddNotes=./my_stage.wasm")]
pub struct SchemaArgs {
    #[command(flatten)]
    states: StatesArgs,
}

/// Runs the command.
///
/// # Errors
/// If the state machine or a component cannot be read.
pub fn print(args: &SchemaArgs, printer: &Printer) -> Result<Exit> {
    printer.document(&schema(&args.states.states()?, &args.states.stages_named)?);
    Ok(Exit::Success)
}
