//! `stagehost stage test`: a stage's cases, in memory.

mod case_file;
mod case_result;
mod differences;
mod expectation;
mod junit;
mod picture;
mod recorded;
mod snapshot;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use stagehost_runtime::StageEngine;

use self::case_file::{Case, CaseFolder};
use self::case_result::CaseResult;
use crate::authoring::defaults::project_settings;
use crate::authoring::project::Project;
use crate::authoring::toolchain::build_if_stale;
use crate::authoring::trial::TrialStage;
use crate::exit::Exit;
use crate::output::printer::Printer;
use crate::output::untrusted::harmless;
use crate::settings::file::StateSettings;

#[derive(Args)]
#[command(after_help = "\
A case is a folder in cases/ with a case.json:

  {
    \"input\": [{\"file\": \"photo.jpg\"}],
    \"config\": {\"author\": \"Ada\"},
    \"grants\": {\"read\": [\"{listingId}/raw/\"]},
    \"http\": [
      {\"url\": \"https://chat.example/*\", \"status\": 503}
    ],
    \"faults\": [
      {\"when\": \"open\", \"then\": \"missing\", \"times\": 1}
    ]
  }

Only \"input\" is required. Each of its files may have a \"type\" (such as PHOTO_VERTICAL), a \"name\" in the bucket \
and a \"title\". \"config\", \"limits\" and \"grants\" replace those of the settings file that stage.json names. \
\"stored\" lists objects that exist besides the input, each with \"key\" and \"file\", and optionally \
\"contentType\" and \"fingerprint\". An answer in \"http\" may also have \"method\", \"headers\" and \"body\". \
\"callbacks\" lists the status codes with which the backend answers, and \"attempt\" is the number of retries so \
far.

The host's checks are all made, but storage and services are in memory. Uploads have the keys \
1/raw/TYPE/2026-01-02/NAME, and clocks and random numbers are the same in every run. The changes of each file and \
every effect are compared with expected.json, beside case.json. Pictures are compared by pixels with those in \
expected/, within \"tolerance\" (the mean difference of the channels, of 255; 1 by default).

\"when\" is one of stat, digest, open, read, create, append, finish, list, delete, tag, submit, deliver and send; \
\"then\" one of missing, mismatch, transient, refused and slow; \"key\" is the end of a key or a URL. The fault \
comes after the first \"after\" uses and lasts for \"times\" uses. \"milliseconds\" is the delay of a slow answer, \
200 by default.

A folder that `stagehost run --record cases/NAME` wrote is a case for each recorded call of the project's state: the \
call is repeated as with `stagehost replay`, and must have the same output and the same effects, byte for byte. \
--update does not change it; record it again instead.

Exit codes: 0 every case is as expected, 1 one is not, 2 wrong usage or a missing file.

Examples:

  stagehost stage test
  stagehost stage test --case a-photo --update
  stagehost stage test line-notes --junit report.xml")]
pub struct TestArgs {
    /// The project's folder
    #[arg(default_value = ".")]
    folder: PathBuf,

    /// Test this component instead of building the project's
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,

    /// Run this case only; may be given several times
    #[arg(long = "case", value_name = "NAME")]
    cases: Vec<String>,

    /// Write the result of each case as its expected result
    #[arg(long)]
    update: bool,

    /// Print one JSON document
    #[arg(long)]
    json: bool,

    /// Write a report in the format of JUnit, for CI
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// If the project cannot be built, a case cannot be read, or something cannot be written.
pub async fn test(args: TestArgs, printer: &Printer) -> Result<Exit> {
    let project = Project::open(&args.folder)?;
    let cases = CaseFolder::all(&project.folder.join("cases"), &args.cases)?;
    let settings = project_settings(&project)?;
    let component = match args.component.clone() {
        Some(component) => component,
        None => build_if_stale(&project, printer).await?,
    };
    let stage = TrialStage::load(&StageEngine::new()?, &component, &project, printer).await?;
    let mut ran = Vec::new();
    for case in &cases {
        let done = match case {
            CaseFolder::Written(case) => vec![run(case, &stage, settings.as_ref(), args.update).await?],
            CaseFolder::Recorded(recorded) => recorded.run(&project.state, stage.stage()).await?,
        };
        if !args.json {
            done.iter().for_each(|one| show(one, printer));
        }
        ran.extend(done);
    }
    let failed = ran.iter().filter(|case| !case.passed()).count();
    if let Some(file) = &args.junit {
        let report = junit::junit(&project.name, &ran);
        std::fs::write(file, report).with_context(|| format!("cannot write {}", file.display()))?;
    }
    if args.json {
        let list = ran.iter().map(|case| {
            json!({
                "name": case.name, "passed": case.passed(), "updated": case.updated, "differences": case.differences,
                "printed": case.printed, "durationMs": case.took.as_secs_f64() * 1e3,
            })
        });
        printer.document(&json!({
            "stage": project.name, "component": component, "failed": failed, "cases": list.collect::<Vec<_>>(),
        }));
    } else {
        printer.line(format_args!("{} passed, {failed} failed", ran.len() - failed));
    }
    Ok(if failed == 0 { Exit::Success } else { Exit::Failure })
}

async fn run(case: &Case, stage: &TrialStage, settings: Option<&StateSettings>, update: bool) -> Result<CaseResult> {
    let trial = case.trial(&stage.state, settings)?;
    let (before, host) = (trial.batch.clone(), trial.host.clone());
    let tried = stage.run(trial).await;
    let found = snapshot::snapshot(&before, &tried, &host.effects());
    let mut differences = expectation::compare(&case.folder, &found, case.tolerance())?;
    let updated = update && !differences.is_empty();
    if updated {
        expectation::update(&case.folder, &found)?;
        differences.clear();
    }
    let printed = tried.calls.iter().map(|call| call.printed.clone()).filter(|printed| !printed.is_empty());
    Ok(CaseResult { name: case.name.clone(), took: tried.took, differences, printed: printed.collect(), updated })
}

fn show(case: &CaseResult, printer: &Printer) {
    let (mark, updated) =
        (if case.passed() { '✓' } else { '✗' }, if case.updated { ", expectation written" } else { "" });
    printer.line(format_args!("{mark} {} ({:.1} ms{updated})", case.name, case.took.as_secs_f64() * 1e3));
    for difference in &case.differences {
        printer.line(format_args!("    {}", harmless(difference)));
    }
    if !case.passed() {
        for line in case.printed.iter().flat_map(|printed| printed.lines()) {
            printer.line(format_args!("    | {}", harmless(line)));
        }
    }
}
