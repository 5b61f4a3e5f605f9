//! The operations on state machines.

use std::sync::Arc;

use serde_json::{Value, json};
use stagehost_asl::{Finding, LoadError, StateMachine};
use time::OffsetDateTime;

use crate::error::StatesError;
use crate::service::States;
use crate::store::machine::{Machine, MachineKind, NewMachine};
use crate::{arn, substitution};

impl States {
    /// Creates a state machine. Creating the same one again returns the existing one.
    ///
    /// # Errors
    /// `InvalidName`, `InvalidDefinition` (the message contains every finding), `InvalidLoggingConfiguration`,
    /// `StateMachineAlreadyExists`.
    pub fn create_state_machine(&self, new: NewMachine) -> Result<Machine, StatesError> {
        arn::check_name(&new.name)?;
        check_logging(new.logging.as_ref())?;
        let (definition, parsed) = self.load(&new.definition, new.kind)?;
        let arn = self.machine_arn(&new.name);
        let logging = new.logging.unwrap_or_else(|| json!({"level": "OFF", "includeExecutionData": false}));
        let tracing = new.tracing.unwrap_or_else(|| json!({"enabled": false}));
        let mut store = self.store();
        if let Some(found) = store.machines.get(&new.name) {
            let same = (&found.definition, found.kind, &found.logging, &found.tracing);
            return if same == (&definition, new.kind, &logging, &tracing) {
                Ok(found.clone())
            } else {
                let message = format!("State Machine Already Exists: '{arn}'");
                Err(StatesError::new("StateMachineAlreadyExists", message))
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
            revision: None,
            kind: new.kind,
            logging,
            tracing,
            tags: new.tags,
            parsed: Arc::new(parsed),
        };
        store.machines.insert(new.name, machine.clone());
        Ok(machine)
    }

    /// Changes a state machine for executions that start later. `None` leaves a value as it is.
    ///
    /// # Errors
    /// `MissingRequiredParameter` if every value is `None`, `InvalidArn`, `StateMachineDoesNotExist`,
    /// `InvalidDefinition`, `InvalidLoggingConfiguration`.
    pub fn update_state_machine(
        &self,
        arn: &str,
        definition: Option<&str>,
        role_arn: Option<String>,
        logging: Option<Value>,
        tracing: Option<Value>,
    ) -> Result<Machine, StatesError> {
        if definition.is_none() && role_arn.is_none() && logging.is_none() && tracing.is_none() {
            return Err(StatesError::new(
                "MissingRequiredParameter",
                "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified",
            ));
        }
        check_logging(logging.as_ref())?;
        let name = arn::machine_name(arn)?;
        let kind = self.state_machine(arn)?.kind;
        let loaded = definition.map(|definition| self.load(definition, kind)).transpose()?;
        let mut store = self.store();
        let found = store.machines.get_mut(name).filter(|machine| machine.arn == arn);
        let machine = found.ok_or_else(|| StatesError::no_machine(arn))?;
        let before = (machine.definition.clone(), machine.role_arn.clone());
        let settings = (machine.logging.clone(), machine.tracing.clone());
        if let Some((definition, loaded)) = loaded {
            machine.definition = definition;
            machine.parsed = Arc::new(loaded);
        }
        machine.role_arn = role_arn.unwrap_or_else(|| machine.role_arn.clone());
        machine.logging = logging.unwrap_or_else(|| machine.logging.clone());
        machine.tracing = tracing.unwrap_or_else(|| machine.tracing.clone());
        machine.updated_at = OffsetDateTime::now_utc();
        // An update that changes nothing makes no new revision.
        let same = before == (machine.definition.clone(), machine.role_arn.clone());
        if !(same && settings == (machine.logging.clone(), machine.tracing.clone())) {
            machine.revision = Some(uuid::Uuid::new_v4().to_string());
        }
        Ok(machine.clone())
    }

    /// Deletes a state machine with its versions and aliases, if it exists. Its executions continue and are kept.
    ///
    /// # Errors
    /// `InvalidArn`
    pub fn delete_state_machine(&self, arn: &str) -> Result<(), StatesError> {
        let name = arn::machine_name(arn)?;
        let mut store = self.store();
        if store.machines.get(name).is_some_and(|machine| machine.arn == arn) {
            store.machines.remove(name);
            store.published.remove(name);
        }
        Ok(())
    }

    /// Returns a state machine by its ARN.
    ///
    /// # Errors
    /// `InvalidArn`, `StateMachineDoesNotExist`.
    pub fn state_machine(&self, arn: &str) -> Result<Machine, StatesError> {
        let name = arn::machine_name(arn)?;
        let store = self.store();
        let found = store.machines.get(name).filter(|machine| machine.arn == arn);
        found.cloned().ok_or_else(|| StatesError::no_machine(arn))
    }

    /// Returns all state machines, sorted by name.
    pub fn state_machines(&self) -> Vec<Machine> {
        self.store().machines.values().cloned().collect()
    }

    /// Returns the errors and warnings of a definition.
    pub fn validate(&self, definition: &str, kind: MachineKind) -> Vec<Finding> {
        let definition = substitution::fill(definition, &self.options.substitutions);
        match self.read(&definition, kind) {
            Ok(machine) => machine.warnings().to_vec(),
            Err(error) => error.findings,
        }
    }

    /// Fills the placeholders and parses the definition.
    fn load(&self, definition: &str, kind: MachineKind) -> Result<(Arc<str>, StateMachine), StatesError> {
        let definition = substitution::fill(definition, &self.options.substitutions);
        match self.read(&definition, kind) {
            Ok(machine) => Ok((definition.into(), machine)),
            Err(error) => Err(StatesError::invalid_definition(&error.findings)),
        }
    }

    fn read(&self, definition: &str, kind: MachineKind) -> Result<StateMachine, LoadError> {
        let machine = StateMachine::parse(definition)?;
        let mut findings = match kind {
            MachineKind::Express => machine.unsupported_in_express(),
            MachineKind::Standard => Vec::new(),
        };
        if findings.is_empty() {
            findings = machine.unsupported(self.options.resources.as_ref());
        }
        if findings.is_empty() { Ok(machine) } else { Err(LoadError { findings }) }
    }
}

/// Checks where a state machine's log goes: to exactly one place, unless nothing is logged.
fn check_logging(logging: Option<&Value>) -> Result<(), StatesError> {
    let level = logging.and_then(|logging| logging["level"].as_str()).unwrap_or("OFF");
    let destinations = logging.and_then(|logging| logging["destinations"].as_array()).map_or(0, Vec::len);
    if destinations > 1 || (destinations == 0 && level != "OFF") {
        let message = "Invalid Logging Configuration: Must specify exactly one Log Destination.";
        return Err(StatesError::new("InvalidLoggingConfiguration", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_has_exactly_one_destination_unless_nothing_is_logged() {
        let group =
            json!({"cloudWatchLogsLogGroup": {"logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:g:*"}});
        let with = |level: &str, count: usize| json!({"level": level, "destinations": vec![group.clone(); count]});
        for (logging, accepted) in [
            (with("ALL", 1), true),
            (with("OFF", 0), true),
            (json!({"level": "OFF"}), true),
            (json!({"includeExecutionData": true}), true),
            (with("ALL", 0), false),
            (json!({"level": "ERROR"}), false),
            (with("FATAL", 2), false),
            (with("OFF", 2), false),
        ] {
            let name = check_logging(Some(&logging)).err().map(|error| error.name);
            assert_eq!(name.is_none(), accepted, "{logging}");
            assert!(name.is_none_or(|name| name == "InvalidLoggingConfiguration"), "{logging}");
        }
        assert!(check_logging(None).is_ok());
    }
}
