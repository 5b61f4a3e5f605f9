//! `stagehost stage`: begins, builds and checks stages; publishes them and looks after what is published.

mod build;
mod check;
mod dev;
mod inspect;
mod list;
mod names;
mod new;
mod publish;
mod pull;
mod recompile;
mod resign;
mod templates;
mod test;
mod verify;
mod yank;

use anyhow::Result;
use clap::Subcommand;

use crate::exit::Exit;
use crate::output::printer::Printer;

#[derive(Subcommand)]
#[command(after_help = "Examples: from nothing to a version that can be pinned

  stagehost stage new notes --lang rust
  stagehost stage build notes
  stagehost stage test notes
  NOTES=notes/target/wasm32-wasip2/release/notes.wasm
  stagehost stage check $NOTES
  export STAGEHOST_REGISTRY=~/registry
  stagehost stage publish $NOTES \\
    --name notes --version 1.0.0
  stagehost stage list")]
pub enum StageCommand {
    /// Make a project for a new stage, in Rust, Python or JavaScript
    New(new::NewArgs),
    /// Build a project's component with the tool of its language
    Build(build::BuildArgs),
    /// Run a project's stage on a file, and again after every save
    Dev(Box<dev::DevArgs>),
    /// Test a project's stage with its cases, in memory
    Test(test::TestArgs),
    /// Check whether a component can run as a stage, or what to change in it
    Check(check::CheckArgs),
    /// Publish a component as a version that hosts can be pinned to
    Publish(publish::PublishArgs),
    /// List the published versions
    List(list::ListArgs),
    /// Print the imports, exports and metadata of a component or a published version
    Inspect(inspect::InspectArgs),
    /// Write a published component into a file
    Pull(pull::PullArgs),
    /// Verify everything of a version: signatures, component, artifacts
    Verify(verify::VerifyArgs),
    /// Withdraw a version: it must not be pinned any more
    Yank(yank::YankArgs),
    /// Compile published versions for this release's engine
    Recompile(recompile::RecompileArgs),
    /// Sign published versions with another key
    Resign(resign::ResignArgs),
}

/// Runs a command.
///
/// # Errors
/// If it fails; the text says where and what to do.
pub async fn stage(command: StageCommand, printer: &Printer) -> Result<Exit> {
    match command {
        StageCommand::New(args) => new::new(args, printer),
        StageCommand::Build(args) => build::build_command(args, printer).await,
        StageCommand::Dev(args) => dev::dev(*args, printer).await,
        StageCommand::Test(args) => test::test(args, printer).await,
        StageCommand::Check(args) => check::check(args, printer),
        StageCommand::Publish(args) => publish::publish(args, printer).await,
        StageCommand::List(args) => list::list(args, printer).await,
        StageCommand::Inspect(args) => inspect::inspect(args, printer).await,
        StageCommand::Pull(args) => pull::pull(args, printer).await,
        StageCommand::Verify(args) => verify::verify(args, printer).await,
        StageCommand::Yank(args) => yank::yank(args, printer).await,
        StageCommand::Recompile(args) => recompile::recompile(args, printer).await,
        StageCommand::Resign(args) => resign::resign(args, printer).await,
    }
}
