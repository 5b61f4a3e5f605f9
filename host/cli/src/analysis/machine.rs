//! The definition, by state: where each state is, and which of them call the host.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use stagehost_asl::{Pattern, Resource};

use crate::json_pointer::below;

/// The part of a pin that the state machine depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The world's name in WIT.
    pub world: String,
    /// The deadline of a call.
    pub deadline_ms: u64,
}

/// A definition by state.
pub struct Machine<'a> {
    /// The whole definition.
    pub definition: &'a Value,
    /// All states, also those of branches and iterations. Names are unique in the whole machine.
    pub states: BTreeMap<&'a str, Node<'a>>,
    /// Pins by state.
    pub pins: &'a BTreeMap<String, Pinned>,
    /// States that are dispatched by their names.
    pub dispatched: BTreeSet<String>,
}

/// A state and its place.
pub struct Node<'a> {
    /// Its definition.
    pub state: &'a Value,
    /// A JSON pointer.
    pub place: String,
    /// The Parallel or Map state around it.
    pub parent: Option<&'a str>,
}

impl<'a> Machine<'a> {
    /// Returns a definition by state.
    pub fn new(definition: &'a Value, pins: &'a BTreeMap<String, Pinned>, dispatched: BTreeSet<String>) -> Self {
        let mut states = BTreeMap::new();
        collect(definition, "", None, &mut states);
        Self { definition, states, pins, dispatched }
    }

    /// Returns whether a state calls the host, even with missing fields.
    pub fn calls_host(&self, name: &str) -> bool {
        let Some(node) = self.states.get(name) else { return false };
        let named = node.state.pointer("/Parameters/FunctionName").or_else(|| node.state.get("Resource"));
        let is_host = named.and_then(Value::as_str).is_some_and(|text| text.contains("HostFunctionArn"));
        self.dispatched.contains(name) || is_host
    }

    /// Returns whether a state delivers the result: to the backend, or to the dead-letter queue.
    pub fn delivers(&self, name: &str) -> bool {
        let callback = self.pins.get(name).is_some_and(|pin| pin.world == "callback") && self.calls_host(name);
        callback || self.is_last_resort(name)
    }

    /// Returns whether a state's expressions are JSONata.
    pub fn is_jsonata(&self, state: &Value) -> bool {
        let language = |of: &Value| of.get("QueryLanguage").and_then(Value::as_str).map(|name| name == "JSONata");
        language(state).or_else(|| language(self.definition)).unwrap_or(false)
    }

    /// Returns whether a state puts the result into the dead-letter queue.
    pub fn is_last_resort(&self, name: &str) -> bool {
        let resource = self.states.get(name).and_then(|node| resource(node.state));
        resource.is_some_and(|resource| {
            resource.resource_type() == "sqs" && resource.resource_name().starts_with("sendMessage")
        })
    }
}

fn collect<'a>(flow: &'a Value, place: &str, parent: Option<&'a str>, found: &mut BTreeMap<&'a str, Node<'a>>) {
    let states = below(place, "States");
    for (name, state) in flow.get("States").and_then(Value::as_object).into_iter().flatten() {
        let place = below(&states, name);
        for (inner, place) in inner_flows(state, &place) {
            collect(inner, &place, Some(name), found);
        }
        found.insert(name, Node { state, place, parent });
    }
}

/// Returns the flows within a Parallel or Map state, with their places.
pub fn inner_flows<'a>(state: &'a Value, place: &str) -> Vec<(&'a Value, String)> {
    let branches = state.get("Branches").and_then(Value::as_array).into_iter().flatten().enumerate();
    let mut found: Vec<_> = branches.map(|(at, branch)| (branch, below(&below(place, "Branches"), at))).collect();
    for name in ["Iterator", "ItemProcessor"] {
        found.extend(state.get(name).map(|flow| (flow, below(place, name))));
    }
    found
}

/// Returns a state's type.
pub fn kind(state: &Value) -> &str {
    state.get("Type").and_then(Value::as_str).unwrap_or_default()
}

/// Returns the resource that a Task state calls.
pub fn resource(state: &Value) -> Option<Resource> {
    state.get("Resource").and_then(Value::as_str).and_then(|text| Resource::parse(text).ok())
}

/// Returns whether a Task state waits for its token.
pub fn waits(state: &Value) -> bool {
    resource(state).is_some_and(|resource| resource.pattern() == Pattern::WaitForTaskToken)
}

/// Returns the state after one that succeeds; `None` at the end of its flow.
pub fn next(state: &Value) -> Option<&str> {
    state.get("Next").and_then(Value::as_str)
}

/// Returns the entries of `Catch` or `Retry`, with their places.
pub fn entries<'a>(state: &'a Value, field: &str, place: &str) -> Vec<(&'a Value, String)> {
    let list = state.get(field).and_then(Value::as_array).into_iter().flatten().enumerate();
    list.map(|(at, entry)| (entry, below(&below(place, field), at))).collect()
}

/// Returns the names in `ErrorEquals`.
pub fn errors(entry: &Value) -> Vec<&str> {
    entry.get("ErrorEquals").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}
