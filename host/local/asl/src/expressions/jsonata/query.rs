//! One expression of a definition: `{% … %}`.

use std::sync::Arc;

use serde_json::Value;

use super::core;
use super::engine::{Bindings, Cancel, Compiled, Failure, Found};
use super::values;

/// A parsed expression.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    /// The expression without its delimiters.
    text: String,
    compiled: Arc<dyn Compiled>,
    /// The expression only names a member of `$states` or a variable, and perhaps fields below it.
    path: Option<Vec<String>>,
}

impl PartialEq for Query {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Returns the expression in a text; `None` if the text is literal.
pub(crate) fn expression(text: &str) -> Option<&str> {
    text.strip_prefix("{%")?.strip_suffix("%}").map(str::trim)
}

impl Query {
    /// Parses an expression without its delimiters.
    ///
    /// # Errors
    /// The reason.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(Self { text: text.to_owned(), compiled: core::compile(text)?, path: plain(text) })
    }

    /// Returns the expression without its delimiters.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the parsed form.
    pub fn compiled(&self) -> &dyn Compiled {
        self.compiled.as_ref()
    }

    /// Evaluates it. A value that is only passed on keeps numbers that the library could not hold.
    ///
    /// # Errors
    /// As [`Compiled::evaluate`].
    pub fn evaluate(&self, bindings: &Bindings, cancel: &Cancel) -> Result<Found, Failure> {
        match self.path.as_deref().and_then(|path| follow(path, bindings)) {
            Some(value) => Ok(Found::Value(values::pass(value))),
            None => self.compiled.evaluate(bindings, cancel),
        }
    }
}

/// Returns the names of `$a.b.c`; `None` for any other expression.
fn plain(text: &str) -> Option<Vec<String>> {
    let names: Vec<String> = text.strip_prefix('$')?.split('.').map(str::to_owned).collect();
    let plain = |name: &String| {
        let mut chars = name.chars();
        let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        first && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    // Words such as `and` can be names; the library knows where.
    let word = |name: &String| matches!(name.as_str(), "and" | "or" | "in" | "true" | "false" | "null" | "function");
    (names.iter().all(plain) && !names.iter().any(word)).then_some(names)
}

/// Returns the value below a root, if all steps on the way are fields of objects.
fn follow<'a>(path: &[String], bindings: &'a Bindings) -> Option<&'a Value> {
    let (root, path) = match path {
        [states, member, path @ ..] if states == "states" => {
            (bindings.states().find(|(name, _)| name == member)?.1.as_ref(), path)
        }
        [variable, path @ ..] => (bindings.variables.get(variable)?, path),
        [] => return None,
    };
    path.iter().try_fold(root, |value, name| value.as_object()?.get(name))
}
