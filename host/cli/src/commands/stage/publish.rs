//! `stagehost stage publish`: makes a built component a version that can be pinned.

use std::path::PathBuf;

use anyhow::{Context, Result};
use bytes::Bytes;
use clap::Args;
use serde_json::json;
use stagehost_registry::{Draft, Published, Registry, SigningKey, StageId};
use stagehost_runtime::{Target, World};
use stagehost_storage::Location;

use crate::contract::fit;
use crate::exit::{Exit, read_named, usage};
use crate::output::printer::Printer;
use crate::output::units::kib;
use crate::registry::args::{WriteArgs, open};
use crate::registry::compile::{compile, targets};
use crate::registry::metadata::{Embedded, embed, read};
use crate::registry::oci::{self, OciPlace};
use crate::registry::place::RegistryPlace;

#[derive(Args)]
#[command(after_help = "\
A version never changes: the same bytes may be published again, other bytes need another version. With oci://host/path \
the component is pushed to host/path/NAME:VERSION, where wkg and other tools find it.

Examples:

  stagehost stage publish my_thumbnails.wasm \\
    --name thumbnails --version 1.5.0 \\
    --description \"sharper\" \\
    --registry s3://toq-listing-medias/pipeline/registry
  stagehost stage publish my_thumbnails.wasm \\
    --name thumbnails --version 1.5.0 \\
    --registry oci://ghcr.io/someone/stages")]
pub struct PublishArgs {
    /// The component: a .wasm file built for WASI 0.2
    file: PathBuf,

    /// The stage's name [default: the one embedded in the component]
    #[arg(long)]
    name: Option<String>,

    /// Its version, in the form of semver.org [default: the one embedded in the component]
    #[arg(long = "version", id = "stage-version", value_name = "VERSION")]
    version: Option<String>,

    /// Its description, in a sentence [default: the one embedded in the component]
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,

    /// The world that it must fit [default: the narrowest that it fits]
    #[arg(long)]
    world: Option<World>,

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
/// If the component fits no world, the version is taken, or something cannot be written.
pub async fn publish(args: PublishArgs, printer: &Printer) -> Result<Exit> {
    let place = args.registry.read.registry.place()?;
    let key = args.registry.signing()?;
    let draft = draft(&args)?;
    let published = match place {
        RegistryPlace::Store(location) => {
            let registry = open(location, args.registry.trusted(&key)?).await;
            (registry.place(), publish_in(&registry, &args, &draft, &key, printer).await?)
        }
        RegistryPlace::Oci(place) => publish_oci(&args, place, &draft, &key, printer).await?,
    };
    report(&args, printer, &published.0, &published.1);
    Ok(Exit::Success)
}

/// Publishes in a registry that hosts read. It is checked before time goes into compiling.
async fn publish_in(
    registry: &Registry,
    args: &PublishArgs,
    draft: &Draft,
    key: &SigningKey,
    printer: &Printer,
) -> Result<Published> {
    registry.check_draft(draft, key).await?;
    let code = compile(&draft.id.to_string(), &draft.component, &targets(&args.targets), printer).await?;
    Ok(registry.publish(draft, &code, key).await?)
}

/// Publishes in a folder, and pushes the documents from there.
async fn publish_oci(
    args: &PublishArgs,
    place: &OciPlace,
    draft: &Draft,
    key: &SigningKey,
    printer: &Printer,
) -> Result<(String, Published)> {
    let folder = tempfile::tempdir()?;
    let location = Location::Folder(folder.path().to_owned());
    let registry = open(&location, args.registry.trusted(key)?).await;
    let mut published = publish_in(&registry, args, draft, key, printer).await?;
    let reference = place.reference(&draft.id)?;
    published.created = oci::push(&reference, folder.path(), draft, &published).await?;
    Ok((format!("oci://{reference}"), published))
}

fn draft(args: &PublishArgs) -> Result<Draft> {
    let file = &args.file;
    let bytes = read_named("", file)?;
    let fit = fit(&bytes, args.world).map_err(anyhow::Error::msg).with_context(|| file.display().to_string())?;
    let world = fit.world().map_err(|reason| anyhow::anyhow!("{} {reason}", file.display()))?;
    let embedded = read(&bytes)?;
    let wanted = Embedded {
        name: args.name.clone().or(embedded.name),
        version: args.version.clone().or(embedded.version),
        description: args.description.clone().or(embedded.description),
    };
    let missing = |what: &str| usage!("{} has no {what} embedded; give it with --{what}", file.display());
    let name = wanted.name.as_deref().ok_or_else(|| missing("name"))?;
    let version = wanted.version.as_deref().ok_or_else(|| missing("version"))?;
    let id = StageId::new(name, version).map_err(|error| usage!("{error}"))?;
    let component = Bytes::from(embed(bytes, &wanted)?);
    Ok(Draft { id, world, description: wanted.description.unwrap_or_default(), component })
}

fn report(args: &PublishArgs, printer: &Printer, place: &str, published: &Published) {
    let manifest = &published.manifest;
    if args.json {
        let document = json!({
            "registry": place, "stage": manifest.name, "version": manifest.version, "world": manifest.world,
            "digest": manifest.component.digest, "created": published.created, "manifest": manifest,
            "artifacts": published.artifacts,
        });
        printer.document(&document);
        return;
    }
    let outcome = if published.created { "published" } else { "was published already, with the same bytes" };
    printer.line(format_args!("{}@{} {outcome}: {place}", manifest.name, manifest.version));
    printer.line(format_args!("  world     {}", manifest.world));
    printer.line(format_args!("  component {} {}", manifest.component.digest, kib(manifest.component.bytes)));
    for added in &published.artifacts {
        let record = &added.record;
        let new = if added.created { "" } else { " (was there)" };
        let (target, size) = (record.target.name(), kib(record.code.bytes));
        printer.line(format_args!("  {target:<9} {} {size}{new}", record.code.digest));
    }
    printer.line(format_args!("  signed by {}", manifest.publisher));
}
