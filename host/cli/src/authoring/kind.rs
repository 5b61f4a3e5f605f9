//! The two kinds of stages.

use clap::ValueEnum;

/// What a stage sees of a batch in one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StageKind {
    /// Works on one file at a time.
    Asset,
    /// Sees the whole batch.
    Batch,
}
