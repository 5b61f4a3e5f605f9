//! `stagehost stage yank`: a version that must not be pinned any more.

use anyhow::Result;
use clap::Args;
use serde_json::json;
use stagehost_registry::StageId;

use crate::exit::{Exit, usage};
use crate::registry::args::WriteArgs;

#[derive(Args)]
#[command(after_help = "Example\n\n  \
    stagehost stage yank thumbnails@1.5.0 --reason \"loses colour profiles\" --registry s3://toq-listing-medias/pipeline/registry\n\n\
    It can be pinned no more: `stagehost pins` refuses it, and NAME alone means another version. Where\n\
    it is pinned it goes on working, on hosts that start anew as well, and nothing is deleted. To have\n\
    it run nowhere, pin another version (`stagehost pins set` or `rollback`), and revoke the revision\n\
    for what has begun with it (`stagehost pins revoke`).")]
pub struct YankArgs {
    /// The version
    #[arg(value_name = "NAME@VERSION")]
    id: StageId,

    /// Why, for whoever meets it
    #[arg(long, value_name = "TEXT")]
    reason: String,

    #[command(flatten)]
    registry: WriteArgs,

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
        return Err(usage!("--reason is empty; say why {} must not be pinned", args.id));
    }
    let (registry, key) = args.registry.open().await?;
    let yanked = registry.yank(&args.id, &args.reason, &key).await?;
    if args.json {
        println!("{:#}", json!({"registry": registry.place(), "yanked": yanked}));
    } else {
        println!("{} is yanked since {}: {}", args.id, yanked.at, yanked.reason);
    }
    Ok(Exit::Success)
}
