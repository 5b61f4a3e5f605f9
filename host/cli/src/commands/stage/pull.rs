//! `stagehost stage pull`: a published component as a file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use stagehost_runtime::StageIdentity;

use crate::exit::Exit;
use crate::output::printer::Printer;
use crate::output::units::kib;
use crate::registry::args::ReadArgs;
use crate::registry::oci;
use crate::registry::versions::find_version;

#[derive(Args)]
#[command(after_help = "\
An OCI registry has only the component, without a signature that hosts check. Inspect it, then sign and publish it \
with `stagehost stage publish`.

Examples:

  stagehost stage pull thumbnails@1.5.0 -o thumbnails.wasm \\
    --registry s3://toq-listing-medias/pipeline/registry
  stagehost stage pull oci://ghcr.io/someone/sepia:0.3.0 \\
    -o sepia.wasm")]
pub struct PullArgs {
    /// NAME[@VERSION] of a published stage, or oci://host/path:tag
    #[arg(value_name = "NAME[@VERSION]|oci://…")]
    what: String,

    /// The file to write; it must not exist
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    #[command(flatten)]
    registry: ReadArgs,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// If there is no such component, it differs from what was signed, or the file exists.
pub async fn pull(args: PullArgs, printer: &Printer) -> Result<Exit> {
    let (from, component) = if args.what.starts_with("oci://") {
        (args.what.clone(), oci::pull(&args.what).await?)
    } else {
        let registry = args.registry.open().await?;
        let id = find_version(&registry, &args.what).await?;
        let manifest = registry.manifest(&id).await?;
        (format!("{id} of {}", registry.place()), registry.component(&manifest).await?)
    };
    write_new(&args.output, &component)?;
    let digest = StageIdentity::digest_of(&component);
    if args.json {
        let document = json!({"from": from, "file": args.output, "digest": digest, "bytes": component.len()});
        printer.document(&document);
    } else {
        let size = kib(component.len() as u64);
        printer.line(format_args!("{}: {from}, {digest}, {size}", args.output.display()));
    }
    Ok(Exit::Success)
}

/// Writes a new file, whole or not at all.
fn write_new(file: &Path, bytes: &[u8]) -> Result<()> {
    let beside = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let cannot = || format!("cannot write {}", file.display());
    let mut temporary = tempfile::NamedTempFile::new_in(beside).with_context(cannot)?;
    std::io::Write::write_all(&mut temporary, bytes).with_context(cannot)?;
    #[cfg(unix)]
    temporary.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644)).with_context(cannot)?;
    temporary.persist_noclobber(file).map_err(|error| error.error).with_context(cannot)?;
    Ok(())
}
