#![allow(clippy::unwrap_used, dead_code, missing_docs)]
//! Shared by the tests of this crate.

pub mod bucket;
pub mod fixture;
pub mod services;
pub mod test_bucket;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;

/// Returns test credentials and a region, with nothing from this machine's environment.
pub fn sdk_config() -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::from_keys("test", "test-secret", None)))
        .build()
}
