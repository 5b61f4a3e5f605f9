//! The pages that are tested.

use std::fs;

use anyhow::{Context as _, Result};
use stagehost_tests::file;

use crate::blocks::{Block, blocks};

/// The pages whose blocks are run. Those of `tests/` are for people who change the tests, and long to run.
pub const PAGES: [&str; 24] = [
    "README.md",
    "docs/run-pipelines.md",
    "docs/write-stages.md",
    "docs/operate.md",
    "docs/runbook.md",
    "docs/on-aws-checklist.md",
    "docs/why-step-functions.md",
    "docs/step-functions-api.md",
    "docs/stages-in-rust.md",
    "docs/stages-in-python.md",
    "docs/stages-in-javascript.md",
    "docs/stages-in-c.md",
    "docs/contract.md",
    "docs/fast-stages.md",
    "docs/glossary.md",
    "host/lambda/README.md",
    "host/pins/README.md",
    "host/record/README.md",
    "host/registry/README.md",
    "host/telemetry/README.md",
    "samples/README.md",
    "stages/README.md",
    "statemachine/README.md",
    "wit/README.md",
];

/// The fenced blocks of a page.
pub fn blocks_of(page: &str) -> Result<Vec<Block>> {
    let text = fs::read_to_string(file(page)).with_context(|| page.to_owned())?;
    blocks(page, &text).map_err(anyhow::Error::msg)
}
