//! One suite of the contract, which stages of all languages pass: the same exercises, the same expectations, on the real
//! runtime. The stages are in `tests/guests/conformant` and `tests/conformance`.
#![allow(clippy::unwrap_used)]

mod bytes;
#[path = "../../fixtures/calling.rs"]
mod calling;
mod endings;
mod exchanges;
mod heard;
mod outside;
#[path = "../../fixtures/secret_service.rs"]
mod secret_service;
mod stages;
mod told;
mod trial;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use stagehost_runtime::Stage;
use trial::{Language, Trial};

/// All exercises.
fn trials() -> Vec<Trial> {
    [told::trials(), bytes::trials(), outside::trials(), exchanges::trials(), endings::trials()]
        .into_iter()
        .flatten()
        .collect()
}

/// Fails with the names of all exercises in which the stage does not do what the contract says.
async fn conforms(stage: Arc<Stage>, language: Language) {
    let mut failed = Vec::new();
    for trial in trials() {
        let name = trial.name.clone();
        let seen = trial.run(&stage, language).await;
        // What differs is printed where it is found.
        if catch_unwind(AssertUnwindSafe(|| trial.check(&seen))).is_err() {
            failed.push(format!("{name}: {:?}, {:?}", seen.outcome, seen.heard));
        }
        println!("{language:?}: {name}: {:?}, {} MiB", seen.report.duration, seen.report.memory_peak >> 20);
    }
    assert!(failed.is_empty(), "{language:?}:\n{}", failed.join("\n"));
}

#[tokio::test]
async fn a_stage_in_rust_does_what_the_contract_says() {
    conforms(stages::rust().unwrap(), Language::Rust).await;
}

#[tokio::test]
async fn a_stage_in_python_does_what_the_contract_says() {
    if let Some(stage) = stages::python().unwrap() {
        conforms(stage, Language::Python).await;
    }
}

#[tokio::test]
async fn a_stage_in_javascript_does_what_the_contract_says() {
    if let Some(stage) = stages::javascript().unwrap() {
        conforms(stage, Language::Javascript).await;
    }
}
