//! The uploaded package and the template that deploys it, on ministack, an AWS that is not this project's. The project's own
//! stand-ins may share the host's mistakes.
//!
//! These tests wait for minutes. `tests/run` runs them beside the others, by the name of the module.

#![cfg(target_os = "linux")]

mod for_minutes {
    use std::path::PathBuf;

    use anyhow::Result;
    use stagehost_tests::package::{package_apart, package_with};
    use stagehost_tests::{binary, file, guest, ministack_python, repository, run_script};

    #[test]
    fn the_zip_serves_every_kind_of_event_and_messages_of_a_queue_become_executions() -> Result<()> {
        let Some(python) = ministack_python()? else { return Ok(()) };
        let arguments =
            [&package_apart()?.zip, &file("samples/listing"), &file("statemachine/media-processing.asl.json")];
        run_script(python, "ministack_lambda.py", &arguments.map(PathBuf::as_path))
    }

    #[test]
    fn the_template_is_deployed_and_every_result_reaches_the_backend_or_the_dead_letter_queue() -> Result<()> {
        let Some(python) = ministack_python()? else { return Ok(()) };
        let stage = format!("GenerateThumbnails={}", guest("hostile")?.display());
        let hostile = package_with("hostile-thumbnails", &["--stage", &stage])?;
        run_script(python, "ministack_stack.py", &[&repository(), &package_apart()?.zip, &hostile.zip, &binary()])
    }
}
