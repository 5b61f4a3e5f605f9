//! Calls of stages, from the lines that the host has written to CloudWatch Logs. Calls without a failure are lines only at the
//! level `DEBUG`.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use stagehost_aws::LogLines;
use time::OffsetDateTime;

use crate::source::error::SourceError;
use crate::source::executions::ExecutionSource;
use crate::source::journal::{CallJournal, KnownCalls, LoggedCall};

/// How long after an execution its last lines arrive, in milliseconds.
const LATE: i64 = 60_000;

/// The log group of the host's function.
pub struct LoggedCalls {
    lines: Arc<LogLines>,
    group: String,
    executions: Arc<dyn ExecutionSource>,
}

impl LoggedCalls {
    /// Returns the calls in the log group with this name.
    pub fn new(lines: Arc<LogLines>, group: String, executions: Arc<dyn ExecutionSource>) -> Self {
        Self { lines, group, executions }
    }
}

#[async_trait]
impl CallJournal for LoggedCalls {
    async fn calls(&self, execution_arn: &str) -> Result<KnownCalls, SourceError> {
        let listed = self.executions.facts(execution_arn).await?.listed;
        let millis = |at: OffsetDateTime| i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
        let until = millis(listed.stopped.unwrap_or_else(OffsetDateTime::now_utc)) + LATE;
        let lines = self.lines.of_execution(&self.group, execution_arn, millis(listed.started), until).await;
        let found = lines.map_err(|failure| SourceError::Failed(failure.message))?;
        let mut gaps =
            vec!["From the host's log. Calls that did not fail are lines only at the level DEBUG.".to_owned()];
        if found.more {
            gaps.push(format!(
                "The log has more about this batch than the {} lines that were read, so later calls are missing here. CloudWatch \
                 Logs shows all: {}, filtered by the execution's ARN.",
                found.lines.len(),
                self.group
            ));
        }
        Ok(KnownCalls { calls: found.lines.iter().filter_map(logged).collect(), gaps })
    }
}

/// Reads a line about a call; `None` for others, such as those with the numbers of a whole state.
fn logged(line: &Value) -> Option<LoggedCall> {
    let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let printed = text("stderr");
    let message = text("message");
    Some(LoggedCall {
        millis: line.get("duration_ms")?.as_f64()?,
        memory: line.get("memory_peak").and_then(Value::as_u64).unwrap_or_default(),
        state: text("state"),
        attempt: line.get("attempt").and_then(Value::as_u64).and_then(|tries| u32::try_from(tries).ok()).unwrap_or(0),
        key: line.get("asset").and_then(Value::as_str).map(str::to_owned),
        stage: text("stage"),
        version: text("version"),
        digest: text("digest"),
        failure: line.get("failure").and_then(Value::as_str).map(str::to_owned),
        text: if printed.is_empty() { message } else { format!("{message}\n{printed}") },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_about_a_call_is_read_and_another_is_not() {
        let line = json!({
            "timestamp": "2026-11-23T04:50:03.848991Z", "level": "INFO", "state": "ValidateRawAssets", "stage": "validate",
            "version": "0.1.0", "digest": "sha256:73", "duration_ms": 56.623, "memory_peak": 1_179_648,
            "failure": "Stage.Corrupt", "message": "kitchen-damaged.jpg is cut off", "asset": "51/raw/kitchen-damaged.jpg",
            "stderr": "the stage printed this"
        });
        let call = logged(&line).unwrap();
        assert_eq!((call.state.as_str(), call.stage.as_str(), call.millis), ("ValidateRawAssets", "validate", 56.623));
        assert_eq!(call.failure.as_deref(), Some("Stage.Corrupt"));
        assert_eq!(call.text, "kitchen-damaged.jpg is cut off\nthe stage printed this");
        assert_eq!(logged(&json!({"level": "FATAL", "Calls": 3, "state": "ValidateRawAssets"})), None);
    }
}
