//! `stagehost stage yank`: a version that must not be used any more.

use anyhow::Result;
use clap::Args;
use serde_json::json;
use stagehost_registry::StageId;

use super::StoreArgs;
use crate::exit::{Exit, usage};
use crate::keyring::{Keyring, SignArgs, TrustArgs};

#[derive(Args)]
#[command(after_help = "Example\n\n  \
    stagehost stage yank thumbnails@1.5.0 --reason \"loses colour profiles\" --registry s3://toq-listing-medias/pipeline/registry\n\n\
    Hosts that have it loaded go on; none loads it anew, and it cannot be pinned. Nothing is deleted. So first pin\n\
    another version: `stagehost pins set` or `stagehost pins rollback`.")]
pub struct YankArgs {
    /// The version
    #[arg(value_name = "NAME@VERSION")]
    id: StageId,

    /// Why, for whoever meets it
    #[arg(long, value_name = "TEXT")]
    reason: String,

    #[command(flatten)]
    registry: StoreArgs,

    #[command(flatten)]
    sign: SignArgs,

    #[command(flatten)]
    trust: TrustArgs,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// If there is no such version or the registry cannot be written.
pub async fn yank(args: YankArgs) -> Result<Exit> {
    if args.reason.trim().is_empty() {
        return Err(usage!("--reason is empty; say why {} must not be used", args.id));
    }
    let key = Keyring::open(&args.sign.keyring)?.signing(args.sign.key.as_deref())?;
    let registry = args.registry.open(&args.sign.keyring, &args.trust, Some(key.public())).await?;
    let yanked = registry.yank(&args.id, &args.reason, &key).await?;
    if args.json {
        println!("{:#}", json!({"registry": registry.place(), "yanked": yanked}));
    } else {
        println!("{} is yanked since {}: {}", args.id, yanked.at, yanked.reason);
    }
    Ok(Exit::Success)
}
