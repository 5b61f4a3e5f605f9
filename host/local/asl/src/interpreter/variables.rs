//! The variables of an execution and their scopes.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Map, Value};

use crate::error::StateError;
use crate::limits::{VARIABLE_BYTES, json_bytes};

/// Variables by name.
pub(crate) type Variables = Map<String, Value>;

/// The variables of one branch: those around it as they were when it began, and its own. Its own are gone when it ends.
#[derive(Debug, Default)]
pub(crate) struct VariableScope(Mutex<Arc<Variables>>);

impl VariableScope {
    /// Returns the scope of a branch within this one.
    pub fn inner(&self) -> Self {
        Self(Mutex::new(self.now()))
    }

    /// Sets all variables to what they were.
    pub fn restore(&self, variables: Arc<Variables>) {
        *self.0.lock() = variables;
    }

    /// Returns the variables as they are now.
    pub fn now(&self) -> Arc<Variables> {
        self.0.lock().clone()
    }

    /// Sets variables.
    ///
    /// # Errors
    /// All variables together would be too large.
    pub fn set(&self, assigned: &Variables) -> Result<(), StateError> {
        let mut own = self.0.lock();
        let mut next = own.as_ref().clone();
        next.extend(assigned.iter().map(|(name, value)| (name.clone(), value.clone())));
        let bytes: usize = next.values().map(json_bytes).sum();
        if bytes > VARIABLE_BYTES {
            return Err(StateError::too_large(&format!(
                "The variables of the execution hold {bytes} bytes; the limit is {VARIABLE_BYTES}."
            )));
        }
        *own = Arc::new(next);
        Ok(())
    }
}
