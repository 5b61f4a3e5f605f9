//! The variables that the states of a machine read.

use std::collections::{BTreeMap, BTreeSet};

use super::choice::{Operand, Rule, Test};
use super::model::{DataFlow, FailText, Recovery, State, StateKind, StateMachine, Wait};
use super::query::Assign;
use super::settings::{Filter, Setting};
use crate::expressions::jsonata::template::QueryTemplate;
use crate::expressions::path::Path;
use crate::expressions::template::Template;

impl StateMachine {
    /// Returns the names of the variables that each state reads, sorted; states that read none are left out. This is
    /// `variableReferences` of DescribeStateMachine.
    pub fn variable_references(&self) -> BTreeMap<String, Vec<String>> {
        let mut found = BTreeMap::new();
        self.flow.visit(&mut |state| {
            let names = of_state(state);
            if !names.is_empty() {
                found.insert(state.name.clone(), names.into_iter().collect());
            }
        });
        found
    }
}

type Names = BTreeSet<String>;

fn of_state(state: &State) -> Names {
    let mut names = Names::new();
    filter(&state.input_path, &mut names);
    filter(&state.output_path, &mut names);
    assign(state.assign.as_ref(), &mut names);
    for field in state.query.iter().flat_map(|query| query.all()) {
        query(field, &mut names);
    }
    match &state.kind {
        StateKind::Task(task) => {
            data(&task.data, &mut names);
            recovery(&task.recovery, &mut names);
            template(task.credentials.as_ref(), &mut names);
            task.timeout.iter().chain(&task.heartbeat).for_each(|field| setting(field, &mut names));
        }
        StateKind::Pass(pass) => template(pass.parameters.as_ref(), &mut names),
        StateKind::Choice { rules, .. } => {
            for choice in rules {
                rule(&choice.rule, &mut names);
                assign(choice.assign.as_ref(), &mut names);
                choice.output.iter().for_each(|output| query(output, &mut names));
            }
        }
        StateKind::Parallel { data: flow, recovery: caught, .. } => {
            data(flow, &mut names);
            recovery(caught, &mut names);
        }
        StateKind::Map(map) => {
            map.items.iter().for_each(|items| path(items, &mut names));
            data(&map.data, &mut names);
            recovery(&map.recovery, &mut names);
            setting(&map.concurrency, &mut names);
        }
        StateKind::Wait(Wait::Seconds(field)) => setting(field, &mut names),
        StateKind::Wait(Wait::Until(field)) => setting(field, &mut names),
        StateKind::Succeed => {}
        StateKind::Fail { error, cause } => {
            for text in error.iter().chain(cause) {
                if let FailText::Computed { expression, .. } = text {
                    expression.paths(&mut |found| path(found, &mut names));
                }
            }
        }
    }
    names
}

fn path(path: &Path, names: &mut Names) {
    names.extend(path.variable().map(str::to_owned));
}

fn query(field: &QueryTemplate, names: &mut Names) {
    field.queries(&mut |query| names.extend(query.compiled().variables().iter().cloned()));
}

fn template(template: Option<&Template>, names: &mut Names) {
    if let Some(template) = template {
        template.paths(&mut |found| path(found, names));
    }
}

fn filter(filter: &Filter, names: &mut Names) {
    if let Filter::Path(found) = filter {
        path(found, names);
    }
}

fn setting<T>(setting: &Setting<T>, names: &mut Names) {
    if let Setting::Path(found) = setting {
        path(found, names);
    }
}

fn assign(assign: Option<&Assign>, names: &mut Names) {
    match assign {
        Some(Assign::JsonPath(fields)) => template(Some(fields), names),
        Some(Assign::Jsonata(fields)) => query(fields, names),
        None => {}
    }
}

fn data(flow: &DataFlow, names: &mut Names) {
    template(flow.parameters.as_ref(), names);
    template(flow.result_selector.as_ref(), names);
}

fn recovery(recovery: &Recovery, names: &mut Names) {
    for catcher in &recovery.catch {
        assign(catcher.assign.as_ref(), names);
        catcher.output.iter().for_each(|output| query(output, names));
    }
}

fn rule(found: &Rule, names: &mut Names) {
    match found {
        Rule::And(rules) | Rule::Or(rules) => rules.iter().for_each(|part| rule(part, names)),
        Rule::Not(part) => rule(part, names),
        Rule::Test { variable, test } => {
            path(variable, names);
            if let Test::Compare { operand: Operand::Path(other), .. } = test {
                path(other, names);
            }
        }
        Rule::Condition(condition) => query(condition, names),
    }
}
