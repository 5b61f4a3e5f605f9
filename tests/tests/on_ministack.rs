//! The package as it is uploaded, on an AWS that is not this project's: what its own emulations allow may be wrong in the
//! same way on both sides.

#![cfg(target_os = "linux")]

use std::path::PathBuf;

use anyhow::{Result, ensure};
use stagehost_tests::package::package;
use stagehost_tests::{cache, file, run_script};

/// A Python that has ministack: `STAGEHOST_MINISTACK_PYTHON`, or the one that `tests/run` makes.
fn python() -> Result<PathBuf> {
    let python = match std::env::var_os("STAGEHOST_MINISTACK_PYTHON") {
        Some(python) => python.into(),
        None => cache()?.join("ministack/bin/python"),
    };
    ensure!(
        python.is_file(),
        "there is no {}; run the tests with tests/run, which makes it, or set STAGEHOST_MINISTACK_PYTHON to a Python with \
         ministack 1.5.33",
        python.display()
    );
    Ok(python)
}

#[test]
fn the_zip_serves_every_kind_of_event_and_a_queue_is_mapped_to_executions() -> Result<()> {
    let arguments = [&package()?.zip, &file("samples/listing"), &file("statemachine/media-processing.asl.json")];
    run_script(python()?, "ministack_lambda.py", &arguments.map(PathBuf::as_path))
}
