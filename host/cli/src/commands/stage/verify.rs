//! `stagehost stage verify`: signatures, component and artifacts of a version, checked.

use anyhow::Result;
use clap::Args;
use serde_json::json;
use stagehost_registry::StageId;

use crate::exit::Exit;
use crate::output::printer::Printer;
use crate::registry::args::ReadArgs;

#[derive(Args)]
#[command(after_help = "\
Exit codes: 0 everything is right, 1 something is not or failure, 2 wrong usage.

Examples: would a host with this key in its TRUSTED_KEYS run the version?

  stagehost stage verify thumbnails@1.5.0 \\
    --trust ed25519:… \\
    --registry s3://toq-listing-medias/pipeline/registry")]
pub struct VerifyArgs {
    /// The version
    #[arg(value_name = "NAME@VERSION")]
    id: StageId,

    #[command(flatten)]
    registry: ReadArgs,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// If there is no such version or the registry cannot be read.
pub async fn verify(args: VerifyArgs, printer: &Printer) -> Result<Exit> {
    let registry = args.registry.open().await?;
    let checks = registry.verify(&args.id).await?;
    let good = checks.iter().all(|check| check.problem.is_none());
    if args.json {
        let document =
            json!({"registry": registry.place(), "stage": args.id.to_string(), "good": good, "checks": checks});
        printer.document(&document);
    } else {
        printer.line(format_args!("{}, {}", args.id, registry.place()));
        for check in &checks {
            match &check.problem {
                None => printer.line(format!("✓ {} {}", check.what, check.found).trim_end()),
                Some(problem) => printer.line(format_args!("✗ {}: {problem}", check.what)),
            }
        }
    }
    Ok(if good { Exit::Success } else { Exit::Failure })
}
