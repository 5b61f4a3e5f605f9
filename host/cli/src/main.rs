//! The `stagehost` command: the whole pipeline on one machine, and the tools around stages.
//!
//! `commands/` has one file or folder per command; the other folders are what several of them share. Commands know the
//! shared folders, and those never know a command. Everything is written through [`output::printer::Printer`].
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod analysis;
mod authoring;
mod build;
mod commands;
mod contract;
mod exit;
mod json_pointer;
mod local;
mod output;
mod pinning;
mod registry;
mod settings;
mod signals;
mod signing;
mod stack_outputs;
mod stage_log;
#[cfg(test)]
mod tests;
mod web;

use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use anyhow::Result;
use clap::{ColorChoice, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use self::commands::{check, completions, config, cost, env, keys, package, pins, replay, run, serve, smoke, stage};
use self::exit::Exit;
use self::output::printer::Printer;
use self::output::{logs, problem, terminal};
use self::signals::stoppable;

/// A WebAssembly-component plugin runtime for media stages.
///
/// A batch of photos, videos and documents goes through a state machine. Each state runs a stage: a sandboxed component
/// that is pinned by digest and can be replaced without deploying the host.
#[derive(Parser)]
#[command(
    version,
    propagate_version = true,
    after_help = "\
Results go to standard output, progress and problems to standard error.

Exit codes: 0 success, 1 failure, 2 wrong usage or a missing file, 130 stopped by Ctrl-C, 143 by SIGTERM. A command's \
own --help lists others. If the reader of standard output ends early, as with `| head`, the command finishes its work \
and prints no more.

Examples:

  stagehost run samples/listing
  stagehost serve
  stagehost run --help"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Log level, or a filter such as `stagehost_runtime=debug`. Logs go to standard error.
    #[arg(long, global = true, env = "STAGEHOST_LOG", default_value = "error", hide_env_values = true)]
    log: String,

    /// Print only results and problems: no progress and no notes
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Process a folder of media, or a batch document, on this machine
    Run(run::RunArgs),
    /// Serve the pipeline's AWS endpoints on this machine, for any AWS SDK or the AWS CLI
    Serve(serve::ServeArgs),
    /// Open the console of a deployed stack: every batch, picture, stage and pin in a browser
    Console(Box<commands::console::ConsoleArgs>),
    /// Make the package that is deployed as the Lambda function: the host, compiled stages, pins
    Package(package::PackageArgs),
    /// Repeat recorded calls without a network, and compare the results
    Replay(replay::ReplayArgs),
    Check(check::CheckArgs),
    Cost(cost::CostArgs),
    Env(env::EnvArgs),
    Smoke(smoke::SmokeArgs),
    /// Show and change which stage runs for which state
    #[command(subcommand)]
    Pins(Box<pins::PinsCommand>),
    /// Make and list the keys that stages and pins are signed with
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Check, publish and manage stages
    #[command(subcommand)]
    Stage(stage::StageCommand),
    /// Show every setting, and print the schema of the --config file
    #[command(subcommand)]
    Config(config::ConfigCommand),
    Completions(completions::CompletionsArgs),
}

impl Command {
    async fn run(self, printer: &Printer) -> Result<Exit> {
        match self {
            // These stop services before they end, so they listen for signals themselves.
            Command::Run(args) => run::run(args, printer).await,
            Command::Serve(args) => serve::serve(args, printer).await,
            Command::Smoke(args) => Box::pin(smoke::smoke(args, printer)).await,
            Command::Console(args) => Box::pin(commands::console::console(*args, printer)).await,
            Command::Stage(command @ stage::StageCommand::Dev(_)) => stage::stage(command, printer).await,
            Command::Package(args) => stoppable(printer, package::package(args, printer)).await,
            Command::Replay(args) => stoppable(printer, replay::replay(args, printer)).await,
            Command::Pins(command) => stoppable(printer, pins::pins(*command, printer)).await,
            Command::Stage(command) => stoppable(printer, stage::stage(command, printer)).await,
            // These hold nothing that a signal would leave behind.
            Command::Check(args) => check::check(args, printer),
            Command::Cost(args) => cost::cost(args, printer),
            Command::Env(args) => env::env(args, printer),
            Command::Keys(command) => keys::keys(command, printer),
            Command::Config(command) => config::config(command, printer),
            Command::Completions(args) => completions::completions(&args, Cli::command(), printer),
        }
    }
}

fn main() -> ExitCode {
    let cli = match parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let printer = Printer::new(cli.quiet);
    logs::start(&cli.log, &printer);
    let outcome = block_on(cli.command.run(&printer));
    let ended = outcome.and_then(|exit| printer.finish().map(|()| exit));
    ended
        .unwrap_or_else(|error| {
            printer.problem(problem::sentence(&error));
            exit::of_error(&error)
        })
        .into()
}

/// Reads the command line. Help and mistakes are printed here, as wide as the terminal.
fn parse() -> Result<Cli, ExitCode> {
    // Left to itself, clap colours a dumb terminal where the variable CI is set.
    let colour = if terminal::has_colour() { ColorChoice::Auto } else { ColorChoice::Never };
    let command = Cli::command().term_width(terminal::help_columns()).color(colour);
    command.try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches)).map_err(|asked| {
        let written = asked.print().and_then(|()| std::io::stdout().flush());
        match written {
            Err(error) if !asked.use_stderr() && error.kind() != ErrorKind::BrokenPipe => {
                Printer::Plain.problem(format_args!("cannot write to standard output: {error}"));
                Exit::Failure.into()
            }
            _ => ExitCode::from(u8::try_from(asked.exit_code()).unwrap_or(Exit::Usage as u8)),
        }
    })
}

fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(future);
    // Compilations that nobody waits for any more must not hold up the end.
    runtime.shutdown_background();
    outcome
}
