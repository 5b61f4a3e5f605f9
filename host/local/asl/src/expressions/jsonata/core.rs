//! The library `jsonata-core` behind the traits of [`super::engine`].

use std::sync::Arc;

use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{CancelToken, Context, Evaluator, EvaluatorOptions};
use jsonata_core::parser;
use jsonata_core::value::JValue;

use super::causes;
use super::engine::{Bindings, Cancel, Compiled, Failure, Found, MOST_DEPTH, MOST_ITEMS, MOST_TEXT, MOST_TIME};
use super::references::References;
use super::{functions, guards, values};

/// A parsed query.
#[derive(Debug)]
struct Query {
    text: String,
    tree: AstNode,
    references: References,
}

/// Parses a query.
///
/// # Errors
/// The parser's message without its code, as the service reports it.
pub(super) fn compile(text: &str) -> Result<Arc<dyn Compiled>, String> {
    if text.len() > MOST_TEXT {
        return Err(format!("The expression is longer than {MOST_TEXT} bytes"));
    }
    let mut tree = parser::parse(text).map_err(|error| causes::parser(&error.to_string()))?;
    let references = References::of(&tree);
    guards::add(&mut tree);
    Ok(Arc::new(Query { text: text.to_owned(), tree, references }))
}

impl Compiled for Query {
    fn evaluate(&self, bindings: &Bindings, cancel: &Cancel) -> Result<Found, Failure> {
        let mut context = Context::new();
        context.bind("states".to_owned(), values::states(bindings, &self.references.states));
        for name in &self.references.variables {
            if let Some(value) = bindings.variables.get(name) {
                context.bind(name.clone(), values::read(value));
            }
        }
        let token = CancelToken::new();
        let stop = token.clone();
        cancel.stops(move || stop.cancel());
        let options = EvaluatorOptions {
            timeout_ms: Some(u64::try_from(MOST_TIME.as_millis()).unwrap_or(u64::MAX)),
            cancel: Some(token),
            max_stack_depth: Some(MOST_DEPTH),
            max_sequence_length: Some(MOST_ITEMS),
        };
        let mut evaluator = Evaluator::with_options(context, options);
        functions::register(&mut evaluator)?;
        let found = evaluator
            .evaluate(&self.tree, &JValue::Undefined)
            .map_err(|error| causes::evaluation(error.message(), &self.text))?;
        values::write(&found)
    }

    fn variables(&self) -> &[String] {
        &self.references.variables
    }

    fn unsupported(&self, caught: bool) -> Option<&str> {
        self.references.unsupported(caught)
    }
}
