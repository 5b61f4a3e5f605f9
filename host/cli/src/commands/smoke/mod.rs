//! `stagehost smoke`: sends small batches through a deployed stack, one for each ending, and checks their results.

mod batches;
mod clean_up;
mod deployed;
mod expectations;
mod run;
mod stack;
mod watching;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use self::deployed::Deployed;
use self::expectations::{Expectations, Expected};
use self::run::Looks;
use self::stack::Stack;
use crate::exit::Exit;
use crate::output::printer::Printer;
use crate::signals::Signals;

/// How long calls may still write after a run was interrupted, or failed.
const STILL_WRITING: Duration = Duration::from_secs(5);

/// Send small batches through a deployed stack, and check the results
///
/// It sends one batch for each ending: all files good, one damaged, none valid, a video that MediaConvert cannot decode; it
/// stops an execution and sends a message that is no job; with --kill-host, a host dies in a call. It checks states, files,
/// tags, the trace, metrics, alarms, the backend's answers in the history, and the dead-letter queue. Then it deletes what
/// it made, also after Ctrl-C. The backend gets callbacks of listings that it does not know, and the alarms for failed
/// executions and for dead letters go off. It needs the rights of an operator: to use the bucket and both queues, to start,
/// stop and read executions, and to read alarms, metrics and the host's log.
#[derive(Args)]
#[command(after_help = "\
Exit codes: 0 everything is as expected, 1 something is not,
2 wrong usage or a missing file, 130 and 143 stopped by
Ctrl-C and SIGTERM.

Examples:

  aws cloudformation describe-stacks \\
    --stack-name listing-media-staging \\
    | stagehost smoke
  stagehost smoke --stack-outputs outputs.json \\
    --kill-host ./host-away-for-a-minute")]
pub struct SmokeArgs {
    /// The answer of `aws cloudformation describe-stacks`, as JSON; `-` is standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    stack_outputs: PathBuf,

    /// How long to wait for each ending, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    patience: u64,

    /// A command that kills the host or prevents calls for a moment, such as one that sets the function's reserved
    /// concurrency to 0 and back after half a minute; a batch starts two seconds after it. Without it, no host is killed
    #[arg(long, value_name = "COMMAND")]
    kill_host: Option<String>,

    /// Leave out what emulators lack: the execution's trace, counted metrics, alarms that go off
    #[arg(long)]
    emulator: bool,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// If the outputs cannot be read, or a batch cannot be sent. What is not as expected is a row of the table.
pub async fn smoke(args: SmokeArgs, printer: &Printer) -> Result<Exit> {
    let mut signals = Signals::listen()?;
    let looks = Looks { kill_host: args.kill_host.as_deref(), emulator: args.emulator };
    let stack = Stack::read(&args.stack_outputs)?;
    let deployed = Deployed::open(stack, Duration::from_secs(args.patience)).await?;
    let mut expectations = Expectations::default();
    let ran = signals.or(Box::pin(run::all(&deployed, &mut expectations, printer, looks))).await;
    match ran {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            if let Err(left) = stop(&deployed, printer).await {
                let listing = deployed.first_listing();
                printer.problem(format_args!(
                    "files of the listings from {listing} on may be left in the bucket: {left:#}"
                ));
            }
            return Err(error);
        }
        Err(exit) => {
            stop(&deployed, printer).await?;
            return Ok(exit);
        }
    }
    let cleaned = deployed.clean_up().await;
    expectations.add(
        Expected::NothingLeft,
        "clean-up",
        "nothing is left in the bucket",
        cleaned.map(|deleted| format!("{deleted} versions deleted")),
    );
    if args.json {
        printer.document(&json!({
            "listing": deployed.first_listing(), "listings": deployed.listings().count(),
            "passed": expectations.passed(), "expectations": expectations.rows()
        }));
    } else {
        printer.line(expectations.table());
        if args.kill_host.is_none() {
            printer.note("no host was killed: --kill-host names a command that does");
        }
    }
    Ok(if expectations.passed() { Exit::Success } else { Exit::Failure })
}

/// Stops the executions of a run that did not come to its end, and deletes what it made.
async fn stop(deployed: &Deployed, printer: &Printer) -> Result<()> {
    printer.problem("stopping; nothing stays in the bucket");
    let stopped = deployed.stop_all().await;
    // Calls of the stages that have begun may still write.
    let first = deployed.clean_up().await;
    tokio::time::sleep(STILL_WRITING).await;
    // Whatever happened, nothing is left behind.
    let cleaned = deployed.clean_up().await;
    let (stopped, deleted) = (stopped?, first? + cleaned?);
    printer.problem(format_args!(
        "{stopped} executions stopped, {deleted} versions deleted; batches that wait in the queue fail for want of files, and \
         dead letters of the listings from {} on may still come",
        deployed.first_listing()
    ));
    Ok(())
}
