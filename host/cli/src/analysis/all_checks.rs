//! All checks together.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;
use stagehost_asl::StateMachine;

use super::finding::{Finding, Findings, Kind};
use super::flow::Flow;
use super::machine::{Machine, Pinned};
use super::schema::Documents;
use super::state_checks;

/// Returns the findings about a state machine, its pins and the schema of the host's answers. `dispatched` are the states
/// by whose names the host picks a stage.
///
/// # Errors
/// If the schema is not JSON. An invalid definition is a finding.
pub fn findings(
    definition: &str,
    schema: &str,
    pins: &BTreeMap<String, Pinned>,
    dispatched: BTreeSet<String>,
) -> Result<Vec<Finding>> {
    let documents = Documents::read(schema).context("the schema of the batch document")?;
    let mut findings = Findings::default();
    let (valid, parsed) = match StateMachine::parse(definition) {
        Ok(machine) => (true, machine.warnings().to_vec()),
        Err(refused) => (false, refused.findings),
    };
    for finding in parsed {
        findings.add(Finding {
            state: finding.state,
            place: finding.location,
            kind: Kind::Definition,
            subject: finding.code.as_str().to_owned(),
            problem: finding.message,
            fix: "see the Amazon States Language's specification (states-language.net)".into(),
        });
    }
    if valid {
        let definition: Value = serde_json::from_str(definition)?;
        let machine = Machine::new(&definition, pins, dispatched);
        state_checks::run(&machine, &mut findings);
        Flow::run(&machine, &documents, &mut findings);
    }
    Ok(findings.finish())
}
