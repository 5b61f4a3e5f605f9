//! `stagehost stage dev`: a stage on one file, again after every save.

mod result;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use stagehost_testing::MemoryHost;

use self::result::show;
use crate::authoring::defaults::{defaults, project_settings};
use crate::authoring::project::Project;
use crate::authoring::sources::Seen;
use crate::authoring::toolchain::build;
use crate::authoring::trial::{Trial, TrialStage, empty_batch, uploaded};
use crate::console::printer::Printer;
use crate::console::problem::sentence;
use crate::console::units::seconds;
use crate::exit::{Exit, read_named, usage};

/// How often the sources are looked at.
const LOOK: Duration = Duration::from_millis(150);

#[derive(Args)]
#[command(after_help = "\
The stage is called as by the host, with every check, and everything outside of it is in memory. What it prints, its \
failures, time and memory are shown, and what it makes is written to out/dev/ in the project's folder, so that a viewer \
can show it. Settings, limits and grants are those of stage.json's settings file, which is read again too.

What was made stays for the next build, as it would in the bucket: a stage that finds its fingerprint unchanged does not \
make it again, and that is said. --fresh forgets it before every run.

`stagehost serve --stage STATE=FILE` follows a component in the whole pipeline.

Exit codes: 130 stopped by Ctrl-C, 143 by SIGTERM; with --once 0 everything succeeded, 1 the build or the stage failed; 2 \
wrong usage or a missing file.

Examples:

  stagehost stage dev photo.jpg
  stagehost stage dev photo.jpg --dir line-notes --fresh
  stagehost stage dev plan.pdf --once")]
pub struct DevArgs {
    /// The files to try it on: one for a stage that works on files, all of a batch for one that sees batches
    #[arg(required = true)]
    files: Vec<PathBuf>,

    /// The project's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,

    /// Forget before every run what earlier runs made
    #[arg(long)]
    fresh: bool,

    /// Build and run once, without waiting for changes
    #[arg(long)]
    once: bool,
}

/// Runs the command. A signal ends it.
///
/// # Errors
/// If the folder is no project, or a file cannot be read.
pub async fn dev(args: DevArgs, printer: &Printer) -> Result<Exit> {
    let project = Project::open(&args.dir)?;
    for file in &args.files {
        if !file.is_file() {
            return Err(usage!("{} is not a file", file.display()));
        }
    }
    let mut host = MemoryHost::default();
    loop {
        let seen = Seen::now(&project, &args.files);
        if args.fresh {
            host = MemoryHost::default();
        }
        let done = round(&project, &args.files, &host, printer).await;
        if args.once {
            return Ok(if done? { Exit::Success } else { Exit::Failure });
        }
        if let Err(error) = done {
            // What is wrong is corrected in an editor beside this.
            printer.problem(sentence(&error));
        }
        printer.note("waiting for changes; Ctrl-C ends");
        let changed = next_change(&project, &args.files, seen).await;
        printer.note(format_args!("\n{} changed", changed.display()));
    }
}

/// Builds the project and runs the stage once. Returns whether it succeeded.
async fn round(project: &Project, files: &[PathBuf], host: &MemoryHost, printer: &Printer) -> Result<bool> {
    let began = Instant::now();
    let settings = project_settings(project)?;
    let component = build(project, printer).await?;
    let stage = TrialStage::load(&component, &project.state, printer).await?;
    let local = defaults(&project.state, settings.as_ref());
    let mut batch = empty_batch();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let asset = uploaded(host, &name, None, read_named("", file)?);
        if batch.asset(&asset.key).is_some() {
            return Err(usage!("two files are called {name}; their keys would be equal"));
        }
        batch.assets.push(asset);
    }
    let before = batch.clone();
    let trial = Trial {
        batch,
        config: local.config,
        limits: local.limits,
        grants: local.grants,
        attempt: 0,
        host: host.clone(),
    };
    let tried = stage.run(trial).await;
    let out = project.folder.join("out/dev");
    let succeeded = show(&before, &tried, &host.take_effects(), &out, printer)?;
    printer.note(format_args!("{} from the beginning of the build", seconds(began.elapsed())));
    Ok(succeeded)
}

/// Waits until something differs from what was seen, and has been quiet since. Returns one of the files.
async fn next_change(project: &Project, files: &[PathBuf], mut seen: Seen) -> PathBuf {
    let mut changed: Option<PathBuf> = None;
    loop {
        tokio::time::sleep(LOOK).await;
        let now = Seen::now(project, files);
        let newest: Option<&Path> = now.changed_since(&seen).into_iter().next();
        match (newest, changed.take()) {
            (Some(newest), _) => changed = Some(newest.to_owned()),
            (None, Some(changed)) => return changed,
            (None, None) => {}
        }
        seen = now;
    }
}
