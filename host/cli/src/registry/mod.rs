//! Commands around published stages: `stagehost stage publish`, `list`, `inspect`, `pull`, `verify`, `yank`, `recompile`,
//! `resign`.

pub mod inspect;
pub mod list;
mod metadata;
mod oci;
pub mod publish;
pub mod pull;
pub mod recompile;
pub mod resign;
pub mod verify;
pub mod yank;

use std::str::FromStr;

use anyhow::Result;
use bytes::Bytes;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use stagehost_aws::storage_from_env;
use stagehost_registry::{PublicKey, Registry, SigningKey, StageId};
use stagehost_runtime::{StageIdentity, Target, precompile_for};
use stagehost_storage::Location;

use crate::exit::usage;
use crate::keyring::{BelieveArgs, Keyring, KeyringArgs, SignArgs, TrustArgs};

pub use oci::OciPlace;

/// Where stages are published.
#[derive(Clone, Debug)]
pub enum Place {
    /// What hosts read.
    Store(Location),
    /// What other tools read.
    Oci(OciPlace),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("oci://") {
            return text.parse().map(Self::Oci);
        }
        text.parse().map(Self::Store).map_err(|_| {
            format!("{text:?} names no registry; expected a folder, s3://bucket/prefix or oci://host/path")
        })
    }
}

/// A registry that hosts read.
#[derive(Args, Clone, Debug)]
pub struct StoreArgs {
    /// The registry: a folder or s3://bucket/prefix
    ///
    /// A bucket is found as the AWS CLI finds it: AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL and the rest. What is written
    /// there is encrypted by the key that MEDIA_KMS_KEY_ID names, else by the bucket's default.
    #[arg(long, value_name = "PLACE", env = "STAGEHOST_REGISTRY", hide_env_values = true)]
    registry: Location,
}

/// A registry that is only read.
#[derive(Args, Clone, Debug)]
pub struct ReadArgs {
    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    believe: BelieveArgs,
}

/// A registry that is only read, of a command that does not always need one.
#[derive(Args, Clone, Debug)]
pub struct OptionalReadArgs {
    /// The registry of a published stage: a folder or s3://bucket/prefix
    #[arg(long, value_name = "PLACE", env = "STAGEHOST_REGISTRY", hide_env_values = true)]
    registry: Option<Location>,

    #[command(flatten)]
    believe: BelieveArgs,
}

/// A registry in which something is signed.
#[derive(Args, Clone, Debug)]
pub struct WriteArgs {
    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    sign: SignArgs,

    #[command(flatten)]
    trust: TrustArgs,
}

impl ReadArgs {
    /// The registry, and whom to believe: one's own keys, `TRUSTED_KEYS` and `--trust`.
    ///
    /// # Errors
    /// If a key is none.
    pub async fn open(&self) -> Result<Registry> {
        Ok(Registry::new(storage_from_env(&self.store.registry).await, self.believe.trusted()?))
    }
}

impl OptionalReadArgs {
    /// As [`ReadArgs::open`].
    ///
    /// # Errors
    /// If a key is none; `unnamed`, if no registry was named.
    pub async fn open(&self, unnamed: impl FnOnce() -> anyhow::Error) -> Result<Registry> {
        let location = self.registry.as_ref().ok_or_else(unnamed)?;
        Ok(Registry::new(storage_from_env(location).await, self.believe.trusted()?))
    }
}

impl WriteArgs {
    /// As [`ReadArgs::open`], and the key. Whoever signs believes the own key, too, whichever file it is in.
    ///
    /// # Errors
    /// If a key is none, or it is not clear which one signs.
    pub async fn open(&self) -> Result<(Registry, SigningKey)> {
        let key = self.sign.signing()?;
        let registry = open(&self.store.registry, &self.sign.keyring, &self.trust, key.public()).await?;
        Ok((registry, key))
    }
}

/// A registry in which `own` is about to sign.
async fn open(location: &Location, keyring: &KeyringArgs, trust: &TrustArgs, own: PublicKey) -> Result<Registry> {
    let trusted = Keyring::open(keyring)?.trusted(trust)?;
    let trusted = trusted.iter().copied().chain([own]).collect();
    Ok(Registry::new(storage_from_env(location).await, trusted))
}

/// `NAME@VERSION`, or `NAME` for the newest that may be used.
async fn named(registry: &Registry, text: &str) -> Result<StageId> {
    if text.contains('@') {
        return text.parse().map_err(|error| usage!("{error}"));
    }
    stagehost_registry::checked_name(text).map_err(|error| usage!("{error}"))?;
    Ok(registry.newest(text).await?)
}

/// Compiles for each target, with something to look at meanwhile.
async fn compiled(called: &str, component: &Bytes, targets: &[Target], quiet: bool) -> Result<Vec<(Target, Bytes)>> {
    let mut artifacts = Vec::new();
    for target in targets {
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        bar.set_style(ProgressStyle::with_template("{spinner} {msg} [{elapsed}]")?);
        bar.set_message(format!("compiling {called} for {target}"));
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        let (target, component) = (*target, component.clone());
        let code = tokio::task::spawn_blocking(move || precompile_for(target, &component)).await??;
        bar.finish_and_clear();
        artifacts.push((target, code.into()));
    }
    Ok(artifacts)
}

/// `--target`, each once, or all.
pub fn targets(named: &[Target]) -> Vec<Target> {
    Target::ALL.into_iter().filter(|target| named.is_empty() || named.contains(target)).collect()
}

fn digest_of(component: &[u8]) -> String {
    StageIdentity::digest_of(component)
}

fn kib(bytes: u64) -> String {
    format!("{} KiB", bytes.div_ceil(1024))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_registry_is_a_folder_a_bucket_or_an_oci_registry() {
        assert!(matches!("./registry".parse().unwrap(), Place::Store(Location::Folder(_))));
        assert!(matches!("s3://medias/registry".parse().unwrap(), Place::Store(Location::Bucket { .. })));
        assert!(matches!("oci://localhost:5000/stages".parse().unwrap(), Place::Oci(_)));
        for wrong in ["", "https://ghcr.io/x", "oci://"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn without_a_target_it_is_all_of_them() {
        assert_eq!(targets(&[]), Target::ALL);
        assert_eq!(targets(&[Target::Arm64, Target::Arm64]), [Target::Arm64]);
    }
}
