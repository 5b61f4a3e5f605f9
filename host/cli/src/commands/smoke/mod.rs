//! `stagehost smoke`: sends small batches through a deployed stack, one for each ending, and checks what became of them.

mod deployed;
mod endings;
mod expectations;
mod stack;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use self::deployed::Deployed;
use self::expectations::Expectations;
use self::stack::Stack;
use crate::console::printer::Printer;
use crate::exit::Exit;

/// Send small batches through a deployed stack, and check what becomes of them
///
/// One batch for each ending: all files good, one damaged, none valid; an execution that is stopped; a message that nobody can
/// read. Checks states, files, tags, the trace, the backend's answers as the history shows them, and the dead-letter queue. Then
/// deletes what it made. The backend gets three callbacks, of listings that it does not know; alarms ring, as they should:
/// for a failed execution and for dead letters. Needs the rights of an operator: to use the bucket and both queues, and to start, stop and read
/// executions.
#[derive(Args)]
#[command(after_help = "\
Exit codes: 0 everything is as expected, 1 something is not,
2 wrong usage or a missing file.

Examples:

  aws cloudformation describe-stacks \\
    --stack-name listing-media-staging \\
    | stagehost smoke")]
pub struct SmokeArgs {
    /// The answer of `aws cloudformation describe-stacks`, as JSON; `-` is standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    stack_outputs: PathBuf,

    /// How long to wait for each ending, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    patience: u64,

    /// Do not expect the batch's trace at its execution; emulators keep none
    #[arg(long)]
    without_trace: bool,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// If the outputs cannot be read, or a batch cannot be sent. What is not as expected is a row of the table.
pub async fn smoke(args: SmokeArgs, printer: &Printer) -> Result<Exit> {
    let stack = Stack::read(&args.stack_outputs)?;
    let deployed = Deployed::open(stack, Duration::from_secs(args.patience)).await?;
    let mut expectations = Expectations::default();
    let ran = endings::all(&deployed, &mut expectations, printer, !args.without_trace).await;
    // Whatever happened, nothing is left behind.
    let cleaned = deployed.clean_up().await;
    expectations.add(
        "clean-up",
        "nothing is left in the bucket",
        cleaned.map(|deleted| format!("{deleted} versions deleted")),
    );
    ran?;
    if args.json {
        printer.document(
            &json!({"listing": deployed.listing(0), "passed": expectations.passed(), "expectations": expectations.rows()}),
        );
    } else {
        printer.line(expectations.table());
    }
    Ok(if expectations.passed() { Exit::Success } else { Exit::Failure })
}
