//! `stagehost stage verify`: everything of a version, looked at.

use anyhow::Result;
use clap::Args;
use serde_json::json;
use stagehost_registry::StageId;

use crate::exit::Exit;
use crate::registry::args::ReadArgs;

#[derive(Args)]
#[command(after_help = "Example: would a host with this key in its TRUSTED_KEYS run it?\n\n  \
    stagehost stage verify thumbnails@1.5.0 --registry s3://toq-listing-medias/pipeline/registry --trust ed25519:…")]
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
pub async fn verify(args: VerifyArgs) -> Result<Exit> {
    let registry = args.registry.open().await?;
    let checks = registry.verify(&args.id).await?;
    let good = checks.iter().all(|check| check.problem.is_none());
    if args.json {
        let document =
            json!({"registry": registry.place(), "stage": args.id.to_string(), "good": good, "checks": checks});
        println!("{document:#}");
    } else {
        println!("{}, {}", args.id, registry.place());
        for check in &checks {
            match &check.problem {
                None => println!("{}", format!("✓ {} {}", check.what, check.found).trim_end()),
                Some(problem) => println!("✗ {}: {problem}", check.what),
            }
        }
    }
    Ok(if good { Exit::Success } else { Exit::Failure })
}
