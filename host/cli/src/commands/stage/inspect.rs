//! `stagehost stage inspect`: what a component, or a published version, declares.

use std::path::Path;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use stagehost_runtime::{StageIdentity, World, names_of};

use super::names::print_names;
use crate::exit::{Exit, read_named};
use crate::output::printer::Printer;
use crate::output::units::kib;
use crate::registry::args::ReadArgs;
use crate::registry::metadata;
use crate::registry::versions::find_version;

#[derive(Args)]
#[command(after_help = "\
Examples:

  stagehost stage inspect my_thumbnails.wasm
  stagehost stage inspect thumbnails@1.5.0 \\
    --registry s3://toq-listing-medias/pipeline/registry")]
pub struct InspectArgs {
    /// A .wasm file, or the NAME[@VERSION] of a published stage
    #[arg(value_name = "FILE|NAME[@VERSION]")]
    what: String,

    #[command(flatten)]
    registry: ReadArgs,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// If there is no such file or version, or it cannot be trusted.
pub async fn inspect(args: InspectArgs, printer: &Printer) -> Result<Exit> {
    let file = Path::new(&args.what);
    if file.is_file() || args.what.ends_with(".wasm") {
        return inspect_file(file, args.json, printer);
    }
    let registry =
        args.registry.open().await.with_context(|| format!("{} is not a file, so it is looked up", args.what))?;
    let id = find_version(&registry, &args.what).await?;
    let manifest = registry.manifest(&id).await?;
    let yanked = registry.yanked(&id).await?;
    let artifacts = registry.artifacts(&manifest.component.digest).await?;
    if args.json {
        let artifacts = artifacts.iter().map(|(label, record)| match record {
            Ok(record) => json!(record),
            Err(error) => json!({"label": label, "refused": error.to_string()}),
        });
        let document = json!({
            "registry": registry.place(), "manifest": manifest, "yanked": yanked,
            "artifacts": artifacts.collect::<Vec<_>>(),
        });
        printer.document(&document);
        return Ok(Exit::Success);
    }
    printer.line(format_args!("{id}, {}", registry.place()));
    if !manifest.description.is_empty() {
        printer.line(format_args!("  {}", manifest.description));
    }
    if let Some(yanked) = yanked {
        printer.line(format_args!("  YANKED on {}: {}", yanked.at, yanked.reason));
    }
    printer.line(format_args!("  world     {} (contract {})", manifest.world, manifest.contract));
    printer.line(format_args!("  component {} {}", manifest.component.digest, kib(manifest.component.bytes)));
    printer.line(format_args!("  published {} by {}", manifest.published_at, manifest.publisher));
    for (label, record) in artifacts {
        match record {
            Ok(record) => printer.line(format_args!("  {label} {} {}", record.code.digest, kib(record.code.bytes))),
            Err(error) => printer.line(format_args!("✗ {label} {error}")),
        }
    }
    print_names(printer, &manifest.imports, &manifest.exports);
    Ok(Exit::Success)
}

fn inspect_file(file: &Path, as_json: bool, printer: &Printer) -> Result<Exit> {
    let bytes = read_named("", file)?;
    let found = names_of(&bytes).map_err(anyhow::Error::msg).with_context(|| file.display().to_string())?;
    let embedded = metadata::read(&bytes)?;
    let world = World::infer(&found);
    if as_json {
        let document = json!({
            "file": file, "name": embedded.name, "version": embedded.version, "description": embedded.description,
            "world": world, "component": {"digest": StageIdentity::digest_of(&bytes), "bytes": bytes.len()},
            "imports": found.imports, "exports": found.exports,
        });
        printer.document(&document);
        return Ok(Exit::Success);
    }
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "(none embedded)".to_owned());
    printer.line(file.display());
    printer.line(format_args!("  name        {}", or_none(embedded.name)));
    printer.line(format_args!("  version     {}", or_none(embedded.version)));
    printer.line(format_args!("  description {}", or_none(embedded.description)));
    let world = world.map_or("none fits; see `stagehost stage check`", World::name);
    printer.line(format_args!("  world       {world}"));
    let size = kib(bytes.len() as u64);
    printer.line(format_args!("  component   {} {size}", StageIdentity::digest_of(&bytes)));
    print_names(printer, &found.imports, &found.exports);
    Ok(Exit::Success)
}
