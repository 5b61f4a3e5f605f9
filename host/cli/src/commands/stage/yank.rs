//! `stagehost stage yank`: withdraws a version, so that it cannot be pinned any more.

use anyhow::Result;
use clap::Args;
use serde_json::json;
use stagehost_registry::StageId;

use crate::exit::{Exit, usage};
use crate::output::printer::Printer;
use crate::registry::args::WriteArgs;
use crate::signing::author::author;

#[derive(Args)]
#[command(after_help = "\
`stagehost pins` then refuses the version, and NAME without a version no longer means it. Where it is pinned it \
still runs, also on hosts that start later; nothing is deleted. To stop it everywhere, pin another version \
(`stagehost pins set` or `rollback`), and revoke the revision for executions that began with it (`stagehost pins \
revoke`).

Examples:

  stagehost stage yank thumbnails@1.5.0 \\
    --reason \"loses colour profiles\" \\
    --registry s3://toq-listing-medias/pipeline/registry")]
pub struct YankArgs {
    /// The version
    #[arg(value_name = "NAME@VERSION")]
    id: StageId,

    /// The reason, shown with the version
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// The person or pipeline that withdraws it [default: the user's name]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,

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
pub async fn yank(args: YankArgs, printer: &Printer) -> Result<Exit> {
    if args.reason.trim().is_empty() {
        return Err(usage!("--reason is empty; say why {} must not be pinned", args.id));
    }
    let by = author(args.by.as_deref())?;
    // An operator whose key is for pins only must be able to take a version out of use.
    let (registry, key) = args.registry.open_for(None).await?;
    let yanked = registry.yank(&args.id, &args.reason, &by, &key).await?;
    if args.json {
        printer.document(&json!({"registry": registry.place(), "yanked": yanked}));
    } else {
        printer.line(yanked);
    }
    Ok(Exit::Success)
}
