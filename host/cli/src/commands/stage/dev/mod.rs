//! `stagehost stage dev`: a stage on one file or in the whole pipeline, again after every save.

mod changes;
mod in_pipeline;
mod machine;
mod result;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use stagehost_runtime::StageEngine;
use stagehost_testing::MemoryHost;

use self::changes::next_change;
use self::in_pipeline::{Trying, in_pipeline};
use self::result::show;
use crate::authoring::defaults::{defaults, project_settings};
use crate::authoring::project::Project;
use crate::authoring::sources::Seen;
use crate::authoring::toolchain::build_if_stale;
use crate::authoring::trial::{Trial, TrialStage, empty_batch, uploaded};
use crate::exit::{Exit, read_named, usage};
use crate::local::pipeline::{DEFAULT_OUT, PipelineArgs};
use crate::output::printer::Printer;
use crate::output::problem::sentence;
use crate::output::units::seconds;
use crate::signals::stoppable;

#[derive(Args)]
#[command(after_help = "\
The host's checks are all made, but storage and services are in memory. The command shows what the stage prints, its \
failures, its time and its memory, and writes what it makes to out/dev/ in the project's folder. Settings, limits \
and grants are those of the settings file that stage.json names; changes of that file count too.

Results stay for the next run, as in the bucket: if a stage finds its fingerprint unchanged, it does not make the \
object again, and the command says so. --fresh discards them before every run.

With --pipeline the stage runs in the whole pipeline, on a folder of media or a batch document, as with `stagehost \
run`. The options of `run` are for --pipeline only. If the state machine does not have the state, it comes from the \
project's pipeline/state.json. If you save while a batch runs, the new version is built and takes over without \
stopping the batch, and the next batch begins at once. Results go to out/pipeline/ in the project's folder; --fresh \
keeps only the uploads there.

Exit codes: 130 stopped by Ctrl-C, 143 by SIGTERM; with --once 0 everything succeeded, 1 the build or the stage failed, 3 with \
--pipeline some files failed; 2 wrong usage or a missing file.

Examples:

  stagehost stage dev photo.jpg
  stagehost stage dev photo.jpg --dir line-notes --fresh
  stagehost stage dev plan.pdf --once
  stagehost stage dev ~/photos/house-51 --pipeline")]
pub struct DevArgs {
    /// The files to run the stage on: one file for an asset stage, all files of a batch for a batch stage; with
    /// --pipeline a folder or a batch document
    #[arg(required = true)]
    files: Vec<PathBuf>,

    /// Run the stage in the whole pipeline
    #[arg(long = "pipeline", id = "in_pipeline")]
    in_pipeline: bool,

    /// The project's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,

    /// Discard the results of earlier runs before every run
    #[arg(long)]
    fresh: bool,

    /// Build and run once, without waiting for changes
    #[arg(long)]
    once: bool,

    #[command(flatten)]
    pipeline: PipelineArgs,
}

impl DevArgs {
    /// Returns an option that is for `--pipeline` only and was given.
    fn for_pipeline_only(&self) -> Option<&'static str> {
        let pipeline = &self.pipeline;
        let given = [
            ("--out", pipeline.out != Path::new(DEFAULT_OUT)),
            ("--state-machine", pipeline.state_machine.is_some()),
            ("--config", pipeline.config.is_some()),
            ("--stage", !pipeline.stages_named.is_empty()),
            ("--stages", pipeline.stages.is_some()),
            ("--record", pipeline.record.is_some()),
            ("--callback-url", pipeline.callback_url.is_some()),
            ("--webhook-secret", pipeline.webhook_secret.is_some()),
            ("--pins", pipeline.follow.pins.is_some()),
            ("--setup", pipeline.setup),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }
}

/// Runs the command. A signal ends it.
///
/// # Errors
/// If the folder is not a project, or a file cannot be read.
pub async fn dev(args: DevArgs, printer: &Printer) -> Result<Exit> {
    let project = Project::open(&args.dir)?;
    if args.in_pipeline {
        let [input] = &args.files[..] else {
            return Err(usage!("--pipeline takes one folder of media, or one batch document"));
        };
        let trying = Trying { input: input.clone(), pipeline: args.pipeline, fresh: args.fresh, once: args.once };
        return Box::pin(in_pipeline(&project, trying, printer)).await;
    }
    if let Some(option) = args.for_pipeline_only() {
        return Err(usage!("{option} is for the whole pipeline; add --pipeline, or leave it out"));
    }
    stoppable(printer, on_files(&project, &args, printer)).await
}

/// Runs the stage on the files, again after every change.
async fn on_files(project: &Project, args: &DevArgs, printer: &Printer) -> Result<Exit> {
    for file in &args.files {
        if !file.is_file() {
            return Err(usage!("{} is not a file; a folder needs --pipeline", file.display()));
        }
    }
    // Every version is compiled by the same engine, which remembers the functions that did not change.
    let engine = StageEngine::remembering()?;
    let mut host = MemoryHost::default();
    let mut remembers = false;
    loop {
        let seen = Seen::now(project, &args.files);
        if args.fresh {
            host = MemoryHost::default();
        }
        let done = round(project, &args.files, &engine, &host, printer).await;
        if args.once {
            return Ok(if done?.succeeded { Exit::Success } else { Exit::Failure });
        }
        match done {
            Ok(done) if !remembers => {
                remember(&engine, &done.component);
                remembers = true;
            }
            Ok(_) => {}
            // What is wrong is corrected in an editor beside this.
            Err(error) => printer.problem(sentence(&error)),
        }
        printer.note("waiting for changes; Ctrl-C ends");
        let changed = next_change(project, &args.files, seen).await;
        printer.note(format_args!("\n{} changed", changed.display()));
    }
}

/// Compiles a component while the author goes on. The engine remembers only what it has compiled itself: a component that an earlier
/// command has compiled was mapped, and all of its next version would have to be compiled.
fn remember(engine: &StageEngine, component: &Path) {
    // It was read and compiled before. If that is no longer possible, the next version takes longer and nothing else.
    let Ok(bytes) = read_named("", component) else { return };
    let engine = engine.clone();
    // Not a task, whose end the command would wait for.
    drop(std::thread::spawn(move || engine.precompile(&bytes).is_ok()));
}

/// What a round did.
struct Round {
    /// The component that was run.
    component: PathBuf,
    /// Whether the stage succeeded.
    succeeded: bool,
}

/// Builds the project and runs the stage once.
async fn round(
    project: &Project,
    files: &[PathBuf],
    engine: &StageEngine,
    host: &MemoryHost,
    printer: &Printer,
) -> Result<Round> {
    let began = Instant::now();
    project.ensure_unchanged()?;
    let settings = project_settings(project)?;
    let component = build_if_stale(project, printer).await?;
    let stage = TrialStage::load(engine, &component, project, printer).await?;
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
    Ok(Round { component, succeeded })
}
