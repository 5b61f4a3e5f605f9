//! The same executions on three engines: this project's interpreter, and two that are not this project's. What they have
//! in common hangs on no mistake of one of them; where they differ is written down, with the reason, in
//! `tests/python/engine_differences.py`.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use stagehost_tests::{Serve, cache, file, ministack_python, run_script};

use super::run::{Machine, run};
use super::scenario::{all, definition};

/// A Python that has moto: `STAGEHOST_MOTO_PYTHON`, or the one that `tests/run` makes.
fn moto_python() -> Result<PathBuf> {
    let python = match std::env::var_os("STAGEHOST_MOTO_PYTHON") {
        Some(python) => python.into(),
        None => cache()?.join("moto/bin/python"),
    };
    ensure!(
        python.is_file(),
        "there is no {}; run the tests with tests/run, which makes it, or set STAGEHOST_MOTO_PYTHON to a Python with moto \
         5.2.5 and its extras server and stepfunctions",
        python.display()
    );
    Ok(python)
}

#[test]
fn every_scenario_and_two_batches_of_the_real_host_run_alike_on_three_engines() -> Result<()> {
    let (moto, ministack) = (moto_python()?, ministack_python()?);

    let definition = definition()?;
    let machine = Machine::new(definition.clone())?;
    let executions = all()?.into_iter().map(|scenario| {
        Ok(json!({
            "name": scenario.name, "slug": scenario.slug(), "input": scenario.batch, "answers": scenario.answers,
            "definition": scenario.definition(&definition), "trace": run(&scenario, &machine)?
        }))
    });
    let executions: Value = executions.collect::<Result<Vec<_>>>()?.into();

    let folder = tempfile::tempdir()?;
    let serve = Serve::start(&folder.path().join("out"))?;
    let paths = ["executions.json", "serve.json"].map(|name| folder.path().join(name));
    std::fs::write(&paths[0], executions.to_string())?;
    std::fs::write(&paths[1], serve.facts.to_string())?;
    let [executions, facts] = &paths;
    run_script(ministack, "engines.py", &[executions, facts, &file("samples/listing"), &moto])
}
