//! The `stagehost` command: the whole pipeline on one machine, and the tools around stages.
//!
//! One file per command; what several of them need stands beside them.

mod assemble;
mod backend_env;
mod bootstrap;
mod check;
mod cost;
mod exit;
mod home;
mod intake;
mod keyring;
mod keys;
mod package;
mod pinning;
mod pins;
mod registry;
mod replay;
mod report;
mod run;
mod serve;
mod setup;
mod shadow_report;
mod stage_check;
mod store;
mod watch;

use clap::{Parser, Subcommand};

/// A WebAssembly-component plugin runtime for media stages.
///
/// A batch of photos, videos and documents goes through a state machine; each state runs a stage: a sandboxed component
/// that is pinned by digest and can be swapped without touching the host.
#[derive(Parser)]
#[command(version, propagate_version = true, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Log level, or a filter such as `stagehost_runtime=debug`. Logs go to standard error.
    #[arg(long, global = true, env = "STAGEHOST_LOG", default_value = "error", hide_env_values = true)]
    log: String,
}

#[derive(Subcommand)]
enum Command {
    /// Process a folder of media, or a batch document, on this machine
    Run(run::RunArgs),
    /// Keep the pipeline's AWS endpoints up, for any AWS SDK or the AWS CLI
    Serve(serve::ServeArgs),
    /// Make what is deployed as the Lambda function: the host, compiled stages, pins
    Package(package::PackageArgs),
    /// Make recorded calls again, without any network, and say what differs
    Replay(replay::ReplayArgs),
    Check(check::CheckArgs),
    Cost(cost::CostArgs),
    Env(backend_env::EnvArgs),
    /// Look at and change which stage runs for which state
    #[command(subcommand)]
    Pins(Box<pins::PinsCommand>),
    /// Make and list the keys that stages and pins are signed with
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Work on stages
    #[command(subcommand)]
    Stage(StageCommand),
}

#[derive(Subcommand)]
enum StageCommand {
    /// Say whether a component can serve as a stage, and what to do if it cannot
    Check(stage_check::CheckArgs),
    /// Publish a component as a version that hosts can be pinned to
    Publish(registry::publish::PublishArgs),
    /// List what is published
    List(registry::list::ListArgs),
    /// Say what a component, or a published version, says of itself
    Inspect(registry::inspect::InspectArgs),
    /// Write a published component into a file
    Pull(registry::pull::PullArgs),
    /// Look at everything of a version: signatures, component, artifacts
    Verify(registry::verify::VerifyArgs),
    /// Say that a version must not be pinned any more
    Yank(registry::yank::YankArgs),
    /// Compile what is published for this version's engine
    Recompile(registry::recompile::RecompileArgs),
    /// Sign what is published by another key
    Resign(registry::resign::ResignArgs),
}

fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_new(&cli.log).unwrap_or_else(|error| {
        eprintln!("stagehost: --log {:?} is no filter ({error}); logging errors only", cli.log);
        tracing_subscriber::EnvFilter::new("error")
    });
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();

    let outcome = match cli.command {
        Command::Run(args) => block_on(run::run(args)),
        Command::Serve(args) => block_on(serve::serve(args)),
        Command::Package(args) => package::package(args),
        Command::Replay(args) => block_on(replay::replay(args)),
        Command::Check(args) => check::check(args),
        Command::Cost(args) => cost::cost(args),
        Command::Env(args) => backend_env::env(args),
        Command::Pins(command) => block_on(pins::pins(*command)),
        Command::Keys(command) => keys::keys(command),
        Command::Stage(command) => stage(command),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("stagehost: {error:#}");
            exit::of_error(&error).into()
        }
    }
}

fn stage(command: StageCommand) -> anyhow::Result<exit::Exit> {
    match command {
        StageCommand::Check(args) => stage_check::check(args),
        StageCommand::Publish(args) => block_on(registry::publish::publish(args)),
        StageCommand::List(args) => block_on(registry::list::list(args)),
        StageCommand::Inspect(args) => block_on(registry::inspect::inspect(args)),
        StageCommand::Pull(args) => block_on(registry::pull::pull(args)),
        StageCommand::Verify(args) => block_on(registry::verify::verify(args)),
        StageCommand::Yank(args) => block_on(registry::yank::yank(args)),
        StageCommand::Recompile(args) => block_on(registry::recompile::recompile(args)),
        StageCommand::Resign(args) => block_on(registry::resign::resign(args)),
    }
}

fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(future)
}
