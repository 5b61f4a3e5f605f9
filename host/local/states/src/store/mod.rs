//! State machines and executions, in memory.

pub(crate) mod executions;
pub(crate) mod machine;

use std::collections::BTreeMap;

use executions::Executions;
use machine::Machine;

/// Everything that the service holds.
#[derive(Default)]
pub(crate) struct Store {
    /// By name.
    pub(crate) machines: BTreeMap<String, Machine>,
    pub(crate) executions: Executions,
}
