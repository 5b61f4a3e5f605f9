//! State machines: created, changed, described, forgotten.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use stagehost_asl::{Finding, StateMachine};
use time::OffsetDateTime;

use crate::error::ApiError;
use crate::{States, arn, substitution};

/// What a state machine is created with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewMachine {
    /// Unique; see the service's rules for names.
    pub name: String,
    /// The definition, placeholders and all.
    pub definition: String,
    /// Shown, never used.
    pub role_arn: String,
    /// Shown, never used; the service's defaults when `None`.
    pub logging: Option<Value>,
    /// Shown, never used; the service's defaults when `None`.
    pub tracing: Option<Value>,
    /// Shown, never used.
    pub tags: BTreeMap<String, String>,
}

/// A state machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// `arn:aws:states:REGION:ACCOUNT:stateMachine:NAME`
    pub arn: String,
    /// The name.
    pub name: String,
    /// The definition with its placeholders filled.
    pub definition: String,
    /// Shown, never used.
    pub role_arn: String,
    /// When it was created.
    pub created_at: OffsetDateTime,
    /// When it was changed last.
    pub updated_at: OffsetDateTime,
    /// Changes with every update.
    pub revision: String,
    pub(crate) logging: Value,
    pub(crate) tracing: Value,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) machine: Arc<StateMachine>,
}

impl Machine {
    /// What is questionable in the definition, though it runs.
    pub fn warnings(&self) -> &[Finding] {
        self.machine.warnings()
    }
}

impl States {
    /// Creates a state machine. Creating the same one again changes nothing and is no error.
    ///
    /// # Errors
    /// `InvalidName`, `InvalidDefinition` (every finding is in the message), `StateMachineAlreadyExists`.
    pub fn create_state_machine(&self, new: NewMachine) -> Result<Machine, ApiError> {
        arn::check_name(&new.name)?;
        let (definition, machine) = self.load(&new.definition)?;
        let arn = self.machine_arn(&new.name);
        let logging = new.logging.unwrap_or_else(|| json!({"level": "OFF", "includeExecutionData": false}));
        let tracing = new.tracing.unwrap_or_else(|| json!({"enabled": false}));
        let mut store = self.store();
        if let Some(found) = store.machines.get(&new.name) {
            return if (&found.definition, &found.logging, &found.tracing) == (&definition, &logging, &tracing) {
                Ok(found.clone())
            } else {
                let message = format!("State Machine Already Exists: '{arn}'");
                Err(ApiError::new("StateMachineAlreadyExists", message))
            };
        }
        let now = OffsetDateTime::now_utc();
        let machine = Machine {
            arn,
            name: new.name.clone(),
            definition,
            role_arn: new.role_arn,
            created_at: now,
            updated_at: now,
            revision: uuid::Uuid::new_v4().to_string(),
            logging,
            tracing,
            tags: new.tags,
            machine: Arc::new(machine),
        };
        store.machines.insert(new.name, machine.clone());
        Ok(machine)
    }

    /// Changes a state machine for executions that start from now on. `None` keeps what is there.
    ///
    /// # Errors
    /// `MissingRequiredParameter` when nothing is to change, `InvalidArn`, `StateMachineDoesNotExist`,
    /// `InvalidDefinition`.
    pub fn update_state_machine(
        &self,
        arn: &str,
        definition: Option<&str>,
        role_arn: Option<String>,
        logging: Option<Value>,
        tracing: Option<Value>,
    ) -> Result<Machine, ApiError> {
        if definition.is_none() && role_arn.is_none() && logging.is_none() && tracing.is_none() {
            return Err(ApiError::new(
                "MissingRequiredParameter",
                "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified",
            ));
        }
        let name = arn::machine_name(arn)?;
        let loaded = definition.map(|definition| self.load(definition)).transpose()?;
        let mut store = self.store();
        let found = store.machines.get_mut(name).filter(|machine| machine.arn == arn);
        let machine = found.ok_or_else(|| ApiError::no_machine(arn))?;
        if let Some((definition, loaded)) = loaded {
            machine.definition = definition;
            machine.machine = Arc::new(loaded);
        }
        machine.role_arn = role_arn.unwrap_or_else(|| machine.role_arn.clone());
        machine.logging = logging.unwrap_or_else(|| machine.logging.clone());
        machine.tracing = tracing.unwrap_or_else(|| machine.tracing.clone());
        machine.updated_at = OffsetDateTime::now_utc();
        machine.revision = uuid::Uuid::new_v4().to_string();
        Ok(machine.clone())
    }

    /// Forgets a state machine; one that is not there is no error. Its executions go on and stay.
    ///
    /// # Errors
    /// `InvalidArn`
    pub fn delete_state_machine(&self, arn: &str) -> Result<(), ApiError> {
        let name = arn::machine_name(arn)?;
        let mut store = self.store();
        if store.machines.get(name).is_some_and(|machine| machine.arn == arn) {
            store.machines.remove(name);
        }
        Ok(())
    }

    /// A state machine by its ARN.
    ///
    /// # Errors
    /// `InvalidArn`, `StateMachineDoesNotExist`.
    pub fn state_machine(&self, arn: &str) -> Result<Machine, ApiError> {
        let name = arn::machine_name(arn)?;
        let store = self.store();
        let found = store.machines.get(name).filter(|machine| machine.arn == arn);
        found.cloned().ok_or_else(|| ApiError::no_machine(arn))
    }

    /// All state machines, by name.
    pub fn state_machines(&self) -> Vec<Machine> {
        self.store().machines.values().cloned().collect()
    }

    /// What a definition would be refused for, and what is questionable in it.
    pub fn validate(&self, definition: &str) -> Vec<Finding> {
        let definition = substitution::fill(definition, &self.options.substitutions);
        match StateMachine::load(&definition, self.options.resources.as_ref()) {
            Ok(machine) => machine.warnings().to_vec(),
            Err(error) => error.findings,
        }
    }

    fn load(&self, definition: &str) -> Result<(String, StateMachine), ApiError> {
        let definition = substitution::fill(definition, &self.options.substitutions);
        match StateMachine::load(&definition, self.options.resources.as_ref()) {
            Ok(machine) => Ok((definition, machine)),
            Err(error) => {
                let findings = error.findings.iter().map(|finding| {
                    let state = finding.state.as_ref().map(|state| format!("state '{state}': ")).unwrap_or_default();
                    format!("{}: {state}{} at {}", finding.code.as_str(), finding.message, finding.location)
                });
                let message = findings.collect::<Vec<_>>().join(", ");
                Err(ApiError::new("InvalidDefinition", format!("Invalid State Machine Definition: '{message}'")))
            }
        }
    }
}
