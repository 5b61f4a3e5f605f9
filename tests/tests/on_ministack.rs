//! The package as it is uploaded, and the template that deploys it, on an AWS that is not this project's: what its own
//! emulations allow may be wrong in the same way on both sides.

#![cfg(target_os = "linux")]

use std::path::PathBuf;

use anyhow::Result;
use stagehost_tests::package::{package, package_with};
use stagehost_tests::{file, guest, ministack_python, repository, run_script};

#[test]
fn the_zip_serves_every_kind_of_event_and_a_queue_is_mapped_to_executions() -> Result<()> {
    let arguments = [&package()?.zip, &file("samples/listing"), &file("statemachine/media-processing.asl.json")];
    run_script(ministack_python()?, "ministack_lambda.py", &arguments.map(PathBuf::as_path))
}

#[test]
fn the_template_is_deployed_and_however_a_batch_ends_the_backend_or_the_dead_letters_know() -> Result<()> {
    let stage = format!("GenerateThumbnails={}", guest("hostile")?.display());
    let hostile = package_with("hostile-thumbnails", &["--stage", &stage])?;
    run_script(ministack_python()?, "ministack_stack.py", &[&repository(), &package()?.zip, &hostile.zip])
}
