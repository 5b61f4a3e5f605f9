//! The options by which a command takes a registry.

use anyhow::Result;
use clap::Args;
use stagehost_aws::storage_from_env;
use stagehost_registry::{KeyRole, Registry, SigningKey, TrustedKeys};
use stagehost_storage::Location;

use super::place::RegistryPlace;
use crate::exit::usage;
use crate::signing::args::{KeyArgs, TrustArgs};

/// The registry itself.
#[derive(Args, Clone, Debug)]
pub struct RegistryArgs {
    /// The registry of stages: a folder or s3://bucket/prefix; `stage publish` also takes oci://host/path
    ///
    /// Credentials and region are found as the AWS CLI finds them: by AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL and so on.
    /// Objects are encrypted with the key in MEDIA_KMS_KEY_ID, or else with the bucket's default.
    #[arg(long, value_name = "PLACE", env = "STAGEHOST_REGISTRY", hide_env_values = true)]
    registry: Option<RegistryPlace>,
}

impl RegistryArgs {
    /// Returns whether a registry is named.
    pub fn is_named(&self) -> bool {
        self.registry.is_some()
    }

    /// Returns the registry's place.
    ///
    /// # Errors
    /// If none is named.
    pub fn place(&self) -> Result<&RegistryPlace> {
        let place = self.registry.as_ref();
        place.ok_or_else(|| usage!("no registry is named; use --registry PLACE, or set STAGEHOST_REGISTRY"))
    }

    /// Opens a registry that hosts read. Nothing is read yet.
    ///
    /// # Errors
    /// If none is named, or it is an OCI registry.
    pub async fn open(&self, trusted: TrustedKeys) -> Result<Registry> {
        match self.place()? {
            RegistryPlace::Store(location) => Ok(open(location, trusted).await),
            RegistryPlace::Oci(place) => Err(usage!(
                "hosts do not read {place}; name a folder or s3://bucket/prefix with --registry. Only `stage publish` \
                 and `stage pull` work with OCI registries"
            )),
        }
    }
}

/// Opens a registry at a place. Nothing is read yet.
pub async fn open(location: &Location, trusted: TrustedKeys) -> Registry {
    Registry::new(storage_from_env(location).await, trusted)
}

/// A registry to read.
#[derive(Args, Clone, Debug)]
pub struct ReadArgs {
    #[command(flatten)]
    pub registry: RegistryArgs,

    #[command(flatten)]
    pub trust: TrustArgs,
}

impl ReadArgs {
    /// Opens the registry with the trusted keys.
    ///
    /// # Errors
    /// If no registry is named or a key is invalid.
    pub async fn open(&self) -> Result<Registry> {
        self.registry.open(self.trust.trusted()?).await
    }
}

/// A registry to write to, and the key that signs.
#[derive(Args, Clone, Debug)]
pub struct WriteArgs {
    #[command(flatten)]
    pub read: ReadArgs,

    #[command(flatten)]
    key: KeyArgs,
}

impl WriteArgs {
    /// Opens the registry and reads the key that signs, which must be for stages.
    ///
    /// # Errors
    /// If no registry is named, a key is invalid, several could sign, or it is for something else.
    pub async fn open(&self) -> Result<(Registry, SigningKey)> {
        self.open_for(Some(KeyRole::Stages)).await
    }

    /// Opens the registry and reads the key that signs, which must be for `role`; `None` accepts every key.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_for(&self, role: Option<KeyRole>) -> Result<(Registry, SigningKey)> {
        let key = self.key.signing(&self.read.trust.keyring.open()?, role)?;
        Ok((self.read.registry.open(self.trusted(&key)?).await?, key))
    }

    /// Returns the key that signs stages.
    ///
    /// # Errors
    /// If it is missing, several could sign, or it is for something else.
    pub fn signing(&self) -> Result<SigningKey> {
        self.key.signing(&self.read.trust.keyring.open()?, Some(KeyRole::Stages))
    }

    /// Returns the trusted keys. A signer also trusts its own key, in whichever file it is.
    ///
    /// # Errors
    /// If a key is invalid.
    pub fn trusted(&self, own: &SigningKey) -> Result<TrustedKeys> {
        Ok(self.read.trust.trusted()?.with_own(own.public()))
    }
}
