//! What a query refers to: variables, members of `$states`, and names that do not exist where the service evaluates it.

use std::collections::BTreeSet;

use jsonata_core::ast::{AstNode, PathStep, Stage, UnaryOp};

/// The references of one query.
#[derive(Clone, Debug, Default)]
pub(super) struct References {
    /// The variables that the query does not bind itself, sorted, without `states`.
    pub variables: Vec<String>,
    /// The members of `$states` that it names; `*` if it can read any.
    pub states: Vec<String>,
    problem: Option<String>,
    reads_error: bool,
}

impl References {
    pub fn of(tree: &AstNode) -> Self {
        let mut walk = Walk::default();
        walk.node(tree, true);
        Self {
            variables: walk.variables.into_iter().collect(),
            reads_error: walk.states.contains("errorOutput"),
            states: walk.states.into_iter().collect(),
            problem: walk.problem,
        }
    }

    /// Returns why the service does not support the query.
    pub fn unsupported(&self, caught: bool) -> Option<&str> {
        match &self.problem {
            Some(problem) => Some(problem),
            None if self.reads_error && !caught => Some("Field '$states.errorOutput' does not exist."),
            None => None,
        }
    }
}

#[derive(Default)]
struct Walk {
    variables: BTreeSet<String>,
    states: BTreeSet<String>,
    /// The names that the query binds around the current node.
    bound: Vec<String>,
    problem: Option<String>,
}

impl Walk {
    fn refuse(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
    }

    fn variable(&mut self, name: &str, top: bool) {
        match name {
            // The service evaluates a query without a context value.
            "" | "$" if top => {
                let text = if name.is_empty() { "$" } else { "$$" };
                self.refuse(match text {
                    "$" => "Reference to '$' at the top level is not supported.".to_owned(),
                    _ => "Reference to '$$' is not supported.".to_owned(),
                });
            }
            "" | "$" => {}
            "states" => {
                self.states.insert("*".to_owned());
            }
            name if self.bound.iter().any(|bound| bound == name) => {}
            name => {
                self.variables.insert(name.to_owned());
            }
        }
    }

    fn nodes(&mut self, nodes: &[AstNode], top: bool) {
        nodes.iter().for_each(|node| self.node(node, top));
    }

    fn pairs(&mut self, pairs: &[(AstNode, AstNode)], top: bool) {
        for (key, value) in pairs {
            self.node(key, top);
            self.node(value, top);
        }
    }

    /// Walks a node. `top` is true where the context value is that of the whole query.
    fn node(&mut self, node: &AstNode, top: bool) {
        match node {
            AstNode::Name(name) if top => {
                self.refuse(format!("Reference to '{name}' at the top level is not supported."));
            }
            AstNode::Variable(name) => self.variable(name, top),
            AstNode::ParentVariable(_) => self.refuse("Reference to '$$' is not supported.".to_owned()),
            AstNode::Path { steps } => self.path(steps, top),
            AstNode::Binary { op: jsonata_core::ast::BinaryOp::ColonEqual, lhs, rhs } => {
                // A function can call itself by the name that it is bound to.
                if let AstNode::Variable(name) = lhs.as_ref() {
                    self.bound.push(name.clone());
                }
                self.node(rhs, top);
            }
            AstNode::Binary { lhs, rhs, .. } => {
                self.node(lhs, top);
                self.node(rhs, top);
            }
            AstNode::Unary { op: UnaryOp::Negate | UnaryOp::Not, operand } => self.node(operand, top),
            AstNode::Function { name, args, .. } => {
                // A variable cannot hold a function, so a name that is called is one of the query or of the language.
                let _ = name;
                self.nodes(args, top);
            }
            AstNode::Call { procedure, args } => {
                self.node(procedure, top);
                self.nodes(args, top);
            }
            AstNode::Lambda { params, body, .. } => {
                let before = self.bound.len();
                self.bound.extend(params.iter().cloned());
                self.node(body, top);
                self.bound.truncate(before);
            }
            AstNode::Array(items) | AstNode::ArrayGroup(items) => self.nodes(items, top),
            AstNode::Block(items) => {
                let before = self.bound.len();
                self.nodes(items, top);
                self.bound.truncate(before);
            }
            AstNode::Object(pairs) => self.pairs(pairs, top),
            AstNode::ObjectTransform { input, pattern } => {
                self.node(input, top);
                self.pairs(pattern, false);
            }
            AstNode::Conditional { condition, then_branch, else_branch } => {
                self.node(condition, top);
                self.node(then_branch, top);
                if let Some(branch) = else_branch {
                    self.node(branch, top);
                }
            }
            AstNode::FunctionApplication(inner) => self.node(inner, false),
            AstNode::Sort { input, terms } => {
                self.node(input, top);
                terms.iter().for_each(|(term, _)| self.node(term, false));
            }
            AstNode::Transform { location, update, delete } => {
                self.node(location, false);
                self.node(update, false);
                if let Some(delete) = delete {
                    self.node(delete, false);
                }
            }
            _ => {}
        }
    }

    fn path(&mut self, steps: &[PathStep], top: bool) {
        let before = self.bound.len();
        for (at, step) in steps.iter().enumerate() {
            let first = at == 0;
            match &step.node {
                AstNode::Variable(name) if first && name == "states" => self.member(step, steps.get(1)),
                node => self.node(node, top && first),
            }
            self.bound.extend(step.focus.iter().chain(&step.index_var).cloned());
            for stage in &step.stages {
                match stage {
                    Stage::Filter(filter) => self.node(filter, false),
                    Stage::Index(name) => self.bound.push(name.clone()),
                    Stage::KeepArray => {}
                }
            }
        }
        self.bound.truncate(before);
    }

    /// Notes which member of `$states` a path reads.
    fn member(&mut self, states: &PathStep, next: Option<&PathStep>) {
        let name = match next.map(|step| &step.node) {
            Some(AstNode::Name(name) | AstNode::String(name)) if states.stages.is_empty() => name.as_str(),
            _ => "*",
        };
        self.states.insert(name.to_owned());
    }
}
