//! What goes into one call of a stage and what comes out.

use std::time::{Duration, Instant, SystemTime};

use stagehost_batch::{Asset, Batch};

use crate::additions::Additions;
use crate::capability::{CallScope, Capabilities};
use crate::grants::Grants;
use crate::limits::Limits;

/// Everything that a call needs except its input.
#[derive(Clone)]
pub struct CallRequest {
    /// Which call this is.
    pub scope: CallScope,
    /// When the execution began, RFC 3339.
    pub started_at: String,
    /// The stage's configuration, a JSON object.
    pub config: String,
    /// Memory, time and quotas, from the pin.
    pub limits: Limits,
    /// Keys, hosts and tags, from the pin.
    pub grants: Grants,
    /// The implementations behind the stage's imports.
    pub capabilities: Capabilities,
    /// The latest end of the call, if earlier than its own limit: the Lambda's deadline less a margin.
    pub deadline: Option<Instant>,
}

/// The input of a call, by kind of stage.
#[derive(Clone, Debug)]
pub enum CallInput {
    /// For an asset stage.
    Asset(Box<Asset>),
    /// For a batch stage.
    Batch(Box<Batch>),
}

impl CallInput {
    /// Returns the key of the asset; `None` for a batch stage.
    pub fn asset_key(&self) -> Option<&str> {
        match self {
            Self::Asset(asset) => Some(&asset.key),
            Self::Batch(_) => None,
        }
    }
}

/// What a stage returned. Nothing is checked or merged yet.
#[derive(Clone, Debug, PartialEq)]
pub enum CallOutput {
    /// From an asset stage.
    Asset(Box<Asset>),
    /// From a batch stage.
    Batch(Additions),
}

/// Time and resources that a call used.
#[derive(Clone, Copy, Debug)]
pub struct CallReport {
    /// When it began.
    pub started_at: SystemTime,
    /// Wall-clock time, instantiation included.
    pub duration: Duration,
    /// The part of it that instantiation took.
    pub instantiate: Duration,
    /// Most linear memory in use at once, in bytes.
    pub memory_peak: usize,
    /// Bytes of objects that the stage read.
    pub bytes_read: u64,
    /// Bytes that the stage wrote or had copied and the store has taken.
    pub bytes_written: u64,
}

impl CallReport {
    /// Returns the report of a call that used nothing: it began and ended at once.
    pub fn of_nothing() -> Self {
        Self {
            started_at: SystemTime::now(),
            duration: Duration::ZERO,
            instantiate: Duration::ZERO,
            memory_peak: 0,
            bytes_read: 0,
            bytes_written: 0,
        }
    }
}
