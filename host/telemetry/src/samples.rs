#![allow(clippy::unwrap_used)]
//! A state and its calls, for the tests; and the test of the README's samples.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use stagehost_batch::{Case, Failure};
use stagehost_runtime::CallReport;
use stagehost_runtime::capability::{CallScope, Provenance};

use crate::calls::{StateCalls, StateContext};
use crate::trace::TraceContext;
use crate::{emf, segment};

pub(crate) const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

pub(crate) fn scope() -> CallScope {
    let batch = json!({
        "listingId": 51, "batchId": 5, "jobId": 4, "assets": [{"key": "51/raw/photo/vertical/2025-11-27/a.jpg"}],
        "traceparent": TRACEPARENT
    });
    CallScope {
        state: "GenerateThumbnails".into(),
        execution: "arn:aws:states:eu-west-1:1:execution:m:e".into(),
        attempt: 0,
        task_token: Some("a-token-that-ends-the-state".into()),
        batch: Arc::new(stagehost_batch::parse(&batch).unwrap()),
        provenance: Arc::new(Provenance {
            stage: "thumbnails".into(),
            version: "0.1.0".into(),
            digest: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        }),
    }
}

pub(crate) fn begin() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_764_000_000_250)
}

/// Returns a call that began `offset` milliseconds after [`begin`] and took `duration`.
pub(crate) fn report(offset: u64, duration: u64) -> CallReport {
    CallReport {
        started_at: begin() + Duration::from_millis(offset),
        duration: Duration::from_millis(duration),
        instantiate: Duration::from_micros(1500),
        memory_peak: 64 << 20,
        bytes_read: 1000,
        bytes_written: 10,
    }
}

/// `good` calls that succeed, and one call that fails with each of `cases`.
pub(crate) fn calls(good: u64, cases: &[Case]) -> StateCalls {
    let mut calls = StateCalls::new(StateContext::of(&scope()));
    for n in 0..good {
        calls.add(Some(&format!("51/raw/photo/vertical/2025-11-27/{n}.jpg")), None, &report(n, 100 + n));
    }
    for case in cases {
        let failure = Failure::new(*case, "bad.jpg is cut off");
        calls.add(Some("51/raw/photo/vertical/2025-11-27/bad.jpg"), Some(&failure), &report(0, 5));
    }
    calls
}

/// Returns the names of all fields of a document, as paths.
fn names(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| {
                let inner: Vec<String> = names(value).into_iter().map(|inner| format!("{name}.{inner}")).collect();
                if inner.is_empty() { vec![name.clone()] } else { inner }
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(names).collect(),
        _ => BTreeSet::new(),
    }
}

#[test]
fn the_samples_in_the_readme_have_the_fields_that_the_code_writes() {
    let readme = include_str!("../README.md");
    let shown: Vec<Value> = readme
        .split("```json\n")
        .skip(1)
        .map(|rest| serde_json::from_str(rest.split("```").next().unwrap()).unwrap())
        .collect();
    let [log, metrics, segment] = &shown[..] else { panic!("{} samples", shown.len()) };
    for field in ["timestamp", "level", "listing", "batch", "job", "execution", "state", "stage", "version", "digest"] {
        assert!(log.get(field).is_some(), "{field}");
    }
    let calls = calls(1, &[Case::Corrupt]);
    let line = emf::line("staging", &calls, true, begin());
    assert_eq!(names(metrics), names(&serde_json::from_str(&line).unwrap()));
    let trace = TraceContext::from_traceparent(TRACEPARENT).unwrap();
    let documents = segment::documents(&calls, &trace, calls.span().unwrap(), Some("Root=1-…"));
    assert_eq!(names(segment), names(&serde_json::from_str(&documents[0]).unwrap()));
    for metric in [emf::FAILURES, emf::HOST_ERRORS] {
        assert!(readme.contains(&format!("| `{}` | {}", metric.name, metric.unit)), "{}", metric.name);
    }
}
