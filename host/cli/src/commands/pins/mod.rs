//! `stagehost pins`: shows and changes which stage runs for which state.
//!
//! A change replaces exactly the pins that it was compared with. If somebody else has changed them meanwhile, it fails and
//! nothing is lost.

mod change;
mod edit;
mod floor;
mod shadow_report;
mod show;

use anyhow::Result;
use clap::Subcommand;

use crate::exit::Exit;
use crate::output::printer::Printer;

#[derive(Subcommand)]
#[command(after_help = "\
Exit codes: 0 done, 1 failure, 2 wrong usage or a missing file.

Examples: a version for one execution in twenty, then for all, then back again

  BUCKET=s3://toq-listing-medias
  export STAGEHOST_PINS=$BUCKET/pipeline/pins
  export STAGEHOST_REGISTRY=$BUCKET/pipeline/registry
  stagehost pins canary GenerateThumbnails 1.5.0 \\
    --percent 5 --why \"sharper\"
  stagehost pins promote GenerateThumbnails \\
    --why \"a day without a failure\"
  stagehost pins rollback --why \"colours are off\"")]
pub enum PinsCommand {
    /// Print the pins in force, or those of a revision
    Show(show::ShowArgs),
    /// List the revisions, with who changed what, when and why
    History(show::HistoryArgs),
    /// Compare two revisions
    Diff(show::DiffArgs),
    /// Put the first revision in force, from a package or a file
    Init(edit::InitArgs),
    /// Pin another version, or other settings, to a state
    Set(edit::SetArgs),
    /// Put an earlier revision in force again, by default the one before
    Rollback(edit::RollbackArgs),
    /// Sign the pins in force again: with another key, or for an environment
    Resign(edit::ResignArgs),
    /// Print or raise the lowest revision that hosts start with
    Floor(floor::FloorCommandArgs),
    /// Forbid a revision: executions that began with it go on with the pins in force
    Revoke(edit::RevokeArgs),
    /// Use a version for some executions
    Canary(edit::CanaryArgs),
    /// Make a state's canary its pin
    Promote(edit::EndArgs),
    /// End a state's canary
    Abort(edit::EndArgs),
    /// Run a version beside the pinned one, compare the results, and discard those of the version
    Shadow(edit::ShadowArgs),
    /// Summarise how a state's shadow versions compare with the pinned one
    ShadowReport(shadow_report::ShadowReportArgs),
    /// Record the calls of some executions, for `stagehost replay`
    Record(edit::RecordArgs),
}

/// Runs a command.
///
/// # Errors
/// If it fails; the text says where and what to do.
pub async fn pins(command: PinsCommand, printer: &Printer) -> Result<Exit> {
    match command {
        PinsCommand::Show(args) => show::show(args, printer).await,
        PinsCommand::History(args) => show::history(args, printer).await,
        PinsCommand::Diff(args) => show::diff(args, printer).await,
        PinsCommand::Init(args) => edit::init(args, printer).await,
        PinsCommand::Set(args) => edit::set(args, printer).await,
        PinsCommand::Rollback(args) => edit::rollback(args, printer).await,
        PinsCommand::Resign(args) => edit::resign(args, printer).await,
        PinsCommand::Floor(args) => floor::floor(args, printer).await,
        PinsCommand::Revoke(args) => edit::revoke(args, printer).await,
        PinsCommand::Canary(args) => edit::canary(args, printer).await,
        PinsCommand::Promote(args) => edit::promote(args, printer).await,
        PinsCommand::Abort(args) => edit::abort(args, printer).await,
        PinsCommand::Shadow(args) => edit::shadow(args, printer).await,
        PinsCommand::ShadowReport(args) => shadow_report::shadow_report(args, printer).await,
        PinsCommand::Record(args) => edit::record(args, printer).await,
    }
}
