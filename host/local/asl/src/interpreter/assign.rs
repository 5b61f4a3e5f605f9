//! `Assign`.

use std::sync::Arc;

use serde_json::Value;

use super::evaluate::evaluate;
use super::run::{Branch, Run, Visit};
use super::variables::Variables;
use crate::definition::query::Assign;
use crate::error::StateError;
use crate::expressions::jsonata::engine::{Bindings, Cancel};
use crate::expressions::path::Scope;
use crate::limits::{ASSIGN_BYTES, json_bytes};

impl Run {
    /// Computes a state's `Assign` in JSONPath. `scope` is what its paths read.
    pub(super) fn assigned(assign: Option<&Assign>, scope: Scope<'_>) -> Result<Option<Variables>, StateError> {
        match assign {
            Some(Assign::JsonPath(template)) => template.evaluate(scope).map(fields).and_then(checked),
            Some(Assign::Jsonata(_)) | None => Ok(None),
        }
    }

    /// Computes a state's `Assign` in JSONata. `place` is its name in errors.
    pub(super) async fn query_assigned(
        assign: Option<&Assign>,
        place: String,
        bindings: &Bindings,
    ) -> Result<Option<Variables>, StateError> {
        let Some(Assign::Jsonata(template)) = assign else {
            return Ok(None);
        };
        if template.is_literal() {
            let value = template.evaluate(&place, &Bindings::default(), &Cancel::default())?;
            return checked(fields(value));
        }
        let (template, bindings) = (template.clone(), bindings.clone());
        let value = evaluate(move |cancel| template.evaluate(&place, &bindings, cancel)).await?;
        checked(fields(value))
    }

    /// Sets the variables that a state assigned and returns them for its last event.
    pub(super) fn keep(
        &self,
        branch: &Branch,
        visit: &Visit<'_>,
        assigned: Option<Variables>,
    ) -> Result<Option<Arc<Variables>>, StateError> {
        let Some(assigned) = assigned.filter(|assigned| !assigned.is_empty()) else {
            return Ok(None);
        };
        branch.variables.set(&assigned).map_err(|error| error.in_state(&visit.state.name, visit.entered))?;
        Ok(Some(Arc::new(assigned)))
    }
}

fn fields(value: Value) -> Variables {
    match value {
        Value::Object(fields) => fields,
        _ => Variables::new(),
    }
}

/// Returns the variables.
///
/// # Errors
/// They are too large together.
fn checked(assigned: Variables) -> Result<Option<Variables>, StateError> {
    let bytes: usize = assigned.values().map(json_bytes).sum();
    if bytes > ASSIGN_BYTES {
        return Err(StateError::too_large(&format!(
            "The Assign field gives {bytes} bytes of variables; the limit is {ASSIGN_BYTES}."
        )));
    }
    Ok(Some(assigned))
}
