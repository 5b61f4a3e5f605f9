//! A state machine as the service stores it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use stagehost_asl::{Finding, StateMachine};
use time::OffsetDateTime;

/// The parameters of `CreateStateMachine`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewMachine {
    /// A unique name; the service's rules for names apply.
    pub name: String,
    /// The definition, which may contain placeholders.
    pub definition: String,
    /// Shown and not used.
    pub role_arn: String,
    /// Shown and not used; `None` is the service's default.
    pub logging: Option<Value>,
    /// Shown and not used; `None` is the service's default.
    pub tracing: Option<Value>,
    /// Shown and not used.
    pub tags: BTreeMap<String, String>,
    /// Standard or express.
    pub kind: MachineKind,
}

/// The type of a state machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MachineKind {
    /// Its executions are kept and can be described.
    #[default]
    Standard,
    /// Its executions last at most five minutes and leave nothing.
    Express,
}

impl MachineKind {
    /// Returns the name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::Express => "EXPRESS",
        }
    }
}

/// A state machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// `arn:aws:states:REGION:ACCOUNT:stateMachine:NAME`
    pub arn: String,
    /// The name.
    pub name: String,
    /// The definition with its placeholders filled. Executions and versions share it.
    pub definition: Arc<str>,
    /// Shown and not used.
    pub role_arn: String,
    /// When it was created.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
    /// Changes with every update that changes a value; `None` until the first.
    pub revision: Option<String>,
    /// Standard or express.
    pub kind: MachineKind,
    pub(crate) logging: Value,
    pub(crate) tracing: Value,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) parsed: Arc<StateMachine>,
}

impl Machine {
    /// Returns the warnings about the definition.
    pub fn warnings(&self) -> &[Finding] {
        self.parsed.warnings()
    }
}
