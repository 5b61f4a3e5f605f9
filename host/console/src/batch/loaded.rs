//! Everything about one execution, read for a page.

use serde_json::Value;
use stagehost_batch::Batch;

use super::reading::visits;
use super::visits::{Visit, Visits};
use crate::app::App;
use crate::fault::Fault;
use crate::patience::in_time;
use crate::plan::read::Plan;
use crate::source::error::SourceError;
use crate::source::executions::{ExecutionFacts, ExecutionSource, PastEvent, execution_arn};

/// An execution with its history.
pub(super) struct Run {
    pub(super) facts: ExecutionFacts,
    pub(super) visits: Visits,
    /// The state machine as it was when the execution began, or a sentence that says why it cannot be shown.
    pub(super) plan: Result<Plan, String>,
    /// Why the history cannot be read.
    pub(super) unread: Option<SourceError>,
    events: Vec<PastEvent>,
}

impl Run {
    /// Returns the stay in a state that began with an event.
    ///
    /// # Errors
    /// If there is none, or the history cannot be read.
    pub(super) fn visit(&self, event: i64) -> Result<&Visit, Fault> {
        let missing = || {
            let name = &self.facts.listed.name;
            match &self.unread {
                Some(error) => Fault::from(error.clone()),
                None => Fault::missing(format!("no state of {name} was entered with event {event}")),
            }
        };
        self.visits.at(event).ok_or_else(missing)
    }
}

/// An execution with its history and its batch.
pub(super) struct Loaded {
    pub(super) facts: ExecutionFacts,
    pub(super) visits: Visits,
    /// The state machine as it was when the execution began, or a sentence that says why it cannot be shown.
    pub(super) plan: Result<Plan, String>,
    /// Why the history cannot be read.
    pub(super) unread: Option<SourceError>,
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

/// Reads an execution without its batch, which may be large. Its history and its state machine are read at the same time; the rest of a
/// page does not need them.
///
/// # Errors
/// If it does not exist, or its description cannot be read.
pub(super) async fn load_run(app: &App, name: &str) -> Result<Run, Fault> {
    let arn = arn_of(app, name)?;
    let source: &dyn ExecutionSource = app.parts.executions.as_ref();
    let history = in_time("the history", source.history(&arn));
    let definition = in_time("the state machine", source.definition(&arn));
    let (facts, history, definition) = futures::try_join!(
        in_time("the execution", source.facts(&arn)),
        async { Ok::<_, SourceError>(history.await) },
        async { Ok::<_, SourceError>(definition.await) }
    )?;
    let (events, unread) = match history {
        Ok(events) => (events, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    Ok(Run { visits: visits(&events, facts.listed.status), plan: plan(definition), facts, unread, events })
}

/// Reads an execution.
///
/// # Errors
/// If it does not exist, or its description cannot be read.
pub(super) async fn load(app: &App, name: &str) -> Result<Loaded, Fault> {
    let Run { facts, visits, plan, unread, events } = load_run(app, name).await?;
    let (batch, unreadable) = match batch(app, &facts, &events).await {
        Ok(batch) => (Some(batch), None),
        Err(why) => (None, Some(why)),
    };
    Ok(Loaded { facts, visits, plan, unread, batch, unreadable })
}

/// Reads the state machine.
fn plan(definition: Result<String, SourceError>) -> Result<Plan, String> {
    match definition {
        Ok(definition) => {
            Plan::read(&definition).ok_or_else(|| "The state machine is not one that can be drawn.".into())
        }
        Err(SourceError::Missing(_)) => Err("The state machine is not there any more.".into()),
        Err(error) => Err(format!("The state machine cannot be shown: {error}")),
    }
}

/// Returns the batch as the newest state with the host's stamp of this execution left it, as the execution's output has it, or else
/// as it came in.
async fn batch(app: &App, facts: &ExecutionFacts, events: &[PastEvent]) -> Result<Batch, String> {
    let documents =
        events.iter().rev().filter(|event| event.state.is_some()).flat_map(|event| [&event.output, &event.input]);
    let is_stamped = |document: &Value| {
        stamp(document).is_some_and(|stamp| stamp.get("arn").is_some_and(|arn| *arn == *facts.listed.arn))
    };
    let stamped = documents
        .flatten()
        .filter(|text| text.contains("\"execution\""))
        .filter_map(|text| serde_json::from_str::<Value>(text).ok())
        .find(is_stamped);
    let Some(document) = stamped.or_else(|| facts.output.clone().filter(is_stamped)) else {
        return stagehost_batch::parse(&facts.input).map_err(|error| error.to_string());
    };
    let whole = in_time("its document", app.parts.media.unpacked(document)).await;
    let whole = whole.map_err(|error| error.to_string())?;
    let execution = stamp(&whole).cloned().unwrap_or_default();
    let execution = serde_json::from_value(execution).map_err(|error| error.to_string())?;
    stagehost_batch::resume(&whole, &execution).map_err(|error| error.to_string())
}

/// Returns a document of a state as a whole, if it is the head of a large one; otherwise as it is.
///
/// # Errors
/// If the large one is gone or cannot be read.
pub(super) async fn whole(app: &App, text: Option<&str>) -> Result<String, SourceError> {
    let text = text.unwrap_or_default();
    let head = Some(text).filter(|text| text.contains("\"spilled\""));
    match head.and_then(|head| serde_json::from_str::<Value>(head).ok()) {
        Some(head) => Ok(in_time("the document", app.parts.media.unpacked(head)).await?.to_string()),
        None => Ok(text.to_owned()),
    }
}

/// Returns the stamp of the execution that the host leaves in every document, also in the head of a large one.
fn stamp(document: &Value) -> Option<&Value> {
    ["/execution", "/branches/0/execution", "/0/execution"].iter().find_map(|place| document.pointer(place))
}
