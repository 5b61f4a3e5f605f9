//! The documents' way through the state machine: for every state, every shape in which its input may arrive.
//!
//! A document is followed along each transition for itself, so that a field which only one of two predecessors writes
//! is found missing on the way from the other.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde_json::Value;
use stagehost_asl::inspect;

use super::finding::{Finding, Findings, Kind};
use super::machine::{Machine, entries, inner_flows, kind, next, resource, waits};
use super::schema::{Documents, misfits, of_value};
use super::shape::{Field, Object, Shape};
use crate::json_pointer::below;

/// An input with more shapes than this is in a loop that lets it grow; it is not followed further.
const MOST_SHAPES: usize = 64;
/// A document with more parts than this, which only such a loop makes, becomes `Any`.
const MOST_PARTS: usize = 20_000;

/// The most problems that are reported of one document.
const MOST_MISFITS: usize = 4;

/// An input, and the state that it comes from.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The state's name, for people.
    pub from: String,
    /// The document's shape.
    pub shape: Shape,
}

/// The analysis's position.
#[derive(Clone)]
pub struct Here<'a> {
    /// The state.
    pub name: &'a str,
    /// Its place.
    pub place: &'a str,
    /// The state that its input comes from.
    pub from: &'a str,
    /// The context object's shape.
    pub context: Shape,
    /// The item, within a Map state.
    pub item: Option<&'a Shape>,
}

/// The analysis.
pub struct Flow<'a> {
    pub(super) machine: &'a Machine<'a>,
    pub(super) documents: &'a Documents,
    pub(super) findings: &'a mut Findings,
    /// Tests of `IsPresent`: by place, the state, the path, and whether it was ever possible.
    pub(super) presence: BTreeMap<String, (String, String, bool)>,
}

impl<'a> Flow<'a> {
    /// Follows the documents through the whole machine.
    pub fn run(machine: &'a Machine<'a>, documents: &'a Documents, findings: &'a mut Findings) {
        let mut flow = Self { machine, documents, findings, presence: BTreeMap::new() };
        let start = Arrival { from: "the start of the execution".into(), shape: documents.input.clone() };
        flow.flow(machine.definition, "", start, None);
        for (place, (state, path, possible)) in std::mem::take(&mut flow.presence) {
            if !possible {
                flow.findings.add(Finding {
                    state: Some(state),
                    place,
                    kind: Kind::NeverPresent,
                    problem: format!("{path} is never there: no state before writes it, so the rule always has the same result"),
                    fix: "use a path that a state before writes (the ResultPath of a Catch, a field of the schema), or drop the rule".into(),
                    subject: path,
                });
            }
        }
    }

    /// Follows one document through one flow. Returns its shapes at the ends.
    fn flow(&mut self, flow: &'a Value, place: &str, start: Arrival, item: Option<&Shape>) -> Vec<Shape> {
        let states = flow.get("States").unwrap_or(&Value::Null);
        let Some(first) = flow.get("StartAt").and_then(Value::as_str) else { return vec![] };
        let mut open = VecDeque::from([(first, start)]);
        let mut seen: HashMap<&str, Vec<Shape>> = HashMap::new();
        let mut ends = Vec::new();
        while let Some((name, mut arrival)) = open.pop_front() {
            if arrival.shape.parts(MOST_PARTS) >= MOST_PARTS {
                arrival.shape = Shape::Any;
            }
            let Some((name, state)) = states.as_object().and_then(|all| all.get_key_value(name)) else { continue };
            let known = seen.entry(name).or_default();
            if known.contains(&arrival.shape) || known.len() >= MOST_SHAPES {
                continue;
            }
            known.push(arrival.shape.clone());
            let place = below(&below(place, "States"), name);
            let context = context(kind(state) == "Task" && (waits(state) || self.machine.calls_host(name)), item);
            let here = Here { name, place: &place, from: &arrival.from, context, item };
            for (target, shape) in self.state(state, &here, &arrival.shape) {
                match target {
                    Target::State(target, via) => {
                        let from = if via.is_empty() { name.clone() } else { format!("{name} ({via})") };
                        open.push_back((target, Arrival { from, shape }));
                    }
                    Target::End if ends.contains(&shape) => {}
                    Target::End => ends.push(shape),
                }
            }
        }
        ends
    }

    /// Returns the documents that leave a state, and where they go.
    fn state(&mut self, state: &'a Value, here: &Here<'_>, input: &Shape) -> Vec<(Target<'a>, Shape)> {
        if self.machine.is_jsonata(state) {
            return self.jsonata(state, here);
        }
        let effective = self.filter(state, "InputPath", here, input);
        let mut found = Vec::new();
        let output = match kind(state) {
            "Choice" => {
                return self
                    .choice(state, here, &effective)
                    .into_iter()
                    .map(|(target, shape)| (Target::State(target, ""), self.filter(state, "OutputPath", here, &shape)))
                    .collect();
            }
            "Fail" => {
                for field in ["ErrorPath", "CausePath"] {
                    self.field(state, field, here, &effective, Some(inspect::Type::String));
                }
                return vec![];
            }
            "Succeed" => return vec![(Target::End, self.filter(state, "OutputPath", here, &effective))],
            "Wait" => {
                self.field(state, "SecondsPath", here, &effective, Some(inspect::Type::Number));
                self.field(state, "TimestampPath", here, &effective, Some(inspect::Type::String));
                effective
            }
            "Pass" => {
                let made = self.parameters(state, "Parameters", here, &effective);
                let result = state.get("Result").map_or(made, of_value);
                self.place(state, here, input, &result, &below(here.place, "ResultPath"))
            }
            "Task" => {
                let payload = self.parameters(state, "Parameters", here, &effective);
                for field in ["TimeoutSecondsPath", "HeartbeatSecondsPath"] {
                    self.field(state, field, here, &effective, Some(inspect::Type::Number));
                }
                let result = self.call(state, here, &payload);
                self.finish(state, here, input, result)
            }
            "Parallel" => {
                let payload = self.parameters(state, "Parameters", here, &effective);
                let mut results = Vec::new();
                for (branch, place) in inner_flows(state, here.place) {
                    let start = Arrival { from: here.from.to_owned(), shape: payload.clone() };
                    results.push(self.flow(branch, &place, start, here.item));
                }
                // If a branch never succeeds, the Parallel state never does.
                if results.iter().any(Vec::is_empty) {
                    found.extend(self.caught(state, here, input));
                    return found;
                }
                let result = Shape::Tuple(results.into_iter().map(Shape::one_of).collect());
                self.finish(state, here, input, result)
            }
            "Map" => {
                let result = self.map(state, here, &effective);
                self.finish(state, here, input, result)
            }
            _ => return vec![],
        };
        found.extend(self.caught(state, here, input));
        let output = self.filter(state, "OutputPath", here, &output);
        found.push((next(state).map_or(Target::End, |next| Target::State(next, "")), output));
        found
    }

    /// Follows a state whose expressions are JSONata: what they compute is not known, so the documents may be anything.
    fn jsonata(&mut self, state: &'a Value, here: &Here<'_>) -> Vec<(Target<'a>, Shape)> {
        let item = (kind(state) == "Map").then_some(Shape::Any);
        for (flow, place) in inner_flows(state, here.place) {
            let start = Arrival { from: here.from.to_owned(), shape: Shape::Any };
            self.flow(flow, &place, start, item.as_ref().or(here.item));
        }
        let of = |entries: Vec<(&'a Value, String)>, via| {
            entries.into_iter().filter_map(move |(entry, _)| Some((Target::State(next(entry)?, via), Shape::Any)))
        };
        let mut found: Vec<_> = of(entries(state, "Choices", here.place), "").collect();
        found.extend(of(entries(state, "Catch", here.place), "Catch"));
        let default = state.get("Default").and_then(Value::as_str);
        found.extend(default.or(next(state)).map(|next| (Target::State(next, ""), Shape::Any)));
        if next(state).is_none() && !matches!(kind(state), "Choice" | "Fail") {
            found.push((Target::End, Shape::Any));
        }
        found
    }

    fn map(&mut self, state: &'a Value, here: &Here<'_>, input: &Shape) -> Shape {
        let items = match state.get("ItemsPath").and_then(Value::as_str) {
            Some(path) => self.path(path, "ItemsPath", here, input),
            None => input.clone(),
        };
        let mut all = Vec::new();
        for shape in items.alternatives() {
            match shape {
                Shape::Any => all.push(Shape::Any),
                Shape::List { item, .. } => all.push((**item).clone()),
                Shape::Tuple(items) => all.extend(items.iter().cloned()),
                other => {
                    let problem = format!("a Map state goes over a list, but this is {}", other.word());
                    self.note(here, Kind::Type, "ItemsPath", state, problem, "name a list with ItemsPath");
                }
            }
        }
        let item = Shape::one_of(all);
        let own = Here { context: context(false, Some(&item)), ..here.clone() };
        let selector = if state.get("ItemSelector").is_some() { "ItemSelector" } else { "Parameters" };
        let start = match state.get(selector) {
            Some(_) => self.parameters(state, selector, &own, input),
            None => item.clone(),
        };
        self.field(state, "MaxConcurrencyPath", here, input, Some(inspect::Type::Number));
        let mut ends = Vec::new();
        for (flow, place) in inner_flows(state, here.place) {
            let start = Arrival { from: here.from.to_owned(), shape: start.clone() };
            ends.extend(self.flow(flow, &place, start, Some(&item)));
        }
        Shape::list(Shape::one_of(ends))
    }

    /// Returns the document after `ResultSelector` and `ResultPath`.
    fn finish(&mut self, state: &Value, here: &Here<'_>, input: &Shape, result: Shape) -> Shape {
        let result = match state.get("ResultSelector") {
            Some(_) => self.parameters(state, "ResultSelector", here, &result),
            None => result,
        };
        self.place(state, here, input, &result, &below(here.place, "ResultPath"))
    }

    /// Returns the input with the result in it, where `ResultPath` of a state or of one of its catchers says.
    fn place(&mut self, of: &Value, here: &Here<'_>, input: &Shape, result: &Shape, place: &str) -> Shape {
        let path = match of.get("ResultPath") {
            None => return result.clone(),
            Some(Value::Null) => return input.clone(),
            Some(path) => path.as_str().unwrap_or("$"),
        };
        let pieces = inspect::path(path).map(|path| path.pieces).unwrap_or_default();
        input.write(&pieces, result).unwrap_or_else(|why| {
            self.findings.add(Finding {
                state: Some(here.name.to_owned()),
                place: place.to_owned(),
                kind: Kind::Path,
                subject: path.to_owned(),
                problem: format!("the result cannot be put at {path} coming from {}: {why}", here.from),
                fix: "put it into a field of an object".into(),
            });
            Shape::Any
        })
    }

    /// Returns the documents that leave a state through its Catch.
    fn caught(&mut self, state: &'a Value, here: &Here<'_>, input: &Shape) -> Vec<(Target<'a>, Shape)> {
        let error = Shape::Object(Object::of("the caught error", [("Error", Shape::STRING), ("Cause", Shape::STRING)]));
        let mut found = Vec::new();
        for (entry, place) in entries(state, "Catch", here.place) {
            let Some(next) = next(entry) else { continue };
            let shape = self.place(entry, here, input, &error, &below(&place, "ResultPath"));
            found.push((Target::State(next, "Catch"), shape));
        }
        found
    }

    /// Returns a Task state's result. Reports documents that the host does not know.
    fn call(&mut self, state: &Value, here: &Here<'_>, payload: &Shape) -> Shape {
        let Some(resource) = resource(state) else { return Shape::Any };
        let host = self.machine.calls_host(here.name);
        let invoke = resource.resource_type() == "lambda" && resource.resource_name().starts_with("invoke");
        if host {
            let at = if invoke { vec![inspect::Piece::Name("Payload".into())] } else { vec![] };
            for given in payload.look(&at).shapes {
                self.document(state, here, &given, if invoke { "Parameters/Payload" } else { "Parameters" });
            }
        }
        let answer = if host { self.documents.answer.clone() } else { Shape::Any };
        match resource.resource_type() {
            "lambda" if invoke && !waits(state) => {
                let metadata =
                    || Shape::Object(Object { open: true, what: "the service's metadata".into(), ..Object::default() });
                let fields = [
                    ("ExecutedVersion", Shape::STRING),
                    ("Payload", answer),
                    ("SdkHttpMetadata", metadata()),
                    ("SdkResponseMetadata", metadata()),
                    ("StatusCode", Shape::NUMBER),
                ];
                Shape::Object(Object::of("the answer of lambda:invoke", fields))
            }
            "lambda" => answer,
            _ => Shape::Any,
        }
    }

    /// Reports a document in a call that the host does not know.
    fn document(&mut self, state: &Value, here: &Here<'_>, envelope: &Shape, field: &str) {
        let found = envelope.look(&[inspect::Piece::Name("batch".into())]);
        for shape in found.shapes {
            let first = matches!(&shape, Shape::Object(Object { open: true, .. }));
            let expected = if first { &self.documents.input } else { &self.documents.taken };
            let misfits = misfits(&shape, expected, "$");
            if misfits.is_empty() {
                continue;
            }
            let written = state.pointer(&format!("/{field}/batch.$")).and_then(Value::as_str).unwrap_or("$");
            let more = if misfits.len() > MOST_MISFITS { "; and more" } else { "" };
            let first: Vec<_> = misfits.iter().take(MOST_MISFITS).map(String::as_str).collect();
            self.findings.add(Finding {
                state: Some(here.name.to_owned()),
                place: format!("{}/{field}/batch.$", here.place),
                kind: Kind::Document,
                subject: written.to_owned(),
                problem: format!("the host does not know the document that comes from {}: {}{more}", here.from, first.join("; ")),
                fix: "pass on the document as the host answered it; a Catch may add its error at $.error, and a Pass state \
                      the failed state's name at $.error.state"
                    .into(),
            });
        }
    }

    fn note(&mut self, here: &Here<'_>, kind: Kind, field: &str, state: &Value, problem: String, fix: &str) {
        let subject = state.get(field).and_then(Value::as_str).unwrap_or(field).to_owned();
        self.findings.add(Finding {
            state: Some(here.name.to_owned()),
            place: below(here.place, field),
            kind,
            subject,
            problem,
            fix: fix.to_owned(),
        });
    }
}

/// Where a document goes next.
enum Target<'a> {
    /// To a state; the text names the way, if it is not `Next`.
    State(&'a str, &'static str),
    /// Out of the flow.
    End,
}

/// Returns the context object's shape.
fn context(token: bool, item: Option<&Shape>) -> Shape {
    let of = |what: &str, names: &[&'static str]| {
        let texts = names.iter().map(|name| (*name, Shape::STRING));
        Object::of(format!("`{what}` of the context object"), texts)
    };
    let mut execution = of("Execution", &["Id", "Name", "RoleArn", "StartTime"]);
    let mut add = |name: &str, shape| execution.fields.insert(name.to_owned(), Field { shape, always: true });
    add("Input", Shape::Any);
    add("RedriveCount", Shape::NUMBER);
    let mut state = of("State", &["EnteredTime", "Name"]);
    state.fields.insert("RetryCount".into(), Field { shape: Shape::NUMBER, always: true });
    let mut parts = vec![
        ("Execution", Shape::Object(execution)),
        ("State", Shape::Object(state)),
        ("StateMachine", Shape::Object(of("StateMachine", &["Id", "Name"]))),
    ];
    if token {
        parts.push(("Task", Shape::Object(of("Task", &["Token"]))));
    }
    if let Some(item) = item {
        let item = Object::of("`Item` of the context object", [("Index", Shape::NUMBER), ("Value", item.clone())]);
        parts.push(("Map", Shape::Object(Object::of("`Map` of the context object", [("Item", Shape::Object(item))]))));
    }
    Shape::Object(Object::of("the context object", parts))
}
