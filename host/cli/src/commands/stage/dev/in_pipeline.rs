//! A stage in development inside the whole pipeline: batches run from upload to callback, and every saved version of the stage
//! is swapped in while they do.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use stagehost_runtime::{AssetEvent, Observer};
use stagehost_storage::sdk_reason;
use tokio::sync::watch::{Receiver, Sender};

use super::changes::next_change;
use super::machine::machine;
use super::result::{show_calls, show_changes};
use crate::authoring::defaults::project_settings;
use crate::authoring::observed::Observed;
use crate::authoring::project::Project;
use crate::authoring::sources::Seen;
use crate::authoring::toolchain::build_if_stale;
use crate::authoring::world::world_of_project;
use crate::commands::run::report::Report;
use crate::commands::run::watch::Watch;
use crate::commands::run::{intake, run_batch, today};
use crate::exit::{Exit, read_named, usage};
use crate::local::pipeline::{DEFAULT_OUT, Pipeline, PipelineArgs};
use crate::output::printer::Printer;
use crate::output::problem::sentence;
use crate::output::units::seconds;
use crate::settings::stage_override::StageOverride;
use crate::signals::Signals;

/// Where results go if `--out` is not given, below the project's folder.
const OUT: &str = "out/pipeline";

/// How the stage is tried.
pub struct Trying {
    /// A folder of media, or a batch document.
    pub input: PathBuf,
    /// The options of the pipeline.
    pub pipeline: PipelineArgs,
    /// Whether each batch begins without what earlier ones made.
    pub fresh: bool,
    /// Whether one batch is enough.
    pub once: bool,
}

/// A version of the stage that is in force.
#[derive(Clone, Copy)]
struct Swapped {
    /// The pins' revision; `None` if only files of the batch have changed since the version before.
    revision: Option<u64>,
    /// When the change was seen.
    since: Instant,
}

/// Runs batches until a signal, or one.
///
/// # Errors
/// If the command line is wrong, the pipeline does not start, or with `once` if the project cannot be built.
pub async fn in_pipeline(project: &Project, mut trying: Trying, printer: &Printer) -> Result<Exit> {
    let mut signals = Signals::listen()?;
    let since = Instant::now();
    if trying.pipeline.follow.pins.is_some() {
        return Err(usage!(
            "--pins names the stages of every state; leave it out, so that the stage in development runs"
        ));
    }
    if trying.pipeline.out == Path::new(DEFAULT_OUT) {
        trying.pipeline.out = project.folder.join(OUT);
    }
    let out = trying.pipeline.out.clone();
    std::fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    trying.pipeline.state_machine = Some(machine(project, trying.pipeline.state_machine.as_deref(), &out)?);
    // A file that is named is read once. The project's own is read again with every change.
    let own_settings = trying.pipeline.config.is_none();
    if own_settings {
        trying.pipeline.config = project.settings.clone();
    }
    trying.pipeline.swap_on_request = true;

    let files = [trying.input.clone()];
    let mut seen = Seen::now(project, &files);
    let building = first_build(project, &files, &mut seen, trying.once, printer);
    let component = match signals.or(building).await {
        Ok(built) => built?,
        Err(stopped) => return Ok(stopped),
    };
    trying.pipeline.stages_named.push(StageOverride { state: project.state.clone(), file: component });

    let observer = Arc::new(StateAndRun { watch: Watch::new(printer), stage: Observed::of(&project.state) });
    let bind = std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0));
    let starting = Pipeline::start(&trying.pipeline, bind, false, observer.clone(), printer);
    let pipeline = match signals.or(starting).await {
        Ok(started) => started?,
        Err(stopped) => return Ok(stopped),
    };
    let (sender, swaps) = tokio::sync::watch::channel(Swapped { revision: Some(1), since });
    let batches = Rounds { project, trying: &trying, pipeline: &pipeline, observer: &observer, printer };
    let work = async {
        tokio::select! {
            ended = batches.run(swaps) => ended,
            never = keep_building(project, &files, seen, own_settings, &pipeline, &sender, printer) => match never {},
        }
    };
    let ended = signals.or(work).await;
    observer.watch.finish();
    // A second signal ends at once.
    let _ = signals.or(pipeline.aws.shutdown()).await;
    ended.unwrap_or_else(|stopped| {
        printer.problem("stopped");
        Ok(stopped)
    })
}

/// Builds the project; unless once is enough, again after every change until it succeeds.
async fn first_build(
    project: &Project,
    files: &[PathBuf],
    seen: &mut Seen,
    once: bool,
    printer: &Printer,
) -> Result<PathBuf> {
    loop {
        match built(project, printer).await {
            Err(error) if !once => printer.problem(sentence(&error)),
            done => return done,
        }
        printer.note("waiting for changes; Ctrl-C ends");
        next_change(project, files, seen.clone()).await;
        *seen = Seen::now(project, files);
    }
}

/// Builds the project if it must be, as it was described at the beginning. The component fits the project's world.
async fn built(project: &Project, printer: &Printer) -> Result<PathBuf> {
    project.ensure_unchanged()?;
    let component = build_if_stale(project, printer).await?;
    world_of_project(project, &component, &read_named("", &component)?)?;
    Ok(component)
}

/// Builds and swaps in every saved version, also while a batch runs: an execution ends with the version that it began with.
async fn keep_building(
    project: &Project,
    files: &[PathBuf],
    mut seen: Seen,
    own_settings: bool,
    pipeline: &Pipeline,
    swapped: &Sender<Swapped>,
    printer: &Printer,
) -> std::convert::Infallible {
    loop {
        let changed = next_change(project, files, seen).await;
        let since = Instant::now();
        printer.note(format_args!("\n{} changed", changed.display()));
        seen = Seen::now(project, files);
        match rebuild(project, own_settings, pipeline, printer).await {
            Ok(revision) => {
                if let Some(revision) = revision {
                    printer
                        .note(format_args!("{} runs the new version (revision {revision} of the pins)", project.state));
                }
                // Nobody waits for it if the command is ending.
                let _ = swapped.send(Swapped { revision, since });
            }
            Err(error) => printer.problem(format_args!("{} keeps its stage: {}", project.state, sentence(&error))),
        }
    }
}

async fn rebuild(project: &Project, own_settings: bool, pipeline: &Pipeline, printer: &Printer) -> Result<Option<u64>> {
    let settings = if own_settings { project_settings(project)? } else { None };
    built(project, printer).await?;
    let swapper = pipeline.swapper.as_ref().context("the pipeline follows signed pins")?;
    swapper.swap(&project.state, settings).await
}

/// Runs the batches, one after the other.
struct Rounds<'a> {
    project: &'a Project,
    trying: &'a Trying,
    pipeline: &'a Pipeline,
    observer: &'a StateAndRun,
    printer: &'a Printer,
}

impl Rounds<'_> {
    async fn run(&self, mut swaps: Receiver<Swapped>) -> Result<Exit> {
        loop {
            let version = *swaps.borrow_and_update();
            let ended = self.one(version).await;
            self.observer.watch.finish();
            if self.trying.once {
                return ended;
            }
            if let Err(error) = ended {
                self.printer.problem(sentence(&error));
            }
            if !swaps.has_changed().unwrap_or_default() {
                self.printer.note("waiting for changes; Ctrl-C ends");
            }
            if swaps.changed().await.is_err() {
                return Ok(Exit::Success);
            }
        }
    }

    /// Runs one batch and prints what the stage did in it.
    async fn one(&self, version: Swapped) -> Result<Exit> {
        if self.trying.fresh {
            forget(self.pipeline).await?;
        }
        let bucket = &self.pipeline.bucket;
        let intake = intake::read(&self.trying.input, None, "1", bucket, &today())?;
        for note in &intake.notes {
            self.printer.note(note);
        }
        let documents = self.pipeline.clients.documents();
        let (finished, callback) = run_batch(self.pipeline, intake, &self.observer.watch, self.printer).await?;
        self.observer.watch.finish();

        show_calls(&self.observer.stage.take(), self.printer);
        match finished.around(&self.project.state, &documents).await? {
            Some((before, after)) => show_changes(&before, &after, bucket, self.printer),
            None => self.printer.line(format_args!("✗ {} did not run to its end", self.project.state)),
        }
        let body = callback.as_deref().map(serde_json::from_str::<Value>).transpose()?;
        let error = finished.error();
        let report = Report {
            callback: body.as_ref(),
            batch: None,
            timings: &finished.timings,
            execution_status: finished.status.as_str(),
            error: error.as_deref(),
            bucket,
            outputs: &self.observer.watch.take_outputs(),
        };
        self.printer.line(report.ending());
        let revision = version.revision.map(|number| format!(" (revision {number} of the pins)")).unwrap_or_default();
        self.printer.note(format_args!("{} from the change{revision} to here", seconds(version.since.elapsed())));
        Ok(report.exit())
    }
}

/// Deletes everything in the bucket except what was uploaded.
async fn forget(pipeline: &Pipeline) -> Result<()> {
    let bucket = &pipeline.aws.options().bucket;
    let s3 = &pipeline.clients.s3;
    let mut pages = s3.list_objects_v2().bucket(bucket).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| anyhow!("cannot list what was made: {}", sdk_reason(&error)))?;
        for key in page.contents().iter().filter_map(|object| object.key()).filter(|key| !is_upload(key)) {
            let deleted = s3.delete_object().bucket(bucket).key(key).send().await;
            deleted.map_err(|error| anyhow!("cannot delete {key}: {}", sdk_reason(&error)))?;
        }
    }
    Ok(())
}

/// Returns whether a key is that of an upload: `51/raw/…`.
fn is_upload(key: &str) -> bool {
    key.split('/').nth(1) == Some("raw")
}

/// Shows the progress of the whole run, and keeps what the stage in development did.
struct StateAndRun {
    watch: Watch,
    stage: Observed,
}

impl Observer for StateAndRun {
    fn on(&self, event: AssetEvent<'_>) {
        self.watch.on(event);
        self.stage.on(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_uploads_outlast_a_fresh_start() {
        assert!(is_upload("51/raw/photo/vertical/2026-01-02/a.jpg"));
        for made in ["51/thumb/raw/a.jpg", "51/processed/photo/a.jpg", "pipeline/receipts/raw", "51/zip/complete.zip"] {
            assert!(!is_upload(made), "{made}");
        }
    }
}
