//! The options by which a command takes the pins.

use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use stagehost_aws::{ParameterArn, number_from_env, storage_from_env};
use stagehost_pins::PinStore;
use stagehost_storage::{GrowingNumber, Location};

use crate::exit::usage;
use crate::signing::args::TrustArgs;

/// The store of pins, and the keys that are trusted.
#[derive(Args, Clone, Debug)]
pub struct PinsArgs {
    /// The pins: s3://bucket/prefix or a folder
    ///
    /// Credentials and region are found as the AWS CLI finds them: by AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL and so on.
    /// Objects are encrypted with the key in MEDIA_KMS_KEY_ID, or else with the bucket's default.
    #[arg(long, value_name = "PLACE", env = "STAGEHOST_PINS", hide_env_values = true)]
    pins: Option<Location>,

    /// The environment that the pins are for, the hosts' ENV [default: that of the pins in force]
    #[arg(long, value_name = "NAME", env = "STAGEHOST_ENVIRONMENT", hide_env_values = true)]
    pub environment: Option<String>,

    #[command(flatten)]
    pub trust: TrustArgs,

    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

impl PinsArgs {
    /// Returns the store at a place, with the pins of any environment.
    pub fn at(place: Location, trust: TrustArgs) -> Self {
        Self { pins: Some(place), environment: None, trust, json: false }
    }

    /// Returns the bucket of the store; `None` if it is a folder.
    pub fn bucket(&self) -> Option<&str> {
        match self.pins.as_ref()? {
            Location::Bucket { bucket, .. } => Some(bucket),
            Location::Folder(_) => None,
        }
    }

    /// Returns whether a store is named.
    pub fn is_named(&self) -> bool {
        self.pins.is_some()
    }

    /// Opens the store. Nothing is read yet.
    ///
    /// # Errors
    /// If no store is named or a key is invalid.
    pub async fn open(&self) -> Result<PinStore> {
        let place = self.pins.as_ref();
        let place = place.ok_or_else(|| usage!("no pins are named; use --pins PLACE, or set STAGEHOST_PINS"))?;
        let store = PinStore::new(storage_from_env(place).await, self.trust.trusted()?);
        Ok(match &self.environment {
            Some(name) => store.for_environment(name),
            None => store.of_any_environment(),
        })
    }
}

/// The lowest revision that hosts start with.
#[derive(Args, Clone, Debug, Default)]
pub struct FloorArgs {
    /// The ARN of the SSM parameter with the lowest revision that hosts start with, the hosts' PINS_FLOOR
    #[arg(
        long = "floor",
        value_name = "ARN",
        env = "STAGEHOST_PINS_FLOOR",
        hide_env_values = true,
        value_parser = ParameterArn::parse
    )]
    floor: Option<ParameterArn>,
}

impl FloorArgs {
    /// Checks that the floor is named together with the environment that it belongs to. The number is never lowered, so
    /// pins of another environment must not raise it.
    ///
    /// # Errors
    /// If no environment is named, or the parameter's name says another one.
    pub fn check_environment(&self, environment: Option<&str>) -> Result<()> {
        let Some(arn) = &self.floor else { return Ok(()) };
        let Some(environment) = environment else {
            return Err(usage!(
                "--floor is the floor of one environment; name it with --environment, or set STAGEHOST_ENVIRONMENT"
            ));
        };
        match arn.environment() {
            Some(found) if found != environment => Err(usage!(
                "--floor names a parameter of the environment {found}, --environment {environment}: it would get the \
                 revisions of other pins, and is never lowered"
            )),
            _ => Ok(()),
        }
    }

    /// Opens the number; `None` if none is named. Nothing is read yet.
    pub async fn open(&self) -> Option<Arc<dyn GrowingNumber>> {
        match &self.floor {
            Some(arn) => Some(number_from_env(arn).await),
            None => None,
        }
    }
}
