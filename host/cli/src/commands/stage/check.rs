//! `stagehost stage check`: whether a component can serve as a stage.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use stagehost_runtime::{CONTRACT_VERSION, Finding, Stage, StageEngine, StageIdentity, World};

use super::names::print_names;
use crate::build::artifact_folder::ArtifactFolder;
use crate::build::components::{artifact_name, compiled_before};
use crate::contract::{Fit, fit};
use crate::exit::{Exit, read_named};
use crate::output::printer::Printer;
use crate::output::units::kib;

#[derive(Args)]
#[command(after_help = "\
Exit codes: 0 it fits, 1 it does not, 2 wrong usage or a missing file.

Examples:

  stagehost stage check my_stage.wasm
  stagehost stage check my_stage.wasm \\
    --world thumbnails --json")]
pub struct CheckArgs {
    /// The component: a .wasm file built with `--target wasm32-wasip2`, cargo component, componentize-py or jco
    file: PathBuf,

    /// Check against this world [default: the narrowest that fits]
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
pub fn check(args: CheckArgs, printer: &Printer) -> Result<Exit> {
    let bytes = read_named("", &args.file)?;
    let Fit { names, world, nearest, findings } = match fit(&bytes, args.world) {
        Ok(fit) => compiled(fit, &args, &bytes, printer)?,
        Err(reason) => {
            let item = args.file.display().to_string();
            let finding = Finding { item, problem: reason, fix: "see docs/write-stages.md".into() };
            Fit { world: args.world, findings: vec![finding], ..Fit::default() }
        }
    };
    if args.json {
        let document = json!({
            "file": args.file, "bytes": bytes.len(), "contract": CONTRACT_VERSION,
            "world": world, "nearest": nearest, "fits": findings.is_empty(),
            "imports": names.imports, "exports": names.exports, "findings": findings,
        });
        printer.document(&document);
    } else {
        let size = kib(bytes.len() as u64);
        printer.line(format_args!("{} ({size}), compared with the contract {CONTRACT_VERSION}", args.file.display()));
        print_names(printer, &names.imports, &names.exports);
        for finding in &findings {
            printer.line(format_args!("✗ {}\n    {}\n    fix: {}", finding.item, finding.problem, finding.fix));
        }
        match (world, nearest) {
            (Some(world), _) if findings.is_empty() => printer.line(format_args!("✓ fits the world {world}")),
            (Some(world), _) => printer.line(format_args!("does not fit the world {world}")),
            (None, Some(world)) => {
                printer.line(format_args!("fits no world; the nearest is {world}; --world NAME compares with another"))
            }
            (None, None) => printer.line("fits no world"),
        }
    }
    Ok(if findings.is_empty() { Exit::Success } else { Exit::Failure })
}

/// Compiles a component that fits, because only then all of it has been looked at. What was compiled is kept, so that neither
/// a later check nor `test`, `dev` and `run` do it again.
fn compiled(mut fit: Fit, args: &CheckArgs, bytes: &[u8], printer: &Printer) -> Result<Fit> {
    let Ok(world) = fit.world() else { return Ok(fit) };
    let identity = StageIdentity {
        name: args.file.display().to_string(),
        version: "0.0.0-local".to_owned(),
        digest: StageIdentity::digest_of(bytes),
    };
    let engine = StageEngine::new()?;
    // Nothing needs to be kept for the answer, so a folder that cannot be used is no error.
    let artifacts = ArtifactFolder::open().ok();
    if let Some(artifacts) = &artifacts
        && matches!(compiled_before(&engine, artifacts, &identity, world), Ok(Some(_)))
    {
        return Ok(fit);
    }
    let work = printer.begin(format!("compiling {}", args.file.display()));
    let name = artifact_name(&engine, &identity.digest);
    match Stage::compile(&engine, identity, world, bytes) {
        Ok(stage) => {
            let keep = |artifacts: ArtifactFolder| artifacts.store(&name, &stage.artifact()?);
            if let Some(Err(error)) = artifacts.map(keep) {
                tracing::debug!(%error, "what was compiled is not kept");
            }
        }
        Err(error) => fit.findings.push(Finding {
            item: "the component".into(),
            problem: error.to_string(),
            fix: "build it again; `wasm-tools validate` says more".into(),
        }),
    }
    work.done();
    Ok(fit)
}
