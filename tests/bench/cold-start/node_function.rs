//! The Node function that the host is measured against, and its packages.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use stagehost_tests::{cache, file};

/// Returns the folder with the Node function and its packages; installs them if they are missing or have other versions.
pub fn installed() -> Result<PathBuf> {
    let (source, folder) = (file("tests/bench/cold-start/node"), cache()?.join("cold-start"));
    std::fs::create_dir_all(&folder)?;
    let wanted = std::fs::read(source.join("package.json"))?;
    let installed = folder.join("node_modules/.installed");
    let current = std::fs::read(&installed).is_ok_and(|found| found == wanted);
    for entry in std::fs::read_dir(&source)? {
        let entry = entry?;
        std::fs::copy(entry.path(), folder.join(entry.file_name()))?;
    }
    if !current {
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-fund", "--no-audit"]).current_dir(&folder);
        let output = npm.output().context("npm, which comes with Node 20, cannot be run")?;
        ensure!(output.status.success(), "npm install: {}", String::from_utf8_lossy(&output.stderr));
        std::fs::write(installed, wanted)?;
    }
    Ok(folder)
}
