//! `stagehost stage resign`: what is published, signed by another key.

use anyhow::Result;
use clap::Args;
use serde_json::json;
use stagehost_registry::StageId;

use super::WriteArgs;
use crate::exit::{Exit, usage};

#[derive(Args)]
#[command(after_help = "Example: from the key `release` to the key `release-2`\n\n  \
    export STAGEHOST_REGISTRY=s3://toq-listing-medias/pipeline/registry\n  \
    stagehost keys new release-2         # 1. add its public half to the TRUSTED_KEYS of all hosts, beside the old one\n  \
    stagehost stage resign --all --key release-2                 # 2. once those are deployed\n  \
    stagehost stage verify thumbnails@1.5.0 --keys DIR           # 3. with nothing but release-2.pub in DIR\n\n\
    Only then take the old key out of TRUSTED_KEYS, when the pins in force are signed by the new one as well: any change\n\
    of them with --key release-2 does that. Whoever resigns has to trust the old key: it is in the folder of keys, in\n\
    TRUSTED_KEYS, or named with --trust. What is said stays the same, and what the key has signed already stays as it\n\
    is, so a command that broke off is simply run again.")]
pub struct ResignArgs {
    /// The version
    #[arg(value_name = "NAME@VERSION", required_unless_present = "all")]
    id: Option<StageId>,

    /// All versions of all stages, yanked ones too
    #[arg(long, conflicts_with = "id")]
    all: bool,

    #[command(flatten)]
    registry: WriteArgs,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// If a version is not signed by a trusted key, or cannot be written. Of all versions, the others are still done.
pub async fn resign(args: ResignArgs) -> Result<Exit> {
    let (registry, key) = args.registry.open().await?;
    let ids = match &args.id {
        Some(id) => vec![id.clone()],
        None => registry.versions(None).await?,
    };
    if ids.is_empty() {
        return Err(usage!("{} has no stages", registry.place()));
    }
    let signer = key.public().id();
    let mut versions = Vec::new();
    let mut failed = 0;
    for id in &ids {
        match registry.resign(id, &key).await {
            Ok(documents) => {
                if !args.json {
                    let (mut before, mut changed) = (Vec::new(), 0);
                    for document in &documents {
                        changed += usize::from(document.before.is_some());
                        before.extend(document.before.clone());
                    }
                    before.sort();
                    before.dedup();
                    match changed {
                        0 => println!("{id} was signed by {signer} already"),
                        _ => println!(
                            "{id} signed by {signer}: {changed} of {} documents, in place of {}",
                            documents.len(),
                            before.join(", ")
                        ),
                    }
                }
                versions.push(json!({"stage": id.to_string(), "documents": documents}));
            }
            Err(error) if ids.len() == 1 => return Err(error.into()),
            Err(error) => {
                failed += 1;
                eprintln!("stagehost: {id}: {error}");
                versions.push(json!({"stage": id.to_string(), "refused": error.to_string()}));
            }
        }
    }
    if args.json {
        println!("{:#}", json!({"registry": registry.place(), "signer": signer, "versions": versions}));
    }
    Ok(match failed {
        0 => Exit::Success,
        all if all == ids.len() => Exit::Failure,
        _ => Exit::Partial,
    })
}
