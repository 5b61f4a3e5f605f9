//! The examples: each builds as it is, fits, and passes its unit tests and its cases.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stagehost_needs::{NODE, PYTHON3, componentize_js, componentize_py, program, zig};
use stagehost_tests::author::{author_command, with_the_stages_of_the_release};
use stagehost_tests::{binary, file};

/// An example, copied, so that nothing is left in the checkout. The contract is copied with it.
struct Example {
    folder: tempfile::TempDir,
    tool: Option<PathBuf>,
}

impl Example {
    fn new(name: &str, tool: Option<PathBuf>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        copy(&file("examples").join(name), folder.path())?;
        Ok(Self { folder, tool })
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> Result<String> {
        let mut command = author_command(program, self.folder.path(), self.tool.as_deref())?;
        let output = command.args(arguments).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "{} {arguments:?}: {}\n{out}\n{said}", program.display(), output.status);
        Ok(out)
    }

    /// Runs one photo through the whole pipeline with the example's state. Returns what is shown of that.
    fn runs_in_the_pipeline(&self) -> Result<String> {
        let photos = self.folder.path().join("photos");
        std::fs::create_dir_all(&photos)?;
        std::fs::copy(file("samples/listing/kitchen.jpg"), photos.join("kitchen.jpg"))?;
        let mut command = author_command(&binary(), self.folder.path(), self.tool.as_deref())?;
        with_the_stages_of_the_release(&mut command);
        let output = command.args(["stage", "dev", "photos", "--pipeline", "--once"]).output()?;
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "{out}\n{}", String::from_utf8_lossy(&output.stderr));
        Ok(out)
    }

    /// Builds and checks it, and runs its cases. Returns how many there were.
    fn passes_its_cases(&self) -> Result<usize> {
        let built: Value = serde_json::from_str(&self.run(&binary(), &["stage", "build", "--json"])?)?;
        let component = built["component"].as_str().context("no component")?;
        self.run(&binary(), &["stage", "check", component])?;
        let tested: Value = serde_json::from_str(&self.run(&binary(), &["stage", "test", "--json"])?)?;
        Ok(tested["cases"].as_array().context("no cases")?.len())
    }
}

/// Copies a folder, with what its links lead to.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let source = entry?.path();
        let target: PathBuf = to.join(source.file_name().context("a name")?);
        match source.file_name().and_then(|name| name.to_str()) {
            Some("target" | "build" | "out" | "node_modules" | ".venv" | "__pycache__") => {}
            _ if source.is_dir() => copy(&source, &target)?,
            _ => std::fs::copy(&source, &target).map(drop)?,
        }
    }
    Ok(())
}

#[test]
fn the_watermark_is_put_on_a_photo() -> Result<()> {
    let example = Example::new("watermark", None)?;
    example.run(Path::new("cargo"), &["test", "--quiet"])?;
    assert_eq!(example.passes_its_cases()?, 1);
    Ok(())
}

#[test]
fn the_chat_is_told_how_a_batch_went_with_a_secret_that_the_stage_never_sees() -> Result<()> {
    let Some(tool) = componentize_js() else { return Ok(()) };
    if !program(&NODE) {
        return Ok(());
    }
    let example = Example::new("chat-notification", Some(tool))?;
    example.run(Path::new("node"), &["--test"])?;
    assert_eq!(example.passes_its_cases()?, 3);
    Ok(())
}

#[test]
fn a_photo_gets_its_thumbhash_and_its_colours() -> Result<()> {
    let Some(tool) = componentize_py() else { return Ok(()) };
    if !program(&PYTHON3) {
        return Ok(());
    }
    let example = Example::new("thumbhash", Some(tool))?;
    example.run(Path::new("python3"), &["-m", "unittest", "discover", "tests"])?;
    assert_eq!(example.passes_its_cases()?, 4);
    // The attributes are part of what the backend is told.
    let shown = example.runs_in_the_pipeline()?;
    assert!(shown.contains("kitchen.jpg: thumbhash is ") && shown.contains("the backend was told"), "{shown}");
    Ok(())
}

#[test]
fn a_pdf_gets_a_picture_of_its_first_page() -> Result<()> {
    let example = Example::new("pdf-preview", None)?;
    example.run(Path::new("cargo"), &["test", "--quiet", "--locked"])?;
    assert_eq!(example.passes_its_cases()?, 4);
    Ok(())
}

#[test]
fn every_file_gets_its_entropy_from_a_stage_in_c() -> Result<()> {
    let Some(tool) = zig() else { return Ok(()) };
    let example = Example::new("entropy", Some(tool))?;
    example.run(Path::new("make"), &["test"])?;
    // Building compares the types of the bindings, which are in the repository, with those of `wit/`.
    assert_eq!(example.passes_its_cases()?, 3);
    let shown = example.runs_in_the_pipeline()?;
    assert!(shown.contains("kitchen.jpg: entropy is 7.") && shown.contains("the backend was told"), "{shown}");
    Ok(())
}
