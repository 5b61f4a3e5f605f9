//! The `stagehost` command: the whole pipeline on one machine, and the tools around stages.
//!
//! `commands/` has one file or folder per command; the other folders are what several of them share. Commands know the
//! shared folders, and those never know a command.

mod analysis;
mod build;
mod commands;
mod console;
mod exit;
mod local;
mod registry;
mod signing;

use clap::{Parser, Subcommand};

use self::commands::{check, cost, env, keys, package, pins, replay, run, serve, stage};
use self::exit::Exit;

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
    /// Serve the pipeline's AWS endpoints on this machine, for any AWS SDK or the AWS CLI
    Serve(serve::ServeArgs),
    /// Make what is deployed as the Lambda function: the host, compiled stages, pins
    Package(package::PackageArgs),
    /// Repeat recorded calls without any network, and compare the results
    Replay(replay::ReplayArgs),
    Check(check::CheckArgs),
    Cost(cost::CostArgs),
    Env(env::EnvArgs),
    /// Show and change which stage runs for which state
    #[command(subcommand)]
    Pins(Box<pins::PinsCommand>),
    /// Make and list the keys that stages and pins are signed with
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Check, publish and manage stages
    #[command(subcommand)]
    Stage(stage::StageCommand),
}

fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_new(&cli.log).unwrap_or_else(|error| {
        eprintln!("stagehost: --log {:?} is no filter ({error}); logging errors only", cli.log);
        tracing_subscriber::EnvFilter::new("error")
    });
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();

    match block_on(cli.command.run()) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("stagehost: {error:#}");
            exit::of_error(&error).into()
        }
    }
}

impl Command {
    async fn run(self) -> anyhow::Result<Exit> {
        match self {
            Command::Run(args) => run::run(args).await,
            Command::Serve(args) => serve::serve(args).await,
            Command::Package(args) => package::package(args),
            Command::Replay(args) => replay::replay(args).await,
            Command::Check(args) => check::check(args),
            Command::Cost(args) => cost::cost(args),
            Command::Env(args) => env::env(args),
            Command::Pins(command) => pins::pins(*command).await,
            Command::Keys(command) => keys::keys(command),
            Command::Stage(command) => stage::stage(command).await,
        }
    }
}

fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(future)
}
