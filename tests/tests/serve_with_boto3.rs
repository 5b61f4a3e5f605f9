//! The endpoints are for other people's SDKs, so somebody else's SDK drives them here: the scripts in `tests/python` use
//! boto3 and nothing of this project.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use stagehost_tests::{Serve, file, run_script};

/// A Python that has boto3: `STAGEHOST_PYTHON`, which `tests/run` sets, or whatever `python3` is.
fn python() -> Result<String> {
    let python = std::env::var("STAGEHOST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let asked = Command::new(&python).args(["-c", "import boto3"]).output().with_context(|| {
        format!("{python} cannot be run; run the tests with tests/run, or set STAGEHOST_PYTHON to a Python with boto3")
    })?;
    ensure!(
        asked.status.success(),
        "{python} has no boto3; run the tests with tests/run, which makes an environment that has it, or set \
         STAGEHOST_PYTHON to a Python that does: {}",
        String::from_utf8_lossy(&asked.stderr)
    );
    Ok(python)
}

#[test]
fn boto3_runs_a_machine_with_all_of_the_language_and_a_batch_by_start_execution_alone() -> Result<()> {
    let python = python()?;
    let folder = tempfile::tempdir()?;
    let serve = Serve::start(&folder.path().join("out"))?;
    let address = folder.path().join("serve.json");
    std::fs::write(&address, serve.facts.to_string())?;

    run_script(python, "drive_serve.py", &[&address, &file("samples/listing")])
}
