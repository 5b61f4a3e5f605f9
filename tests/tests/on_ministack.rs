//! The package as it is uploaded, on an AWS that is not this project's: what its own emulations allow may be wrong in the
//! same way on both sides.

#![cfg(target_os = "linux")]

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use stagehost_tests::package::package;
use stagehost_tests::{cache, file};

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
    let ran = Command::new(python()?)
        // No byte code is left in the checkout.
        .arg("-B")
        .arg(file("tests/python/ministack_lambda.py"))
        .arg(&package()?.zip)
        .arg(file("samples/listing"))
        .arg(file("statemachine/media-processing.asl.json"))
        .output()
        .context("starting ministack_lambda.py")?;
    let said = String::from_utf8_lossy(&ran.stdout);
    println!("{said}");
    ensure!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    Ok(())
}
