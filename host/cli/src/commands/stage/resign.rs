//! `stagehost stage resign`: what is published, signed by another key.

use anyhow::Result;
use clap::Args;
use serde_json::json;
use stagehost_registry::StageId;

use crate::exit::{Exit, usage};
use crate::registry::args::WriteArgs;

#[derive(Args)]
#[command(after_help = "Example: from the key `release` to the key `release-2`\n\n  \
    export STAGEHOST_REGISTRY=s3://toq-listing-medias/pipeline/registry\n  \
    stagehost keys new release-2\n  \
    stagehost stage resign --all --key release-2\n  \
    stagehost stage list --keys DIR      # nothing but release-2.pub in DIR: what will hosts say?\n\n\
    Before it, add the new key to the TRUSTED_KEYS of all hosts, beside the old one. After it, take\n\
    the old one out, once the pins are signed by the new key as well (any change of them with\n\
    --key release-2) and no execution goes on with pins that only the old one has signed.\n\n\
    Whoever resigns has to trust the old key: it is in the folder of keys, in TRUSTED_KEYS, or named\n\
    with --trust. What is said stays the same; what the key has signed already stays as it is, so a\n\
    command that broke off is simply run again.")]
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
