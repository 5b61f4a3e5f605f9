//! The stage in each language, built as its author builds it.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stagehost_needs::{componentize_js, componentize_py};
use stagehost_runtime::{Stage, StageEngine, StageIdentity, World};
use stagehost_tests::{binary, file, guest};

pub fn rust() -> Result<Arc<Stage>> {
    load(&std::fs::read(guest("conformant")?)?)
}

pub fn python() -> Result<Option<Arc<Stage>>> {
    componentize_py().map(|tool| built("python", &tool)).transpose()
}

pub fn javascript() -> Result<Option<Arc<Stage>>> {
    componentize_js().map(|tool| built("javascript", &tool)).transpose()
}

/// Builds a project of `tests/conformance`. Nothing is written into the checkout.
fn built(language: &str, tool: &Path) -> Result<Arc<Stage>> {
    let (project, folder) = (file("tests/conformance").join(language), tempfile::tempdir()?);
    // With what its links lead to, because componentize-js reads no file outside of the folder.
    let copied = Command::new("cp").arg("-RL").arg(project.join(".")).arg(folder.path()).status()?;
    ensure!(copied.success(), "{} cannot be copied", project.display());
    let path = std::env::var("PATH").unwrap_or_default();
    let tools = tool.parent().context("a program lies in a folder")?;
    let output = Command::new(binary())
        .args(["stage", "build", "--json"])
        .current_dir(folder.path())
        .env("PATH", format!("{}:{path}", tools.display()))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{language}: {said}");
    let built: Value = serde_json::from_slice(&output.stdout)?;
    load(&std::fs::read(folder.path().join(built["component"].as_str().context("no component")?))?)
}

fn load(component: &[u8]) -> Result<Arc<Stage>> {
    let digest = StageIdentity::digest_of(component);
    let identity = StageIdentity { name: "conformant".into(), version: "1.0.0".into(), digest };
    Ok(Arc::new(Stage::compile(&StageEngine::new()?, identity, World::Custom, component)?))
}
