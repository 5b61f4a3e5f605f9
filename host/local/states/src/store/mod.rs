//! State machines and executions, in memory.

pub(crate) mod activity;
pub(crate) mod chosen;
pub(crate) mod executions;
pub(crate) mod machine;
pub(crate) mod version;

use std::collections::BTreeMap;

use activity::Activity;
use executions::Executions;
use machine::Machine;
use version::MachineVersions;

/// Everything that the service holds.
#[derive(Default)]
pub(crate) struct Store {
    /// By name.
    pub(crate) machines: BTreeMap<String, Machine>,
    /// The versions and aliases of machines, by the machine's name.
    pub(crate) published: BTreeMap<String, MachineVersions>,
    /// By ARN.
    pub(crate) activities: BTreeMap<String, Activity>,
    pub(crate) executions: Executions,
}
