//! The calls of stages in this process, kept for the console.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use stagehost_console::{CallJournal, KnownCalls, LoggedCall, SourceError};
use stagehost_runtime::{AssetEvent, Observer};

use crate::stage_log::log_line;

/// How many calls are kept; the oldest go first.
const KEPT: usize = 50_000;

/// The last calls of all executions. The lines that stages write go to the command's log.
#[derive(Default)]
pub struct RecentCalls(Mutex<Recent>);

#[derive(Default)]
struct Recent {
    /// ARN and call.
    calls: VecDeque<(String, LoggedCall)>,
    /// The execution of the newest call that is not kept any more.
    forgotten: Option<String>,
}

impl Observer for RecentCalls {
    fn on(&self, event: AssetEvent<'_>) {
        let (state, scope, key, failure, report) = match event {
            AssetEvent::Logged { scope, key, line } => return log_line(scope, key, line),
            AssetEvent::Ended { state, scope, key, failure, report, .. } => (state, scope, key, failure, report),
            _ => return,
        };
        let call = LoggedCall {
            state: state.to_owned(),
            attempt: scope.attempt,
            key: key.map(str::to_owned),
            stage: scope.provenance.stage.clone(),
            version: scope.provenance.version.clone(),
            digest: scope.provenance.digest.clone(),
            millis: report.duration.as_secs_f64() * 1e3,
            memory: report.memory_peak as u64,
            failure: failure.map(|failure| failure.case.name().to_owned()),
            text: failure.map(|failure| failure.message.clone()).unwrap_or_default(),
        };
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.calls.len() == KEPT {
            recent.forgotten = recent.calls.pop_front().map(|(arn, _)| arn);
        }
        recent.calls.push_back((scope.execution.clone(), call));
    }
}

#[async_trait]
impl CallJournal for RecentCalls {
    async fn calls(&self, execution_arn: &str) -> Result<KnownCalls, SourceError> {
        let recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = recent.calls.iter().filter(|(arn, _)| arn == execution_arn);
        let calls = own.map(|(_, call)| call.clone()).collect();
        let cut = recent.forgotten.as_deref() == Some(execution_arn);
        let gaps = cut.then(|| format!("This machine keeps the last {KEPT} calls, so the first ones are missing."));
        Ok(KnownCalls { calls, gaps: gaps.into_iter().collect() })
    }
}
