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
    let (names, world, nearest, findings) = match names_of(&bytes) {
        Ok(names) => match args.world.or_else(|| World::infer(&names)) {
            Some(world) => {
                let findings = check_world(&names, world);
                (names, Some(world), None, findings)
            }
            None => {
                let (nearest, findings) = World::nearest(&names);
                (names, None, Some(nearest), findings)
            }
        },
        Err(reason) => {
            let finding = Finding {
                item: args.file.display().to_string(),
                problem: reason,
                fix: "see \"Write a stage\" in the README".into(),
            };
            (Default::default(), args.world, None, vec![finding])
        }
    };
    if args.json {
        let document = json!({
            "file": args.file, "bytes": bytes.len(), "contract": CONTRACT_VERSION,
            "world": world, "nearest": nearest, "fits": findings.is_empty(),
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
        match (world, nearest) {
            (Some(world), _) if findings.is_empty() => println!("✓ fits the world {world}"),
            (Some(world), _) => println!("does not fit the world {world}"),
            (None, Some(world)) => {
                println!("fits no world; the nearest is {world}; --world NAME compares with another")
            }
            (None, None) => println!("fits no world"),
        }
    }
    Ok(if findings.is_empty() { Exit::Success } else { Exit::Failure })
}
