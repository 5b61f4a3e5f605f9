//! Versions of state machines, and which machine an execution runs.

use rand::Rng as _;
use time::OffsetDateTime;

use crate::arn::{self, MachineReference};
use crate::error::StatesError;
use crate::service::States;
use crate::store::chosen::ChosenMachine;
use crate::store::machine::Machine;
use crate::store::version::{Alias, MachineVersion, MachineVersions};

/// The most versions of a machine.
const MOST_VERSIONS: usize = 1_000;

impl States {
    /// Publishes the machine as it is now. If its last version has the same revision, returns that.
    ///
    /// # Errors
    /// `InvalidArn`, `StateMachineDoesNotExist`; `ConflictException` if the machine has another revision than this one;
    /// `ServiceQuotaExceededException`.
    pub(crate) fn publish_version(
        &self,
        arn: &str,
        revision: Option<&str>,
        description: Option<String>,
    ) -> Result<MachineVersion, StatesError> {
        /// The revision of a machine that was never changed.
        const INITIAL: &str = "INITIAL";
        let machine = self.state_machine(arn)?;
        let current = machine.revision.as_deref().unwrap_or(INITIAL);
        if let Some(revision) = revision.filter(|revision| *revision != current) {
            return Err(StatesError::new(
                "ConflictException",
                format!(
                    "Failed to publish the State Machine version for revision {revision}. The current State Machine \
                     revision is {current}."
                ),
            ));
        }
        let mut store = self.store();
        let published = store.published.entry(machine.name.clone()).or_default();
        if let Some((_, last)) = published.versions.last_key_value()
            && last.machine.revision == machine.revision
        {
            return Ok(last.clone());
        }
        if published.versions.len() >= MOST_VERSIONS {
            let message = format!("a state machine has at most {MOST_VERSIONS} versions");
            return Err(StatesError::new("ServiceQuotaExceededException", message));
        }
        published.last += 1;
        let number = published.last;
        let arn = format!("{}:{number}", machine.arn);
        let machine = Machine { arn, created_at: OffsetDateTime::now_utc(), ..machine };
        let version = MachineVersion { machine, description };
        published.versions.insert(number, version.clone());
        Ok(version)
    }

    /// Deletes a version, if it exists. Executions of it go on.
    ///
    /// # Errors
    /// `InvalidArn`; `ConflictException` if an alias leads to it.
    pub(crate) fn delete_version(&self, arn: &str) -> Result<(), StatesError> {
        let MachineReference::Version(name, number) = arn::machine_reference(arn)? else {
            return Err(StatesError::invalid_arn(arn));
        };
        if !self.is_own(arn) {
            return Ok(());
        }
        let mut store = self.store();
        let Some(published) = store.published.get_mut(name) else { return Ok(()) };
        let leads = published.aliases.iter().filter(|(_, alias)| alias.routes.iter().any(|(to, _)| *to == number));
        let leads: Vec<&str> = leads.map(|(name, _)| name.as_str()).collect();
        if !leads.is_empty() {
            return Err(StatesError::new(
                "ConflictException",
                format!(
                    "Version to be deleted must not be referenced by an alias. Current list of aliases referencing this \
                     version: [{}]",
                    leads.join(", ")
                ),
            ));
        }
        published.versions.remove(&number);
        Ok(())
    }

    /// Calls `read` with the versions and aliases of a machine. The service is locked meanwhile.
    pub(crate) fn read_published<T>(&self, machine: &str, read: impl FnOnce(&MachineVersions) -> T) -> T {
        match self.store().published.get(machine) {
            Some(published) => read(published),
            None => read(&MachineVersions::default()),
        }
    }

    /// Returns a version.
    ///
    /// # Errors
    /// `StateMachineDoesNotExist`.
    pub(crate) fn version(&self, arn: &str, machine: &str, number: u64) -> Result<MachineVersion, StatesError> {
        let found = self.read_published(machine, |published| {
            published.versions.get(&number).filter(|version| version.machine.arn == arn).cloned()
        });
        found.ok_or_else(|| StatesError::no_machine(arn))
    }

    /// Returns the machine of a new execution by the ARN of a machine, a version or an alias. Of the two versions of an
    /// alias, chance decides by their weights.
    ///
    /// # Errors
    /// `InvalidArn`, `StateMachineDoesNotExist`.
    pub(crate) fn choose(&self, arn: &str) -> Result<ChosenMachine, StatesError> {
        let (name, number, alias_arn) = match arn::machine_reference(arn)? {
            MachineReference::Machine(_) => {
                return Ok(ChosenMachine { machine: self.state_machine(arn)?, version_arn: None, alias_arn: None });
            }
            MachineReference::Version(name, number) => (name, Some(number), None),
            MachineReference::Alias(name, alias) => {
                let number = self.read_published(name, |published| published.aliases.get(alias).and_then(drawn));
                (name, number, Some(arn.to_owned()))
            }
        };
        let machine_arn = self.machine_arn(name);
        let number = number.filter(|_| arn.starts_with(&format!("{machine_arn}:")));
        let version = number
            .and_then(|number| self.read_published(name, |published| published.versions.get(&number).cloned()))
            .ok_or_else(|| StatesError::no_machine(arn))?;
        let version_arn = Some(version.machine.arn);
        Ok(ChosenMachine { machine: Machine { arn: machine_arn, ..version.machine }, version_arn, alias_arn })
    }
}

/// Returns one of an alias's versions; chance decides by their weights.
fn drawn(alias: &Alias) -> Option<u64> {
    let mut left = rand::rng().random_range(0..100);
    let chosen = alias.routes.iter().find(|(_, weight)| {
        let here = left < *weight;
        left = left.saturating_sub(*weight);
        here
    });
    chosen.map(|(number, _)| *number)
}
