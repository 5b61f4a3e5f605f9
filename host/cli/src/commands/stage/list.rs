//! `stagehost stage list`: the published versions.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::exit::Exit;
use crate::output::printer::Printer;
use crate::output::table;
use crate::registry::args::ReadArgs;

#[derive(Args)]
#[command(after_help = "\
Exit codes: 0 all versions are trusted, 1 some are not or failure, 2 wrong usage.

Examples:

  stagehost stage list thumbnails \\
    --registry s3://toq-listing-medias/pipeline/registry")]
pub struct ListArgs {
    /// Only the versions of this stage
    name: Option<String>,

    #[command(flatten)]
    registry: ReadArgs,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command. Versions that cannot be trusted are listed as such.
///
/// # Errors
/// If the registry cannot be listed.
pub async fn list(args: ListArgs, printer: &Printer) -> Result<Exit> {
    let registry = args.registry.open().await?;
    let versions = registry.list(args.name.as_deref()).await?;
    let trusted = versions.iter().all(|version| version.manifest.is_ok() && version.yanked.is_ok());
    let mut table = table::table(&["Stage", "Version", "World", "Published", "By", "Digest", ""]);
    let mut documents = Vec::new();
    for version in &versions {
        let problem = version.manifest.as_ref().err().or(version.yanked.as_ref().err()).map(ToString::to_string);
        let yanked = version.yanked.as_ref().ok().and_then(Option::as_ref);
        let manifest = version.manifest.as_ref().ok();
        if args.json {
            documents.push(json!({
                "stage": version.id.name(), "version": version.id.version().to_string(),
                "manifest": manifest, "yanked": yanked, "refused": problem,
            }));
            continue;
        }
        let of = |read: fn(&stagehost_registry::Manifest) -> String| manifest.map(read).unwrap_or_default();
        let note = match (&problem, yanked) {
            (Some(problem), _) => format!("REFUSED: {problem}"),
            (None, Some(yanked)) => format!("yanked: {}", yanked.reason),
            (None, None) => String::new(),
        };
        table.add_row([
            version.id.name().to_owned(),
            version.id.version().to_string(),
            of(|m| m.world.to_string()),
            of(|m| m.published_at.clone()),
            of(|m| m.publisher.clone()),
            of(|m| m.component.digest.chars().take(19).collect()),
            note,
        ]);
    }
    if args.json {
        printer.document(&json!({"registry": registry.place(), "versions": documents}));
    } else if versions.is_empty() {
        printer.note(format_args!("{} has no stages; `stagehost stage publish` adds one", registry.place()));
    } else {
        printer.line(table::text(table));
    }
    Ok(if trusted { Exit::Success } else { Exit::Failure })
}
