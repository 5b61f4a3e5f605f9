//! `stagehost stage recompile`: artifacts for this version's engine, from components that are published already.

use anyhow::Result;
use clap::Args;
use serde_json::json;
use stagehost_registry::{AddedArtifact, Registry, SigningKey, StageId};
use stagehost_runtime::{ENGINE, Target};

use super::{WriteArgs, compiled, kib, named, targets};
use crate::exit::{Exit, usage};

#[derive(Args)]
#[command(after_help = "Example: before hosts of a new release read the registry\n\n  \
    stagehost stage recompile --all --registry s3://toq-listing-medias/pipeline/registry\n\n\
    An artifact is for one engine. Those that are there already stay, for the hosts that run now.")]
pub struct RecompileArgs {
    /// The version, or a stage's newest
    #[arg(value_name = "NAME[@VERSION]", required_unless_present = "all")]
    what: Option<String>,

    /// All versions of all stages; yanked ones too, because they may still be pinned
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
/// If a component cannot be trusted or read, or an artifact cannot be written. Of all versions, the others are still done.
pub async fn recompile(args: RecompileArgs) -> Result<Exit> {
    let (registry, key) = args.registry.open().await?;
    let ids = match &args.what {
        Some(what) => vec![named(&registry, what).await?],
        None => registry.versions(None).await?,
    };
    if ids.is_empty() {
        return Err(usage!("{} has no stages", registry.place()));
    }
    let mut documents = Vec::new();
    let mut failed = false;
    for id in &ids {
        match one(&args, &registry, id, &key).await {
            Ok(artifacts) => {
                for added in artifacts.iter().filter(|_| !args.json) {
                    let said = if added.created { kib(added.record.code.bytes) } else { "was there".to_owned() };
                    println!("{id} {}-{ENGINE} {said}", added.record.target);
                }
                documents.push(json!({"stage": id.to_string(), "artifacts": artifacts}));
            }
            Err(error) if ids.len() == 1 => return Err(error),
            Err(error) => {
                failed = true;
                eprintln!("stagehost: {id}: {error:#}");
                documents.push(json!({"stage": id.to_string(), "refused": format!("{error:#}")}));
            }
        }
    }
    if args.json {
        println!("{:#}", json!({"registry": registry.place(), "engine": ENGINE, "versions": documents}));
    }
    Ok(if failed { Exit::Partial } else { Exit::Success })
}

async fn one(args: &RecompileArgs, registry: &Registry, id: &StageId, key: &SigningKey) -> Result<Vec<AddedArtifact>> {
    let manifest = registry.manifest(id).await?;
    let digest = &manifest.component.digest;
    let (mut artifacts, mut missing) = (Vec::new(), Vec::new());
    for target in targets(&args.targets) {
        match registry.record(digest, target, ENGINE).await? {
            // A record whose code is lost is as good as none: the same code is made again.
            Some(record) if registry.artifact(&record).await.is_ok() => {
                artifacts.push(AddedArtifact { record, created: false });
            }
            _ => missing.push(target),
        }
    }
    if !missing.is_empty() {
        let component = registry.component(&manifest).await?;
        for (target, code) in compiled(&id.to_string(), &component, &missing, args.json).await? {
            artifacts.push(registry.add_artifact(digest, target, &code, key).await?);
        }
    }
    Ok(artifacts)
}
