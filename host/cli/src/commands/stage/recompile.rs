//! `stagehost stage recompile`: artifacts of published components for this release's engine.

use anyhow::Result;
use clap::Args;
use serde_json::json;
use stagehost_registry::{AddedArtifact, Registry, SigningKey, StageId};
use stagehost_runtime::{ENGINE, Target};

use crate::exit::{Exit, usage};
use crate::output::printer::Printer;
use crate::output::problem;
use crate::output::units::kib;
use crate::registry::args::WriteArgs;
use crate::registry::compile::{compile, targets};
use crate::registry::versions::find_version;

#[derive(Args)]
#[command(after_help = "\
An artifact works with one engine. Existing artifacts stay, for the hosts that run now.

Exit codes: 0 done, 3 some versions failed, 1 failure, 2 wrong usage.

Examples: before hosts of a new release read the registry

  stagehost stage recompile --all \\
    --registry s3://toq-listing-medias/pipeline/registry")]
pub struct RecompileArgs {
    /// The version, or a stage's newest
    #[arg(value_name = "NAME[@VERSION]", required_unless_present = "all")]
    what: Option<String>,

    /// All versions of all stages, yanked ones too, because they may still be pinned
    #[arg(long, conflicts_with = "what")]
    all: bool,

    /// Compile for this processor only: x86_64 or arm64; may be given several times [default: both]
    #[arg(long = "target", value_name = "TARGET")]
    targets: Vec<Target>,

    #[command(flatten)]
    registry: WriteArgs,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// If a component is not trusted or cannot be read, or an artifact cannot be written. With `--all`, the other versions are
/// still compiled.
pub async fn recompile(args: RecompileArgs, printer: &Printer) -> Result<Exit> {
    let (registry, key) = args.registry.open().await?;
    let ids = match &args.what {
        Some(what) => vec![find_version(&registry, what).await?],
        None => registry.versions(None).await?,
    };
    if ids.is_empty() {
        return Err(usage!("{} has no stages", registry.place()));
    }
    let mut documents = Vec::new();
    let mut failed = false;
    for id in &ids {
        match one(&args, &registry, id, &key, printer).await {
            Ok(artifacts) => {
                for added in artifacts.iter().filter(|_| !args.json) {
                    let size = if added.created { kib(added.record.code.bytes) } else { "was there".to_owned() };
                    printer.line(format_args!("{id} {}-{ENGINE} {size}", added.record.target));
                }
                documents.push(json!({"stage": id.to_string(), "artifacts": artifacts}));
            }
            Err(error) if ids.len() == 1 => return Err(error),
            Err(error) => {
                failed = true;
                let refused = problem::sentence(&error);
                printer.problem(format_args!("{id}: {refused}"));
                documents.push(json!({"stage": id.to_string(), "refused": refused}));
            }
        }
    }
    if args.json {
        printer.document(&json!({"registry": registry.place(), "engine": ENGINE, "versions": documents}));
    }
    Ok(if failed { Exit::Partial } else { Exit::Success })
}

async fn one(
    args: &RecompileArgs,
    registry: &Registry,
    id: &StageId,
    key: &SigningKey,
    printer: &Printer,
) -> Result<Vec<AddedArtifact>> {
    let manifest = registry.manifest(id).await?;
    let digest = &manifest.component.digest;
    let (mut artifacts, mut missing) = (Vec::new(), Vec::new());
    for target in targets(&args.targets) {
        match registry.record(digest, target, ENGINE).await? {
            // If the code of a record is lost, the same code is made again.
            Some(record) if registry.artifact(&record).await.is_ok() => {
                artifacts.push(AddedArtifact { record, created: false });
            }
            _ => missing.push(target),
        }
    }
    if !missing.is_empty() {
        let component = registry.component(&manifest).await?;
        for (target, code) in compile(&id.to_string(), &component, &missing, printer).await? {
            artifacts.push(registry.add_artifact(digest, target, &code, key).await?);
        }
    }
    Ok(artifacts)
}
