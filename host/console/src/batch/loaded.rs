//! Everything about one execution, read for a page.

use serde_json::Value;
use stagehost_batch::Batch;

use super::reading::visits;
use super::visits::Visits;
use crate::app::App;
use crate::fault::Fault;
use crate::plan::read::Plan;
use crate::source::error::SourceError;
use crate::source::executions::{ExecutionFacts, ExecutionSource, PastEvent, execution_arn};

/// An execution with its history.
pub(super) struct Run {
    pub(super) facts: ExecutionFacts,
    pub(super) visits: Visits,
    /// The state machine as it was when the execution began; `None` if it is not there any more.
    pub(super) plan: Option<Plan>,
    events: Vec<PastEvent>,
}

/// An execution with its history and its batch.
pub(super) struct Loaded {
    pub(super) facts: ExecutionFacts,
    pub(super) visits: Visits,
    /// The state machine as it was when the execution began; `None` if it is not there any more.
    pub(super) plan: Option<Plan>,
    /// The batch as the last state left it, or as it came in.
    pub(super) batch: Option<Batch>,
    /// Why the batch cannot be shown.
    pub(super) unreadable: Option<String>,
}

/// Returns the ARN of the execution with this name.
///
/// # Errors
/// If no execution can have the name.
pub(super) fn arn_of(app: &App, name: &str) -> Result<String, Fault> {
    let arn = execution_arn(app.parts.executions.machine(), name);
    arn.ok_or_else(|| Fault::missing(format!("no batch is called {name:?}")))
}

/// Reads an execution without its batch, which may be large.
///
/// # Errors
/// If it does not exist, or a service does not answer.
pub(super) async fn load_run(app: &App, name: &str) -> Result<Run, Fault> {
    let arn = arn_of(app, name)?;
    let source: &dyn ExecutionSource = app.parts.executions.as_ref();
    let (facts, events, definition) =
        futures::try_join!(source.facts(&arn), source.history(&arn), async { found(source.definition(&arn).await) })?;
    let visits = visits(&events, facts.listed.status);
    Ok(Run { plan: definition.as_deref().and_then(Plan::read), facts, visits, events })
}

/// Reads an execution.
///
/// # Errors
/// If it does not exist, or a service does not answer.
pub(super) async fn load(app: &App, name: &str) -> Result<Loaded, Fault> {
    let Run { facts, visits, plan, events } = load_run(app, name).await?;
    let (batch, unreadable) = match batch(app, &facts, &events).await {
        Ok(batch) => (Some(batch), None),
        Err(why) => (None, Some(why)),
    };
    Ok(Loaded { facts, visits, plan, batch, unreadable })
}

/// Returns `None` for what is not there.
fn found<T>(result: Result<T, SourceError>) -> Result<Option<T>, SourceError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(SourceError::Missing(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the batch as the newest state with the host's stamp of this execution left it, or else as it came in.
async fn batch(app: &App, facts: &ExecutionFacts, events: &[PastEvent]) -> Result<Batch, String> {
    let documents =
        events.iter().rev().filter(|event| event.state.is_some()).flat_map(|event| [&event.output, &event.input]);
    let stamped = documents
        .flatten()
        .filter(|text| text.contains("\"execution\""))
        .filter_map(|text| serde_json::from_str::<Value>(text).ok())
        .find(|document| {
            stamp(document).is_some_and(|stamp| stamp.get("arn").is_some_and(|arn| *arn == *facts.listed.arn))
        });
    let Some(document) = stamped else {
        return stagehost_batch::parse(&facts.input).map_err(|error| error.to_string());
    };
    let whole = app.parts.media.unpacked(document).await.map_err(|error| error.to_string())?;
    let execution = stamp(&whole).cloned().unwrap_or_default();
    let execution = serde_json::from_value(execution).map_err(|error| error.to_string())?;
    stagehost_batch::resume(&whole, &execution).map_err(|error| error.to_string())
}

/// Returns a document of a state as a whole, if it is the head of a large one; otherwise, and if the large one is gone, as it is.
pub(super) async fn whole(app: &App, text: Option<&str>) -> String {
    let Some(text) = text else { return String::new() };
    if !text.contains("\"spilled\"") {
        return text.to_owned();
    }
    let Ok(document) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    app.parts.media.unpacked(document).await.map_or_else(|_| text.to_owned(), |whole| whole.to_string())
}

/// Returns the stamp of the execution that the host leaves in every document, also in the head of a large one.
fn stamp(document: &Value) -> Option<&Value> {
    ["/execution", "/branches/0/execution", "/0/execution"].iter().find_map(|place| document.pointer(place))
}
