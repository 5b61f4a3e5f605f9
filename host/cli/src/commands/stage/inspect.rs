//! `stagehost stage inspect`: what a component, or a published version, says of itself.

use std::path::Path;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use stagehost_runtime::{StageIdentity, World, names_of};

use crate::console::units::kib;
use crate::exit::{Exit, usage};
use crate::registry::args::ReadArgs;
use crate::registry::metadata;
use crate::registry::versions::find_version;

#[derive(Args)]
#[command(after_help = "Examples\n\n  \
    stagehost stage inspect target/wasm32-wasip2/release/thumbnails.wasm\n  \
    stagehost stage inspect thumbnails@1.5.0 --registry s3://toq-listing-medias/pipeline/registry")]
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
pub async fn inspect(args: InspectArgs) -> Result<Exit> {
    let file = Path::new(&args.what);
    if file.is_file() || args.what.ends_with(".wasm") {
        return inspect_file(file, args.json);
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
        println!("{document:#}");
        return Ok(Exit::Success);
    }
    println!("{id}, {}", registry.place());
    if !manifest.description.is_empty() {
        println!("  {}", manifest.description);
    }
    if let Some(yanked) = yanked {
        println!("  YANKED on {}: {}", yanked.at, yanked.reason);
    }
    println!("  world     {} (contract {})", manifest.world, manifest.contract);
    println!("  component {} {}", manifest.component.digest, kib(manifest.component.bytes));
    println!("  published {} by {}", manifest.published_at, manifest.publisher);
    for (label, record) in artifacts {
        match record {
            Ok(record) => println!("  {label} {} {}", record.code.digest, kib(record.code.bytes)),
            Err(error) => println!("✗ {label} {error}"),
        }
    }
    names(&manifest.imports, &manifest.exports);
    Ok(Exit::Success)
}

fn inspect_file(file: &Path, as_json: bool) -> Result<Exit> {
    let bytes = std::fs::read(file).map_err(|e| usage!("cannot read {}: {e}", file.display()))?;
    let found = names_of(&bytes).map_err(anyhow::Error::msg).with_context(|| file.display().to_string())?;
    let embedded = metadata::read(&bytes)?;
    let world = World::infer(&found);
    if as_json {
        let document = json!({
            "file": file, "name": embedded.name, "version": embedded.version, "description": embedded.description,
            "world": world, "component": {"digest": StageIdentity::digest_of(&bytes), "bytes": bytes.len()},
            "imports": found.imports, "exports": found.exports,
        });
        println!("{document:#}");
        return Ok(Exit::Success);
    }
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "(none embedded)".to_owned());
    println!("{}", file.display());
    println!("  name        {}", or_none(embedded.name));
    println!("  version     {}", or_none(embedded.version));
    println!("  description {}", or_none(embedded.description));
    println!("  world       {}", world.map_or("none fits; see `stagehost stage check`", World::name));
    println!("  component   {} {}", StageIdentity::digest_of(&bytes), kib(bytes.len() as u64));
    names(&found.imports, &found.exports);
    Ok(Exit::Success)
}

fn names(imports: &[String], exports: &[String]) {
    for import in imports.iter().filter(|name| !name.starts_with("wasi:")) {
        println!("  imports {import}");
    }
    let wasi = imports.iter().filter(|name| name.starts_with("wasi:")).count();
    if wasi > 0 {
        println!("  imports {wasi} interfaces of WASI, inert here");
    }
    for export in exports {
        println!("  exports {export}");
    }
}
