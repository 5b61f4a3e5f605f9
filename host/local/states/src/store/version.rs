//! Published versions of a state machine, and its aliases.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::machine::Machine;

/// A version: the machine as it was when it was published.
#[derive(Clone, Debug)]
pub(crate) struct MachineVersion {
    /// Its ARN and its date of creation are the version's.
    pub machine: Machine,
    pub description: Option<String>,
}

/// An alias: a name for one version, or for two that share the executions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Alias {
    pub description: Option<String>,
    /// Versions and the percentage of executions that each gets; together 100.
    pub routes: Vec<(u64, u64)>,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}

/// The versions and aliases of one machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct MachineVersions {
    pub versions: BTreeMap<u64, MachineVersion>,
    /// The number of the last version, which may have been deleted: numbers are never used again.
    pub last: u64,
    pub aliases: BTreeMap<String, Alias>,
}
