//! What a stage implements.

use crate::bindings::batch::exports::toq::media::batch_stage::Outcome;
use crate::bindings::toq::media::types::{Asset, Batch, Failure};
use crate::call::Call;

/// A stage that works on one file at a time. [`export_asset_stage`](crate::export_asset_stage) makes a component of it.
pub trait AssetStage {
    /// Returns the asset with what was found or made.
    ///
    /// # Errors
    /// A failure is recorded on this asset, and the batch goes on.
    fn process(call: Call, asset: Asset) -> Result<Asset, Failure>;
}

/// A stage that sees the whole batch. [`export_batch_stage`](crate::export_batch_stage) makes a component of it.
pub trait BatchStage {
    /// Returns what the stage adds to the batch.
    ///
    /// # Errors
    /// A failure fails the state as a whole.
    fn process(call: Call, batch: Batch) -> Result<Outcome, Failure>;
}
