//! The history of an execution: what happened, in order.
//!
//! Types, members and the chain of `previousEventId` are those of the service, because people and tools read them. Two
//! kinds of events stand beside the chain: the end of an iteration, and the success of a Parallel or Map state; what
//! follows them points to the last event of the branch.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::limits::{HISTORY_BYTES, HISTORY_EVENTS, json_bytes};
use crate::resource::Resource;

/// The types of states, as events name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum StateType {
    Task,
    Pass,
    Choice,
    Parallel,
    Map,
    Wait,
    Succeed,
    Fail,
}

impl StateType {
    /// The name in a definition.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Task => "Task",
            Self::Pass => "Pass",
            Self::Choice => "Choice",
            Self::Parallel => "Parallel",
            Self::Map => "Map",
            Self::Wait => "Wait",
            Self::Succeed => "Succeed",
            Self::Fail => "Fail",
        }
    }
}

/// One event. Cheap to pass around behind an [`Arc`].
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Counts from 1.
    pub id: u64,
    /// What led to it; 0 for the beginning, and for a failure of the machine itself.
    pub previous_event_id: u64,
    /// When, to the millisecond.
    pub timestamp: OffsetDateTime,
    /// What.
    pub detail: Detail,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Detail {
    ExecutionStarted {
        input: Value,
        role_arn: String,
    },
    ExecutionSucceeded {
        output: Value,
    },
    ExecutionFailed {
        error: Option<String>,
        cause: Option<String>,
    },
    ExecutionAborted {
        error: Option<String>,
        cause: Option<String>,
    },
    ExecutionTimedOut {
        error: Option<String>,
        cause: Option<String>,
    },
    StateEntered {
        state: StateType,
        name: String,
        input: Value,
    },
    StateExited {
        state: StateType,
        name: String,
        output: Value,
    },
    /// Only Task, Wait, Parallel and Map states are ever aborted: the others take no time.
    StateAborted {
        state: StateType,
    },
    TaskScheduled {
        resource: Resource,
        region: String,
        parameters: Value,
        timeout: Option<u64>,
        heartbeat: Option<u64>,
    },
    TaskStarted {
        resource: Resource,
    },
    TaskSubmitted {
        resource: Resource,
        output: Value,
    },
    TaskSucceeded {
        resource: Resource,
        output: Value,
    },
    TaskFailed {
        resource: Resource,
        error: String,
        cause: Option<String>,
    },
    TaskTimedOut {
        resource: Resource,
        error: String,
        cause: Option<String>,
    },
    ParallelStateStarted,
    ParallelStateSucceeded,
    ParallelStateFailed,
    MapStateStarted {
        length: usize,
    },
    MapStateSucceeded,
    MapStateFailed,
    MapIterationStarted {
        name: String,
        index: usize,
    },
    MapIterationSucceeded {
        name: String,
        index: usize,
    },
    MapIterationFailed {
        name: String,
        index: usize,
    },
    MapIterationAborted {
        name: String,
        index: usize,
    },
}

impl Detail {
    /// The input or output that it carries.
    fn payload(&self) -> Option<&Value> {
        match self {
            Self::ExecutionStarted { input: payload, .. }
            | Self::ExecutionSucceeded { output: payload }
            | Self::StateEntered { input: payload, .. }
            | Self::StateExited { output: payload, .. }
            | Self::TaskScheduled { parameters: payload, .. }
            | Self::TaskSubmitted { output: payload, .. }
            | Self::TaskSucceeded { output: payload, .. } => Some(payload),
            _ => None,
        }
    }
}

impl Event {
    /// The service's name for the type: `TaskStateEntered`, `LambdaFunctionScheduled`, `ExecutionFailed`.
    pub fn event_type(&self) -> String {
        let lambda = |resource: &Resource, what: &str| match resource {
            Resource::LambdaFunction { .. } => format!("LambdaFunction{what}"),
            Resource::Service { .. } => format!("Task{what}"),
        };
        match &self.detail {
            Detail::StateEntered { state, .. } => format!("{}StateEntered", state.as_str()),
            Detail::StateExited { state, .. } => format!("{}StateExited", state.as_str()),
            Detail::StateAborted { state } => format!("{}StateAborted", state.as_str()),
            Detail::TaskScheduled { resource, .. } => lambda(resource, "Scheduled"),
            Detail::TaskStarted { resource } => lambda(resource, "Started"),
            Detail::TaskSubmitted { resource, .. } => lambda(resource, "Submitted"),
            Detail::TaskSucceeded { resource, .. } => lambda(resource, "Succeeded"),
            Detail::TaskFailed { resource, .. } => lambda(resource, "Failed"),
            Detail::TaskTimedOut { resource, .. } => lambda(resource, "TimedOut"),
            Detail::ExecutionStarted { .. } => "ExecutionStarted".into(),
            Detail::ExecutionSucceeded { .. } => "ExecutionSucceeded".into(),
            Detail::ExecutionFailed { .. } => "ExecutionFailed".into(),
            Detail::ExecutionAborted { .. } => "ExecutionAborted".into(),
            Detail::ExecutionTimedOut { .. } => "ExecutionTimedOut".into(),
            Detail::ParallelStateStarted => "ParallelStateStarted".into(),
            Detail::ParallelStateSucceeded => "ParallelStateSucceeded".into(),
            Detail::ParallelStateFailed => "ParallelStateFailed".into(),
            Detail::MapStateStarted { .. } => "MapStateStarted".into(),
            Detail::MapStateSucceeded => "MapStateSucceeded".into(),
            Detail::MapStateFailed => "MapStateFailed".into(),
            Detail::MapIterationStarted { .. } => "MapIterationStarted".into(),
            Detail::MapIterationSucceeded { .. } => "MapIterationSucceeded".into(),
            Detail::MapIterationFailed { .. } => "MapIterationFailed".into(),
            Detail::MapIterationAborted { .. } => "MapIterationAborted".into(),
        }
    }

    /// Whether nothing follows it.
    pub fn is_last(&self) -> bool {
        matches!(
            self.detail,
            Detail::ExecutionSucceeded { .. }
                | Detail::ExecutionFailed { .. }
                | Detail::ExecutionAborted { .. }
                | Detail::ExecutionTimedOut { .. }
        )
    }

    /// The event as `GetExecutionHistory` gives it. Without `data`, inputs and outputs are left out.
    pub fn to_json(&self, data: bool) -> Value {
        let kind = self.event_type();
        let mut event = Map::new();
        event.insert("timestamp".into(), epoch_seconds(self.timestamp));
        event.insert("type".into(), kind.as_str().into());
        event.insert("id".into(), self.id.into());
        event.insert("previousEventId".into(), self.previous_event_id.into());
        if let Some((member, details)) = self.details(&kind, data) {
            event.insert(member, details);
        }
        Value::Object(event)
    }

    fn details(&self, kind: &str, data: bool) -> Option<(String, Value)> {
        let member = |kind: &str| {
            let mut name = format!("{kind}EventDetails");
            name.get_mut(..1)?.make_ascii_lowercase();
            Some(name)
        };
        let payload = |details: &mut Map<String, Value>, name: &str, value: &Value| {
            if data {
                details.insert(name.into(), value.to_string().into());
            }
            details.insert(format!("{name}Details"), json!({"truncated": false}));
        };
        let optional = |details: &mut Map<String, Value>, name: &str, value: Option<Value>| {
            if let Some(value) = value {
                details.insert(name.into(), value);
            }
        };
        let place = |details: &mut Map<String, Value>, resource: &Resource| {
            if let Resource::Service { .. } = resource {
                details.insert("resourceType".into(), resource.resource_type().into());
                details.insert("resource".into(), resource.resource_name().into());
            }
        };
        let mut details = Map::new();
        let mut kind = kind;
        match &self.detail {
            Detail::ExecutionStarted { input, role_arn } => {
                payload(&mut details, "input", input);
                details.insert("roleArn".into(), role_arn.as_str().into());
            }
            Detail::ExecutionSucceeded { output } => payload(&mut details, "output", output),
            Detail::ExecutionFailed { error, cause }
            | Detail::ExecutionAborted { error, cause }
            | Detail::ExecutionTimedOut { error, cause } => {
                optional(&mut details, "error", error.as_deref().map(Value::from));
                optional(&mut details, "cause", cause.as_deref().map(Value::from));
            }
            Detail::StateEntered { name, input, .. } => {
                kind = "stateEntered";
                details.insert("name".into(), name.as_str().into());
                payload(&mut details, "input", input);
            }
            Detail::StateExited { name, output, .. } => {
                kind = "stateExited";
                details.insert("name".into(), name.as_str().into());
                payload(&mut details, "output", output);
            }
            Detail::TaskScheduled { resource, region, parameters, timeout, heartbeat } => {
                place(&mut details, resource);
                match resource {
                    Resource::LambdaFunction { arn } => {
                        details.insert("resource".into(), arn.as_str().into());
                        payload(&mut details, "input", parameters);
                    }
                    Resource::Service { .. } => {
                        details.insert("region".into(), region.as_str().into());
                        // Not an input or output, but the service hides it all the same; the member is required.
                        let text = if data { parameters.to_string() } else { String::new() };
                        details.insert("parameters".into(), text.into());
                    }
                }
                optional(&mut details, "timeoutInSeconds", timeout.map(Value::from));
                optional(&mut details, "heartbeatInSeconds", heartbeat.map(Value::from));
            }
            Detail::TaskStarted { resource: Resource::LambdaFunction { .. } } => return None,
            Detail::TaskStarted { resource } => place(&mut details, resource),
            Detail::TaskSubmitted { resource, output } | Detail::TaskSucceeded { resource, output } => {
                place(&mut details, resource);
                payload(&mut details, "output", output);
            }
            Detail::TaskFailed { resource, error, cause } | Detail::TaskTimedOut { resource, error, cause } => {
                place(&mut details, resource);
                details.insert("error".into(), error.as_str().into());
                optional(&mut details, "cause", cause.as_deref().map(Value::from));
            }
            Detail::MapStateStarted { length } => {
                details.insert("length".into(), (*length).into());
            }
            Detail::MapIterationStarted { name, index }
            | Detail::MapIterationSucceeded { name, index }
            | Detail::MapIterationFailed { name, index }
            | Detail::MapIterationAborted { name, index } => {
                details.insert("name".into(), name.as_str().into());
                details.insert("index".into(), (*index).into());
            }
            Detail::StateAborted { .. }
            | Detail::ParallelStateStarted
            | Detail::ParallelStateSucceeded
            | Detail::ParallelStateFailed
            | Detail::MapStateSucceeded
            | Detail::MapStateFailed => return None,
        }
        Some((member(kind)?, Value::Object(details)))
    }
}

/// A date as the JSON protocol carries it: seconds since 1970, with milliseconds.
pub fn epoch_seconds(date: OffsetDateTime) -> Value {
    // Exact for every date that a clock shows: far fewer than 2^53 milliseconds.
    #[allow(clippy::cast_precision_loss)]
    let seconds = (date.unix_timestamp_nanos() / 1_000_000) as f64 / 1000.0;
    seconds.into()
}

/// Where one branch of an execution stands in the history.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursor(Arc<AtomicU64>);

impl Cursor {
    /// A branch that begins here.
    pub fn fork(&self) -> Self {
        Self(Arc::new(AtomicU64::new(self.get())))
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub fn set(&self, id: u64) {
        self.0.store(id, Ordering::Relaxed);
    }
}

/// The events so far. Shared by the branches, and by everybody who watches.
#[derive(Debug)]
pub(crate) struct History {
    clock: Clock,
    events: Mutex<Vec<Arc<Event>>>,
    count: watch::Sender<usize>,
    /// Of the inputs and outputs in the events.
    bytes: AtomicUsize,
}

impl History {
    pub fn new(clock: Clock) -> Self {
        Self { clock, events: Mutex::default(), count: watch::Sender::new(0), bytes: AtomicUsize::new(0) }
    }

    /// Adds an event that the branch stands on from now.
    pub fn record(&self, cursor: &Cursor, detail: Detail) -> u64 {
        let id = self.push(cursor.get(), detail);
        cursor.set(id);
        id
    }

    /// Adds an event beside the branch.
    pub fn note(&self, cursor: &Cursor, detail: Detail) {
        self.push(cursor.get(), detail);
    }

    /// Why no state may be entered any more, when none may.
    pub fn full(&self) -> Option<String> {
        // One event must still fit: the one that ends the execution.
        if self.events().len() + 1 >= HISTORY_EVENTS {
            return Some(format!("The execution reached the maximum number of history events ({HISTORY_EVENTS})."));
        }
        let full = self.bytes() > HISTORY_BYTES;
        full.then(|| format!("The execution's history holds more than {HISTORY_BYTES} bytes of inputs and outputs."))
    }

    /// How many bytes of inputs and outputs the events hold.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Everything from the event at `index` (0 is the first).
    pub fn from(&self, index: usize) -> Vec<Arc<Event>> {
        self.events().get(index..).unwrap_or_default().to_vec()
    }

    pub fn get(&self, index: usize) -> Option<Arc<Event>> {
        self.events().get(index).cloned()
    }

    pub fn last(&self) -> Option<Arc<Event>> {
        self.events().last().cloned()
    }

    pub fn watch(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    fn push(&self, previous_event_id: u64, detail: Detail) -> u64 {
        self.bytes.fetch_add(detail.payload().map_or(0, json_bytes), Ordering::Relaxed);
        let mut events = self.events();
        let id = events.len() as u64 + 1;
        events.push(Arc::new(Event { id, previous_event_id, timestamp: self.clock.now(), detail }));
        let count = events.len();
        drop(events);
        self.count.send_replace(count);
        id
    }

    fn events(&self) -> MutexGuard<'_, Vec<Arc<Event>>> {
        // A panic while pushing leaves the list as it was.
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn event(detail: Detail) -> Event {
        Event { id: 3, previous_event_id: 2, timestamp: OffsetDateTime::from_unix_timestamp(12).unwrap(), detail }
    }

    #[test]
    fn an_integration_is_a_task_and_a_plain_function_has_its_own_events() {
        let service = Resource::parse("arn:aws:states:::lambda:invoke").unwrap();
        let scheduled = |resource| {
            let parameters = json!({"a": 1});
            event(Detail::TaskScheduled {
                resource,
                region: "eu-west-1".into(),
                parameters,
                timeout: Some(5),
                heartbeat: None,
            })
        };
        assert_eq!(
            scheduled(service).to_json(true),
            json!({
                "timestamp": 12.0, "type": "TaskScheduled", "id": 3, "previousEventId": 2,
                "taskScheduledEventDetails": {
                    "resourceType": "lambda", "resource": "invoke", "region": "eu-west-1",
                    "parameters": "{\"a\":1}", "timeoutInSeconds": 5
                }
            })
        );
        let function = Resource::parse("arn:aws:lambda:eu-west-1:111122223333:function:f").unwrap();
        assert_eq!(
            scheduled(function).to_json(true)["lambdaFunctionScheduledEventDetails"],
            json!({
                "resource": "arn:aws:lambda:eu-west-1:111122223333:function:f", "input": "{\"a\":1}",
                "inputDetails": {"truncated": false}, "timeoutInSeconds": 5
            })
        );
    }

    #[test]
    fn entering_and_leaving_share_one_member_for_all_state_types() {
        let entered = event(Detail::StateEntered { state: StateType::Map, name: "Each".into(), input: json!([1]) });
        let json = entered.to_json(true);
        assert_eq!(json["type"], "MapStateEntered");
        assert_eq!(
            json["stateEnteredEventDetails"],
            json!({"name": "Each", "input": "[1]", "inputDetails": {"truncated": false}})
        );
    }

    #[test]
    fn without_data_inputs_and_outputs_are_left_out() {
        let json = event(Detail::ExecutionSucceeded { output: json!("secret") }).to_json(false);
        assert_eq!(json["executionSucceededEventDetails"], json!({"outputDetails": {"truncated": false}}));
    }

    #[test]
    fn a_noted_event_does_not_move_the_branch() {
        let history = History::new(Clock::new());
        let cursor = Cursor::default();
        history.record(&cursor, Detail::ParallelStateStarted);
        history.note(&cursor, Detail::ParallelStateSucceeded);
        history.record(&cursor, Detail::ParallelStateFailed);
        let chain: Vec<_> = history.from(0).iter().map(|event| (event.id, event.previous_event_id)).collect();
        assert_eq!(chain, [(1, 0), (2, 1), (3, 1)]);
    }
}
