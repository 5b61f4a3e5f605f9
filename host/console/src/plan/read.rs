//! States and the ways between them, from a definition in the Amazon States Language.

use serde_json::Value;

/// How deep states can be nested in states.
const DEEPEST: usize = 16;

/// How many ways on from a state are read. A machine with more is not drawn.
const MOST_STEPS: usize = 1_000;

/// Why a state is followed by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `Next`
    Next,
    /// A rule of a Choice state.
    Choice,
    /// `Default` of a Choice state.
    Default,
    /// `Catch`
    Catch,
}

/// A way from a state to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The other state.
    pub to: String,
    /// Why it is taken.
    pub way: Way,
    /// Words beside the line.
    pub label: String,
}

/// A state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedState {
    /// Its name.
    pub name: String,
    /// `Task`, `Choice`, …
    pub kind: String,
    /// What its author wrote about it.
    pub comment: String,
    /// The ways on.
    pub steps: Vec<Step>,
    /// How many times it is tried again at most, over all rules.
    pub retries: u64,
    /// Plans inside it: branches, or what is done with each item.
    pub inner: Vec<Plan>,
}

/// A state machine, or a part of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The name of the first state.
    pub start: String,
    /// The states in the order of the definition.
    pub states: Vec<PlannedState>,
}

impl Plan {
    /// Reads a definition; `None` if the text is not a state machine.
    pub fn read(definition: &str) -> Option<Self> {
        Self::of(&serde_json::from_str(definition).ok()?, 0)
    }

    fn of(machine: &Value, depth: usize) -> Option<Self> {
        if depth > DEEPEST {
            return None;
        }
        let start = machine.get("StartAt")?.as_str()?.to_owned();
        let states = machine.get("States")?.as_object()?;
        Some(Self { start, states: states.iter().map(|(name, state)| planned(name, state, depth)).collect() })
    }

    /// Returns the number of states, also inside others.
    pub fn size(&self) -> usize {
        self.states.iter().map(|state| 1 + state.inner.iter().map(Plan::size).sum::<usize>()).sum()
    }

    /// Returns the number of ways between states, also inside others.
    pub fn ways(&self) -> usize {
        let inside = |state: &PlannedState| state.inner.iter().map(Plan::ways).sum::<usize>();
        self.states.iter().map(|state| state.steps.len() + inside(state)).sum()
    }

    /// Returns the state with this name, at any depth.
    pub fn state(&self, name: &str) -> Option<&PlannedState> {
        self.states.iter().find_map(|state| {
            if state.name == name { Some(state) } else { state.inner.iter().find_map(|plan| plan.state(name)) }
        })
    }
}

fn planned(name: &str, state: &Value, depth: usize) -> PlannedState {
    let text = |field: &str| state.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = |field: &str| state.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut steps: Vec<Step> = Vec::new();
    let mut add = |to: Option<&str>, way: Way, label: String| {
        // Several rules to one state are one line.
        if let Some(to) = to
            && steps.len() < MOST_STEPS
            && !steps.iter().any(|step| step.to == to && step.way == way)
        {
            steps.push(Step { to: to.to_owned(), way, label });
        }
    };
    add(state.get("Next").and_then(Value::as_str), Way::Next, String::new());
    for rule in list("Choices") {
        let label = rule.get("Comment").and_then(Value::as_str).unwrap_or_default().to_owned();
        add(rule.get("Next").and_then(Value::as_str), Way::Choice, label);
    }
    add(state.get("Default").and_then(Value::as_str), Way::Default, "otherwise".to_owned());
    for catch in list("Catch") {
        let errors = catch.get("ErrorEquals").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let errors: Vec<_> = errors.iter().filter_map(Value::as_str).collect();
        add(catch.get("Next").and_then(Value::as_str), Way::Catch, errors.join(", "));
    }
    let attempts = |rule: &Value| rule.get("MaxAttempts").and_then(Value::as_u64).unwrap_or(3);
    let items = state.get("ItemProcessor").or_else(|| state.get("Iterator"));
    let inner = list("Branches").iter().chain(items).filter_map(|plan| Plan::of(plan, depth + 1)).collect();
    PlannedState {
        name: name.to_owned(),
        kind: text("Type"),
        comment: text("Comment"),
        steps,
        retries: list("Retry").iter().map(attempts).sum(),
        inner,
    }
}
