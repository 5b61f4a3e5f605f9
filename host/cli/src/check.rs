//! `stagehost stage check`: can this component serve as a stage?

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use stagehost_runtime::{CONTRACT_VERSION, Finding, World, check as check_world, names_of};

use crate::exit::Exit;

#[derive(Args)]
pub struct CheckArgs {
    /// The component: a .wasm file built with `--target wasm32-wasip2`, cargo component, componentize-py or jco
    file: PathBuf,

    /// Check against this world; without it, the narrowest one that fits is named
    #[arg(long)]
    world: Option<World>,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// If the file cannot be read.
pub fn check(args: CheckArgs) -> Result<Exit> {
    let bytes = std::fs::read(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let (names, world, findings) = match names_of(&bytes) {
        Ok(names) => {
            let world = args.world.or_else(|| World::infer(&names));
            let findings = match world {
                Some(world) => check_world(&names, world),
                None => closest(&names),
            };
            (names, world, findings)
        }
        Err(reason) => {
            let finding = Finding {
                item: args.file.display().to_string(),
                problem: reason,
                fix: "see \"Write a stage\" in the README".into(),
            };
            (Default::default(), args.world, vec![finding])
        }
    };
    if args.json {
        let document = json!({
            "file": args.file, "bytes": bytes.len(), "contract": CONTRACT_VERSION,
            "world": world, "fits": findings.is_empty(),
            "imports": names.imports, "exports": names.exports, "findings": findings,
        });
        println!("{document:#}");
    } else {
        println!("{} ({} KiB), contract {CONTRACT_VERSION}", args.file.display(), bytes.len().div_ceil(1024));
        for import in names.imports.iter().filter(|name| !name.starts_with("wasi:")) {
            println!("  imports {import}");
        }
        let wasi = names.imports.iter().filter(|name| name.starts_with("wasi:")).count();
        if wasi > 0 {
            println!("  imports {wasi} interfaces of WASI, inert here");
        }
        for export in &names.exports {
            println!("  exports {export}");
        }
        for finding in &findings {
            println!("✗ {}\n    {}\n    fix: {}", finding.item, finding.problem, finding.fix);
        }
        match (world, findings.is_empty()) {
            (Some(world), true) => println!("✓ fits the world {world}"),
            (Some(world), false) => println!("does not fit the world {world}"),
            (None, _) => println!("fits no world; --world NAME says what keeps it from the one that you mean"),
        }
    }
    Ok(if findings.is_empty() { Exit::Success } else { Exit::Failure })
}

/// The findings of the world that the component misses by the least.
fn closest(names: &stagehost_runtime::Names) -> Vec<Finding> {
    World::ALL.into_iter().map(|world| check_world(names, world)).min_by_key(Vec::len).unwrap_or_default()
}
