//! The examples: each builds as it is, fits, and passes its unit tests and its cases.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stagehost_needs::{NODE, componentize_js, program};
use stagehost_tests::{binary, file};

/// An example, copied, so that nothing is left in the checkout. The contract is copied with it.
struct Example {
    folder: tempfile::TempDir,
    path: String,
}

impl Example {
    fn new(name: &str, tool: Option<&Path>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        copy(&file("examples").join(name), folder.path())?;
        let path = std::env::var("PATH").unwrap_or_default();
        let path = match tool.and_then(Path::parent) {
            Some(tool) => format!("{}:{path}", tool.display()),
            None => path,
        };
        Ok(Self { folder, path })
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> Result<String> {
        let test = std::env::current_exe()?;
        let target = test.ancestors().nth(3).context("the test lies in no target folder")?.join("author-kit");
        let mut command = Command::new(program);
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO", "CARGO_MANIFEST_DIR"] {
            command.env_remove(name);
        }
        command.env("CARGO_TARGET_DIR", target).env("CARGO_NET_OFFLINE", "true").env("PATH", &self.path);
        let output = command.args(arguments).current_dir(self.folder.path()).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "{} {arguments:?}: {}\n{out}\n{said}", program.display(), output.status);
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
            Some("target" | "build" | "out" | "node_modules") => {}
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
fn the_chat_is_told_how_a_batch_went() -> Result<()> {
    let Some(tool) = componentize_js() else { return Ok(()) };
    if !program(&NODE) {
        return Ok(());
    }
    let example = Example::new("chat-notification", Some(&tool))?;
    example.run(Path::new("node"), &["--test"])?;
    assert_eq!(example.passes_its_cases()?, 3);
    Ok(())
}
