//! The shipped state machine with short waits.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::bite::Bite;
use crate::file;

/// Returns the shipped definition in which every retry waits for at most a second and a waiting state misses its heartbeat
/// after a minute. The numbers of retries and everything else are as shipped, apart from a fault on purpose.
///
/// # Errors
/// If the definition is missing or has another shape.
pub(super) fn definition(bite: Option<Bite>) -> Result<String> {
    let path = file("statemachine/media-processing.asl.json");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut machine: Value = serde_json::from_str(&text)?;
    shorten(&mut machine, bite == Some(Bite::NoRetry));
    if bite == Some(Bite::NoLetter) {
        for state in ["FinalizeAndCallback", "ReportValidationFailed", "ReportProcessingFailed"] {
            let next = machine.pointer_mut(&format!("/States/{state}/Catch/0/Next"));
            *next.context("a state that tells the backend has no Catch")? = json!("ProcessingFailed");
        }
        let states = machine["States"].as_object_mut().context("a machine without states")?;
        states.shift_remove("KeepUndeliveredResult");
    }
    Ok(machine.to_string())
}

fn shorten(value: &mut Value, without_retry: bool) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| shorten(value, without_retry)),
        Value::Object(fields) => {
            if without_retry {
                fields.shift_remove("Retry");
            }
            if fields.contains_key("IntervalSeconds") {
                fields.insert("IntervalSeconds".into(), json!(1));
                fields.insert("BackoffRate".into(), json!(1.0));
                fields.shift_remove("MaxDelaySeconds");
            }
            if fields.contains_key("HeartbeatSeconds") {
                fields.insert("HeartbeatSeconds".into(), json!(60));
            }
            fields.values_mut().for_each(|value| shorten(value, without_retry));
        }
        _ => {}
    }
}
