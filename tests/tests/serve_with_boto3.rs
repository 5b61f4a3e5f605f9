//! The local endpoints with another SDK: the scripts in `tests/python` use boto3 and nothing of this project.

use anyhow::Result;
use stagehost_needs::{PYTHON, python_with};
use stagehost_tests::{Serve, cache, file, run_script};

#[test]
fn boto3_runs_a_machine_with_the_whole_language_and_a_batch_by_start_execution() -> Result<()> {
    let made = cache()?.join("venv/bin/python");
    let Some(python) = python_with(&PYTHON, "STAGEHOST_PYTHON", &made, "boto3") else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let serve = Serve::start(&folder.path().join("out"))?;
    let address = folder.path().join("serve.json");
    std::fs::write(&address, serve.facts.to_string())?;

    run_script(python, "drive_serve.py", &[&address, &file("samples/listing")])
}
