//! `stagehost stage build`: a project's component, by the tool of its language.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::authoring::project::Project;
use crate::authoring::toolchain::build;
use crate::authoring::world::world_of_project;
use crate::exit::{Exit, read_named};
use crate::output::printer::Printer;

#[derive(Args)]
#[command(after_help = "\
The language is in stage.json, or follows from the files: Cargo.toml is built by cargo for wasm32-wasip2, \
src/app.py by componentize-py, package.json with src/app.js by componentize-js. For any other language stage.json \
names the build command and the component that it makes: \"build\": [\"make\"], \"component\": \
\"build/NAME.wasm\". If a tool is missing, the message names the command that installs it. The schema of the \
settings, config.schema.json, is put into the component. A component that does not fit the world in stage.json is \
refused.

Exit codes: 0 it is built, 1 it is not, 2 wrong usage or a missing folder.

Examples:

  stagehost stage build
  stagehost stage build ../line-notes --json")]
pub struct BuildArgs {
    /// The project's folder
    #[arg(default_value = ".")]
    folder: PathBuf,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// If the folder is not a project, a tool is missing, or the project does not compile.
pub async fn build_command(args: BuildArgs, printer: &Printer) -> Result<Exit> {
    let project = Project::open(&args.folder)?;
    let since = Instant::now();
    let component = build(&project, printer).await?;
    let bytes = read_named("", &component)?;
    let world = world_of_project(&project, &component, &bytes)?;
    if args.json {
        printer.document(&json!({
            "stage": project.name, "language": project.builder.language(), "component": component, "bytes": bytes.len(),
            "world": world,
            "durationMs": since.elapsed().as_millis() as u64,
        }));
    } else {
        printer.line(component.display());
    }
    Ok(Exit::Success)
}
