//! The options by which a command takes the pins.

use anyhow::Result;
use clap::Args;
use stagehost_aws::storage_from_env;
use stagehost_pins::PinStore;
use stagehost_storage::Location;

use crate::exit::usage;
use crate::signing::args::TrustArgs;

/// The store of pins, and the keys that are trusted.
#[derive(Args, Clone, Debug)]
pub struct PinsArgs {
    /// The pins: s3://bucket/prefix or a folder
    ///
    /// A bucket is found as the AWS CLI finds it: by AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL and so on. Objects are
    /// encrypted with the key in MEDIA_KMS_KEY_ID, or else as the bucket does by default.
    #[arg(long, value_name = "PLACE", env = "STAGEHOST_PINS", hide_env_values = true)]
    pins: Option<Location>,

    #[command(flatten)]
    pub trust: TrustArgs,

    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

impl PinsArgs {
    /// Opens the store. Nothing is read yet.
    ///
    /// # Errors
    /// If no store is named or a key is invalid.
    pub async fn open(&self) -> Result<PinStore> {
        let place = self.pins.as_ref();
        let place = place.ok_or_else(|| usage!("no pins are named; use --pins PLACE, or set STAGEHOST_PINS"))?;
        Ok(PinStore::new(storage_from_env(place).await, self.trust.trusted()?))
    }
}
