//! `stagehost pins`: which stage runs for which state, looked at and changed.
//!
//! Every change is made on the pins that it was shown against: who was overtaken meanwhile is told, and nothing is lost.

mod args;
mod candidate;
mod change;
mod edit;
mod shadow_report;
mod show;

use anyhow::Result;
use clap::Subcommand;

use crate::exit::Exit;

#[derive(Subcommand)]
#[command(
    after_help = "Example: try a version on one execution in twenty, then for all, then think better of it\n\n  \
    export STAGEHOST_PINS=s3://toq-listing-medias/pipeline/pins STAGEHOST_REGISTRY=s3://toq-listing-medias/pipeline/registry\n  \
    stagehost pins canary GenerateThumbnails 1.5.0 --percent 5 --why \"sharper\"\n  \
    stagehost pins promote GenerateThumbnails --why \"a day without a failure\"\n  \
    stagehost pins rollback --why \"colours are off\""
)]
pub enum PinsCommand {
    /// Print the pins in force, or those of a revision
    Show(show::ShowArgs),
    /// List the revisions that were in force: who, when, why, what
    History(show::HistoryArgs),
    /// Say what is different between two revisions
    Diff(show::DiffArgs),
    /// Put the first revision in force, such as the pins of a package
    Init(edit::InitArgs),
    /// Pin another version, or other settings, to a state
    Set(edit::SetArgs),
    /// Put an earlier revision in force again, by default the one before
    Rollback(edit::RollbackArgs),
    /// Let no execution go on with a revision, not even one that began with it
    Revoke(edit::RevokeArgs),
    /// Let a version answer for some executions
    Canary(edit::CanaryArgs),
    /// Make a state's canary its pin
    Promote(edit::EndArgs),
    /// End a state's canary
    Abort(edit::EndArgs),
    /// Run a version beside the pinned one, compare, and throw its work away
    Shadow(edit::ShadowArgs),
    /// Say how candidates in the shadow of a state's stage have done
    ShadowReport(shadow_report::ShadowReportArgs),
    /// Record the calls of some executions, to be repeated with `stagehost replay`
    Record(edit::RecordArgs),
}

/// Runs a command.
///
/// # Errors
/// Whatever keeps it from being done; the text names it.
pub async fn pins(command: PinsCommand) -> Result<Exit> {
    match command {
        PinsCommand::Show(args) => show::show(args).await,
        PinsCommand::History(args) => show::history(args).await,
        PinsCommand::Diff(args) => show::diff(args).await,
        PinsCommand::Init(args) => edit::init(args).await,
        PinsCommand::Set(args) => edit::set(args).await,
        PinsCommand::Rollback(args) => edit::rollback(args).await,
        PinsCommand::Revoke(args) => edit::revoke(args).await,
        PinsCommand::Canary(args) => edit::canary(args).await,
        PinsCommand::Promote(args) => edit::promote(args).await,
        PinsCommand::Abort(args) => edit::abort(args).await,
        PinsCommand::Shadow(args) => edit::shadow(args).await,
        PinsCommand::ShadowReport(args) => shadow_report::shadow_report(args).await,
        PinsCommand::Record(args) => edit::record(args).await,
    }
}
