//! An execution, followed to its end.

use std::collections::HashMap;

use serde_json::Value;
use stagehost_asl::{Detail, Event, Execution, Status};
use stagehost_batch::Batch;

use super::timing::Timing;
use super::watch::Watch;

/// An execution that has ended.
pub struct Finished {
    pub status: Status,
    error: Option<String>,
    cause: Option<String>,
    /// The batch as the last state left it.
    pub batch: Option<Batch>,
    pub timings: Vec<Timing>,
}

impl Finished {
    /// Returns why it failed.
    pub fn error(&self) -> Option<String> {
        let parts: Vec<_> = [self.error.as_deref(), self.cause.as_deref()].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(": "))
    }
}

/// Follows an execution to its end.
pub async fn follow(execution: &Execution, watch: &Watch) -> Finished {
    let mut events = execution.subscribe();
    let mut entered = HashMap::new();
    let mut timings = Vec::new();
    let mut last = None;
    while let Some(event) = events.next().await {
        let Event { timestamp, detail, .. } = event.as_ref();
        match detail {
            Detail::StateEntered { state, name, input } => {
                if does_work(state.as_str()) {
                    watch.entered(name);
                }
                entered.insert(name.clone(), *timestamp);
                last = batch(&input.value()).or(last);
            }
            Detail::StateExited { state, name, output, .. } => {
                if does_work(state.as_str()) {
                    watch.exited(name);
                    if let Some(since) = entered.get(name) {
                        let duration = (*timestamp - *since).try_into().unwrap_or_default();
                        timings.push(Timing { state: name.clone(), duration });
                    }
                }
                last = batch(&output.value()).or(last);
            }
            _ => {}
        }
        if event.is_last() {
            break;
        }
    }
    let outcome = execution.wait().await;
    Finished { status: outcome.status, error: outcome.error, cause: outcome.cause, batch: last, timings }
}

/// Whether work is done in a state of this type.
fn does_work(kind: &str) -> bool {
    matches!(kind, "Task" | "Map" | "Wait")
}

/// Returns the batch in a state's input or output, once the host has written one: then it names the execution.
fn batch(document: &Value) -> Option<Batch> {
    let places = ["/execution", "/branches/0/execution", "/0/execution"];
    let stamp = places.iter().find_map(|place| document.pointer(place))?;
    let execution = serde_json::from_value(stamp.clone()).ok()?;
    stagehost_batch::resume(document, &execution).ok()
}
