//! The same executions on three engines: this project's interpreter, moto and ministack. A mistake of one engine shows as a
//! difference. Known differences are listed with their reasons in `tests/python/engine_differences.py`.

use anyhow::Result;
use serde_json::{Value, json};
use stagehost_needs::{MOTO, python_with};
use stagehost_tests::{Serve, cache, file, ministack_python, run_script};

use super::run::{Machine, run};
use super::scenario::{all, definition};

/// `tests/run` runs it beside the other tests, by the name of the module.
mod for_minutes {
    use super::*;

    #[test]
    fn every_scenario_and_two_batches_of_the_real_host_run_alike_on_three_engines() -> Result<()> {
        let made = cache()?.join("moto/bin/python");
        let moto = python_with(&MOTO, "STAGEHOST_MOTO_PYTHON", &made, "moto.server, antlr4");
        let (Some(moto), Some(ministack)) = (moto, ministack_python()?) else { return Ok(()) };

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
}
