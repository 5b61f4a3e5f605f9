//! What an invocation of the function is for.

use serde_json::Value;

/// What an invocation is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Work {
    /// The state's name; `queue` for messages, `event` for an event of a job.
    pub(super) state: String,
    /// The listing of the state's batch.
    pub(super) listing: Option<String>,
    /// The execution's name.
    pub(super) execution: Option<String>,
}

impl Work {
    pub(super) fn of(payload: &[u8]) -> Self {
        let event: Value = serde_json::from_slice(payload).unwrap_or_default();
        let Some(state) = event["state"].as_str() else {
            let state = if event.get("Records").is_some() { "queue" } else { "event" };
            return Self { state: state.to_owned(), listing: None, execution: None };
        };
        let batch = &event["batch"];
        let branch = batch.pointer("/branches/0").unwrap_or(batch);
        let listing = branch.get("listingId").or_else(|| branch.get("listingIdentityId"));
        Self {
            state: state.to_owned(),
            listing: listing.map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned)),
            execution: event.pointer("/execution/name").and_then(Value::as_str).map(str::to_owned),
        }
    }
}
