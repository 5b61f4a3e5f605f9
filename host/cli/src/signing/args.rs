//! The options by which a command takes keys.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use stagehost_registry::{KeyRole, SigningKey, TrustedKeys};

use super::keyring::Keyring;

/// The folder of keys.
#[derive(Args, Clone, Debug)]
pub struct KeyringArgs {
    /// The folder of keys [default: stagehost/keys in the user's configuration folder]
    #[arg(long, value_name = "DIR", env = "STAGEHOST_KEYS", hide_env_values = true)]
    pub keys: Option<PathBuf>,
}

impl KeyringArgs {
    /// Opens the folder.
    ///
    /// # Errors
    /// If none is named and there is no home folder.
    pub fn open(&self) -> Result<Keyring> {
        Keyring::open(self.keys.as_deref())
    }
}

/// The key that signs.
#[derive(Args, Clone, Debug)]
pub struct KeyArgs {
    /// Sign with this key: its name, or a file in PKCS#8 PEM [default: the only key in the folder with the needed role]
    #[arg(long, value_name = "NAME|FILE", env = "STAGEHOST_KEY", hide_env_values = true)]
    pub key: Option<String>,
}

impl KeyArgs {
    /// Reads the key, which must be for `role`; `None` accepts every key.
    ///
    /// # Errors
    /// If it is missing, several could sign, or it is for something else.
    pub fn signing(&self, keyring: &Keyring, role: Option<KeyRole>) -> Result<SigningKey> {
        keyring.signing(self.key.as_deref(), role)
    }
}

/// The keys that are trusted.
#[derive(Args, Clone, Debug)]
pub struct TrustArgs {
    #[command(flatten)]
    pub keyring: KeyringArgs,

    /// Trust this public key too, besides your own and those in TRUSTED_KEYS: ed25519:…, stages:ed25519:… or
    /// pins:ed25519:…; may be given several times
    #[arg(long = "trust", value_name = "KEY")]
    trust: Vec<String>,
}

impl TrustArgs {
    /// Returns the keyring's public keys, those of `TRUSTED_KEYS`, and those of `--trust`.
    ///
    /// # Errors
    /// If a key is invalid.
    pub fn trusted(&self) -> Result<TrustedKeys> {
        self.keyring.open()?.trusted(&self.trust)
    }
}
