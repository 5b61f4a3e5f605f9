//! `stagehost stage resign`: published versions, signed by another key.

use anyhow::Result;
use clap::Args;
use serde_json::json;
use stagehost_registry::StageId;

use crate::exit::{Exit, usage};
use crate::output::printer::Printer;
use crate::registry::args::WriteArgs;

#[derive(Args)]
#[command(after_help = "\
First add the new key to the TRUSTED_KEYS of all hosts, beside the old one. Remove the old key when the new one has \
signed the pins too (any change with --key release-2 does that) and no execution uses pins that only the old key \
signed.

The old key must be trusted here: in the folder of keys, in TRUSTED_KEYS, or with --trust. Documents keep their \
content, and those that the new key has already signed are skipped, so run the command again if it was \
interrupted.

Exit codes: 0 done, 3 some versions failed, 1 failure, 2 wrong usage.

Examples: from the key `release` to the key `release-2`

  BUCKET=s3://toq-listing-medias
  export STAGEHOST_REGISTRY=$BUCKET/pipeline/registry
  stagehost keys new release-2
  stagehost stage resign --all --key release-2

To see what hosts will accept that trust only the new key, put release-2.pub alone into a folder DIR:

  stagehost stage list --keys DIR")]
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
/// If a version is not signed by a trusted key, or cannot be written. With `--all`, the other versions are still signed.
pub async fn resign(args: ResignArgs, printer: &Printer) -> Result<Exit> {
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
                        0 => printer.line(format_args!("{id} was signed by {signer} already")),
                        _ => printer.line(format_args!(
                            "{id} signed by {signer}: {changed} of {} documents, in place of {}",
                            documents.len(),
                            before.join(", ")
                        )),
                    }
                }
                versions.push(json!({"stage": id.to_string(), "documents": documents}));
            }
            Err(error) if ids.len() == 1 => return Err(error.into()),
            Err(error) => {
                failed += 1;
                printer.problem(format_args!("{id}: {error}"));
                versions.push(json!({"stage": id.to_string(), "refused": error.to_string()}));
            }
        }
    }
    if args.json {
        printer.document(&json!({"registry": registry.place(), "signer": signer, "versions": versions}));
    }
    Ok(match failed {
        0 => Exit::Success,
        all if all == ids.len() => Exit::Failure,
        _ => Exit::Partial,
    })
}
