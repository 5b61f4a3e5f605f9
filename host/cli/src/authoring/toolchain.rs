//! Builds a project's component with the tool of its language, cargo, componentize-py or componentize-js, or with the command
//! that the project names. The tool's own messages go to standard error as they are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;
use tokio::process::Command;

use super::language::Language;
use super::project::{Builder, Project};
use crate::build::checkout::{TARGET, newest_in};
use crate::output::printer::Printer;
use crate::settings::stage_schema::{SECTION, embedded};

/// The world of a project's own in `wit/world.wit`.
const WORLD: &str = "stage";

/// What a component is built from, in every language.
pub const SOURCES: [&str; 11] = [
    "src",
    "bindings",
    "Makefile",
    "wit",
    "config.schema.json",
    "stage.json",
    "Cargo.toml",
    "Cargo.lock",
    ".cargo",
    "requirements.txt",
    "package.json",
];

/// Builds the component and returns its file. If the project has a `config.schema.json` that the tool has not put into the
/// component, it is added.
///
/// # Errors
/// If the tool is missing, or does not build it; the text says what to do.
pub async fn build(project: &Project, printer: &Printer) -> Result<PathBuf> {
    let work = printer.begin(format!("building {}", project.name));
    let component = match &project.builder {
        Builder::Tool(Language::Rust) => build_rust(project, printer).await?,
        Builder::Tool(Language::Python) => build_python(project, printer).await?,
        Builder::Tool(Language::Javascript) => build_javascript(project, printer).await?,
        Builder::Own { command, component } => build_by(command, component, project, printer).await?,
    };
    add_schema(project, &component)?;
    work.done();
    Ok(component)
}

/// Builds the component unless it is newer than all its sources. Cargo and a project's own command decide that by themselves.
///
/// # Errors
/// As [`build`].
pub async fn build_if_stale(project: &Project, printer: &Printer) -> Result<PathBuf> {
    let Builder::Tool(language @ (Language::Python | Language::Javascript)) = project.builder else {
        return build(project, printer).await;
    };
    let component = project.folder.join(language.component(&project.name));
    let built = component.metadata().and_then(|metadata| metadata.modified()).ok();
    let sources = SOURCES.iter().filter_map(|source| newest_in(&project.folder.join(source))).max();
    if built.is_some() && built > sources {
        return Ok(component);
    }
    build(project, printer).await
}

/// Runs the project's own command.
async fn build_by(command: &[String], component: &Path, project: &Project, printer: &Printer) -> Result<PathBuf> {
    let (program, arguments) = command.split_first().context("stage.json names no program to build with")?;
    let component = std::path::absolute(project.folder.join(component))?;
    let mut own = Command::new(program);
    own.args(arguments);
    let missing = format!("{program}, which stage.json names, cannot be run");
    built(project, program, run(project, own, &missing).await?, &component, printer)
}

async fn build_rust(project: &Project, printer: &Printer) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics", "--quiet"]);
    // Flags for this machine's compiler do not fit WebAssembly. Those of the project's .cargo/config.toml count.
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("CARGO_BUILD_TARGET");
    let missing = "cargo is not installed; see https://rustup.rs, then run `rustup target add wasm32-wasip2`";
    let Output { stdout, stderr, succeeded } = run(project, command, missing).await?;
    if !succeeded {
        printer.problem(format_args!("cargo failed:\n{}", stderr.trim_end()));
        if stderr.contains("can't find crate for `std`") || stderr.contains("target may not be installed") {
            bail!("the target {TARGET} is not installed; run `rustup target add {TARGET}`");
        }
        bail!("{} does not compile; cargo's output is above", project.name);
    }
    if !stderr.trim().is_empty() {
        printer.note(stderr.trim_end());
    }
    component_of(&stdout, &project.folder).ok_or_else(|| {
        anyhow!(
            "cargo built no component of {}; its Cargo.toml needs `crate-type = [\"cdylib\"]` below [lib]",
            project.folder.display()
        )
    })
}

/// A line of cargo's messages.
#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// Returns the component of a folder's own package among cargo's messages, or else the last one.
fn component_of(messages: &str, folder: &Path) -> Option<PathBuf> {
    let manifest = folder.join("Cargo.toml").canonicalize().ok();
    let mut last = None;
    for message in messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok()) {
        let wasm = message.filenames.into_iter().find(|name| name.extension().is_some_and(|end| end == "wasm"));
        let Some(wasm) = wasm else { continue };
        if manifest.as_deref() == Some(message.manifest_path.as_path()) {
            return Some(wasm);
        }
        last = Some(wasm);
    }
    last
}

async fn build_python(project: &Project, printer: &Printer) -> Result<PathBuf> {
    let missing = "componentize-py is not installed; in the project's folder run `python3 -m venv .venv` and \
                   `.venv/bin/pip install -r requirements.txt`, or `pip install componentize-py==0.25.1`";
    let mut command = Command::new(tool(project, ".venv/bin/componentize-py", "componentize-py"));
    let component = output_file(project, Language::Python)?;
    command.args(["-d", "wit", "-w", WORLD, "componentize", "-p", "src", "app", "-o"]).arg(&component);
    built(project, "componentize-py", run(project, command, missing).await?, &component, printer)
}

async fn build_javascript(project: &Project, printer: &Printer) -> Result<PathBuf> {
    let missing = "componentize-js is not installed; run `npm install` in the project's folder, or \
                   `npm install --save-dev @bytecodealliance/componentize-js@0.19 @bytecodealliance/jco@1.15`";
    let mut command = Command::new(tool(project, "node_modules/.bin/componentize-js", "componentize-js"));
    let component = output_file(project, Language::Javascript)?;
    // A stage calls other services by toq:media/http. wasi:http is not linked by the host.
    command.args(["src/app.js", "--wit", "wit", "--world-name", WORLD]);
    command.args(["--disable", "http", "fetch-event", "-o"]).arg(&component);
    built(project, "componentize-js", run(project, command, missing).await?, &component, printer)
}

/// Returns the program in the project's folder if it is there, or else its name for the PATH.
fn tool(project: &Project, inside: &str, name: &str) -> OsString {
    let own = project.folder.join(inside);
    // The command runs in that folder, so a relative path would not be found.
    let own = own.canonicalize().map(|_| std::path::absolute(&own).unwrap_or(own));
    own.map_or_else(|_| name.into(), Into::into)
}

fn output_file(project: &Project, language: Language) -> Result<PathBuf> {
    let file = std::path::absolute(project.folder.join(language.component(&project.name)))?;
    let folder = file.parent().context("a component lies in a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(file)
}

fn built(project: &Project, tool: &str, output: Output, component: &Path, printer: &Printer) -> Result<PathBuf> {
    if !output.succeeded || !component.is_file() {
        printer.problem(format_args!("{tool} failed:\n{}{}", output.stdout, output.stderr.trim_end()));
        bail!("{} cannot be built; the output of {tool} is above", project.name);
    }
    Ok(component.to_owned())
}

/// What a tool printed, and whether it succeeded.
struct Output {
    stdout: String,
    stderr: String,
    succeeded: bool,
}

async fn run(project: &Project, mut command: Command, missing: &str) -> Result<Output> {
    command.current_dir(&project.folder).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => anyhow!("{missing}"),
        _ => anyhow!("{missing} ({error})"),
    })?;
    Ok(Output {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        succeeded: output.status.success(),
    })
}

/// Appends the schema of the settings as a custom section, for languages that cannot put one into a component.
fn add_schema(project: &Project, component: &Path) -> Result<()> {
    let file = project.folder.join("config.schema.json");
    if !file.is_file() {
        return Ok(());
    }
    let mut bytes = std::fs::read(component).with_context(|| format!("cannot read {}", component.display()))?;
    let schema = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let wanted: serde_json::Value =
        serde_json::from_slice(&schema).with_context(|| format!("{} is not JSON", file.display()))?;
    if let Some(carried) = embedded(&bytes, component)? {
        // A command such as make may leave the component as it was when only the schema has changed.
        ensure!(
            carried == wanted,
            "{} carries another schema than {}; delete the component and build it again",
            component.display(),
            file.display()
        );
        return Ok(());
    }
    append_section(&mut bytes, SECTION, &schema);
    // As a new file: cargo's own copy is a link to this one. It stays without a schema, so that the next build adds the schema
    // of then.
    let written = std::fs::remove_file(component).and_then(|()| std::fs::write(component, bytes));
    written.with_context(|| format!("cannot write {}", component.display()))
}

/// Appends a custom section to a component: the number 0, the length of what follows, the name with its length, the data
/// (WebAssembly specification, "Custom Section").
fn append_section(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    let mut content = leb128(name.len());
    content.extend_from_slice(name.as_bytes());
    content.extend_from_slice(data);
    component.push(0);
    component.extend(leb128(content.len()));
    component.extend(content);
}

/// Returns a length as WebAssembly writes it: seven bits a byte, the lowest first.
fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_schema_is_added_once() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("package.json"), "{}").unwrap();
        let schema = format!(r#"{{"title": "{}"}}"#, "x".repeat(300));
        std::fs::write(folder.path().join("config.schema.json"), &schema).unwrap();
        let component = folder.path().join("x.wasm");
        std::fs::write(&component, b"\0asm\x0d\0\x01\0").unwrap();
        let linked = folder.path().join("linked.wasm");
        std::fs::hard_link(&component, &linked).unwrap();
        let project = Project::open(folder.path()).unwrap();
        add_schema(&project, &component).unwrap();
        let once = std::fs::read(&component).unwrap();
        assert_eq!(embedded(&once, &component).unwrap().unwrap()["title"], "x".repeat(300));
        add_schema(&project, &component).unwrap();
        assert_eq!(std::fs::read(&component).unwrap(), once);
        std::fs::write(folder.path().join("config.schema.json"), r#"{"title": "new"}"#).unwrap();
        let error = add_schema(&project, &component).unwrap_err().to_string();
        assert!(error.contains("x.wasm carries another schema") && error.contains("config.schema.json"), "{error}");
        assert_eq!(embedded(&std::fs::read(&linked).unwrap(), &linked).unwrap(), None, "cargo's own copy is as it was");
    }

    #[test]
    fn the_component_of_the_project_is_found_among_those_of_its_dependencies() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("Cargo.toml");
        std::fs::write(&manifest, "").unwrap();
        let manifest = manifest.canonicalize().unwrap();
        let line = |manifest: &str, file: &str| {
            serde_json::json!({"reason": "compiler-artifact", "manifest_path": manifest, "filenames": [file]})
                .to_string()
        };
        let messages = [
            line("/other/Cargo.toml", "/t/other.wasm"),
            line(&manifest.display().to_string(), "/t/own.wasm"),
            r#"{"reason": "build-finished", "success": true}"#.to_owned(),
        ]
        .join("\n");
        assert_eq!(component_of(&messages, folder.path()), Some("/t/own.wasm".into()));
        assert_eq!(component_of("", folder.path()), None);
    }
}
