//! Which machine an execution runs.

use super::machine::Machine;

/// The machine of a new execution, and how the caller named it.
#[derive(Clone, Debug)]
pub(crate) struct ChosenMachine {
    /// With its own ARN, not the version's.
    pub machine: Machine,
    pub version_arn: Option<String>,
    pub alias_arn: Option<String>,
}
