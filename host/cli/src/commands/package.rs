//! `stagehost package`: the package of the Lambda function: the host without a compiler, the stages compiled for its
//! processor, and the pins that it starts with.

use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use stagehost_dispatch::{Artifact, ArtifactIndex, INDEX};
use stagehost_pins::Pins;
use stagehost_runtime::{Target, precompile_for};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::build::bootstrap;
use crate::build::checkout::Checkout;
use crate::build::components::Components;
use crate::build::host_states::host_states_in;
use crate::build::release_pins::pin;
use crate::exit::{Exit, read_named_text, usage};
use crate::output::printer::Printer;
use crate::output::units::mib;
use crate::settings::file::ConfigFile;
use crate::settings::stage_override::StageOverride;

#[derive(Args)]
#[command(after_help = "\
Exit codes: 0 written, 1 failure, 2 wrong usage or a missing file.

Examples:

  stagehost package
  stagehost package --target arm64 \\
    --out package --zip bootstrap.zip")]
pub struct PackageArgs {
    /// The folder to write: bootstrap, pins.json, stages/
    #[arg(long, value_name = "DIR", default_value = "package")]
    out: PathBuf,

    /// Also write the folder as the zip file that Lambda takes
    #[arg(long, value_name = "FILE")]
    zip: Option<PathBuf>,

    /// The processor of the function: x86_64 or arm64 [default: this machine's]
    #[arg(long)]
    target: Option<Target>,

    /// Use this built bootstrap, instead of building it
    #[arg(long, value_name = "FILE")]
    bootstrap: Option<PathBuf>,

    /// A state machine in the Amazon States Language, instead of the shipped one; its states are pinned
    #[arg(long, value_name = "FILE")]
    state_machine: Option<PathBuf>,

    /// Settings per state, as for `run`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Pin this component to a state; may be given several times
    #[arg(long = "stage", value_name = "STATE=FILE")]
    stages_named: Vec<StageOverride>,

    /// A folder of built components, instead of building the checkout's
    #[arg(long, value_name = "DIR")]
    stages: Option<PathBuf>,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// If something does not build or cannot be written; the text names it.
pub async fn package(args: PackageArgs, printer: &Printer) -> Result<Exit> {
    let target = match args.target.or_else(Target::of_this_machine) {
        Some(target) => target,
        None => return Err(usage!("Lambda does not offer this machine's processor; name one with --target")),
    };
    let checkout = Checkout::find()?;
    // Before the stages are built, because that takes minutes.
    if let Some(file) = &args.bootstrap {
        bootstrap::check(file, target)?;
    }
    let definition_file = args.state_machine.clone().unwrap_or_else(|| checkout.state_machine());
    let definition = read_named_text("the state machine", &definition_file)?;
    let states = host_states_in(&definition_file, &definition)?;
    let config = ConfigFile::read(args.config.as_deref(), &states, &args.stages_named)?;
    let stages = match &args.stages {
        Some(folder) => folder.clone(),
        None => checkout.built_stages(printer).await?,
    };
    let mut components = Components::default();
    let pins = pin(&states, &stages, &args.stages_named, config.settings, &mut components)?;

    let bootstrap = match &args.bootstrap {
        Some(file) => file.clone(),
        None => bootstrap::build(&checkout, target, printer).await?,
    };
    if args.bootstrap.is_none() {
        bootstrap::check(&bootstrap, target)?;
    }

    let folder = args.out.join("stages");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let index = precompile(target, &pins, &components, &folder, printer).await?;
    write_json(&folder.join(INDEX), &index)?;
    write_json(&args.out.join("pins.json"), &pins)?;
    let host = args.out.join("bootstrap");
    // Written beside it first: the old one may be running.
    let beside = tempfile::NamedTempFile::new_in(&args.out)?.into_temp_path();
    std::fs::copy(&bootstrap, &beside).with_context(|| format!("cannot copy {}", bootstrap.display()))?;
    beside.persist(&host).with_context(|| format!("cannot write {}", host.display()))?;

    let zip_bytes = args.zip.as_deref().map(|file| write_zip(&args.out, &index, file)).transpose()?;
    report(&args, printer, target, &pins, &index, host.metadata()?.len(), zip_bytes);
    Ok(Exit::Success)
}

/// Compiles the pinned components into `folder`.
async fn precompile(
    target: Target,
    pins: &Pins,
    components: &Components,
    folder: &Path,
    printer: &Printer,
) -> Result<ArtifactIndex> {
    let mut index =
        ArtifactIndex { made_by: env!("CARGO_PKG_VERSION").to_owned(), target, artifacts: Default::default() };
    for pin in pins.states.values() {
        if index.artifacts.contains_key(&pin.digest) {
            continue;
        }
        let component = components.get(&pin.digest).context("a pin names a component that was not read")?.clone();
        let work = printer.begin(format!("compiling {} for {target}", pin.stage));
        let code = tokio::task::spawn_blocking(move || precompile_for(target, &component)).await??;
        work.done();
        let artifact = Artifact::new(&pin.stage, &pin.version, &code);
        let file = folder.join(artifact.file_name());
        std::fs::write(&file, code).with_context(|| format!("cannot write {}", file.display()))?;
        index.artifacts.insert(pin.digest.clone(), artifact);
    }
    Ok(index)
}

/// Writes the zip and returns its length. The same files give the same bytes, so that a deployment can tell whether anything changed.
fn write_zip(folder: &Path, index: &ArtifactIndex, file: &Path) -> Result<u64> {
    if let Some(parent) = file.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    }
    // Written beside it, so that an interrupted run leaves no half-written package.
    let beside = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(beside)?;
    let mut zip = ZipWriter::new(std::io::BufWriter::new(temporary.as_file_mut()));
    let mut names = vec!["bootstrap".to_owned(), "pins.json".to_owned(), format!("stages/{INDEX}")];
    names.extend(index.artifacts.values().map(|artifact| format!("stages/{}", artifact.file_name())));
    for name in names {
        let mode = if name == "bootstrap" { 0o755 } else { 0o644 };
        let options =
            SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).unix_permissions(mode);
        zip.start_file(&name, options)?;
        let bytes = std::fs::read(folder.join(&name)).with_context(|| format!("cannot read {name}"))?;
        zip.write_all(&bytes)?;
    }
    zip.finish()?.flush()?;
    let bytes = temporary.as_file_mut().seek(std::io::SeekFrom::End(0))?;
    // Temporary files are for their owner only; others may upload this one.
    #[cfg(unix)]
    temporary.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    temporary.persist(file).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(bytes)
}

fn write_json(file: &Path, document: &impl serde::Serialize) -> Result<()> {
    std::fs::write(file, serde_json::to_vec_pretty(document)?)
        .with_context(|| format!("cannot write {}", file.display()))
}

fn report(
    args: &PackageArgs,
    printer: &Printer,
    target: Target,
    pins: &Pins,
    index: &ArtifactIndex,
    bootstrap_bytes: u64,
    zip_bytes: Option<u64>,
) {
    if args.json {
        printer.document(&json!({
            "folder": args.out, "target": target, "bootstrapBytes": bootstrap_bytes, "zip": args.zip,
            "zipBytes": zip_bytes, "pins": pins, "artifacts": index.artifacts,
        }));
        return;
    }
    printer.line(format_args!("{} for {target}", args.out.display()));
    printer.line(format_args!("  bootstrap   {}", mib(bootstrap_bytes)));
    for artifact in index.artifacts.values() {
        printer.line(format_args!("  {:<11} {} {}", artifact.stage, artifact.version, mib(artifact.bytes)));
    }
    if let (Some(zip), Some(bytes)) = (&args.zip, zip_bytes) {
        printer.line(format_args!("{} {}", zip.display(), mib(bytes)));
    }
}
