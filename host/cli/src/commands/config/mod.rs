//! `stagehost config`: the settings of a run, and the schema of the file that sets them.

mod args;
mod schema;
mod show;

use anyhow::Result;
use clap::Subcommand;

use crate::exit::Exit;
use crate::output::printer::Printer;

#[derive(Subcommand)]
#[command(after_help = "\
Examples:

  stagehost config show GenerateThumbnails
  stagehost config schema > stagehost.schema.json")]
pub enum ConfigCommand {
    /// Print every setting: its value, its default and where the value comes from
    Show(show::ShowArgs),
    /// Print the JSON Schema of the --config file, for editors
    Schema(schema::SchemaArgs),
}

/// Runs a command.
///
/// # Errors
/// If the configuration does not fit, or a file cannot be read.
pub fn config(command: ConfigCommand, printer: &Printer) -> Result<Exit> {
    match command {
        ConfigCommand::Show(args) => show::show(&args, printer),
        ConfigCommand::Schema(args) => schema::print(&args, printer),
    }
}
