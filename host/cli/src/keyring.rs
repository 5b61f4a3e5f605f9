//! A person's keys: files that `stagehost keys` makes and signing commands use.
//!
//! ```text
//! NAME.pem     the private key, PKCS#8 PEM, for its owner only
//! NAME.pub     the public key, one line: what goes into TRUSTED_KEYS
//! ```

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use stagehost_registry::{PublicKey, SigningKey, TrustedKeys};

use crate::exit::usage;

/// Where the keys are.
#[derive(Args, Clone, Debug)]
pub struct KeyringArgs {
    /// The folder of keys [default: stagehost/keys in the user's configuration folder]
    #[arg(long, value_name = "DIR", env = "STAGEHOST_KEYS", hide_env_values = true)]
    pub keys: Option<PathBuf>,
}

/// With what to sign.
#[derive(Args, Clone, Debug)]
pub struct SignArgs {
    #[command(flatten)]
    pub keyring: KeyringArgs,

    /// Sign with this key: its name, or a file in PKCS#8 PEM [default: the only one there is]
    #[arg(long, value_name = "NAME|FILE", env = "STAGEHOST_KEY", hide_env_values = true)]
    pub key: Option<String>,
}

/// Whom to believe.
#[derive(Args, Clone, Debug)]
pub struct TrustArgs {
    /// Also believe this public key (ed25519:…), beside one's own and those of TRUSTED_KEYS; may be given several times
    #[arg(long = "trust", value_name = "KEY")]
    pub trust: Vec<String>,
}

/// A folder of keys.
pub struct Keyring {
    folder: PathBuf,
}

impl Keyring {
    /// The folder that was named, or the user's own.
    ///
    /// # Errors
    /// If there is no place for one.
    pub fn open(args: &KeyringArgs) -> Result<Self> {
        let own = || {
            let base = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
            base.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))
                .map(|base| base.join("stagehost/keys"))
        };
        let folder = args.keys.clone().or_else(own);
        Ok(Self { folder: folder.context("no place for keys: HOME is not set; name a folder with --keys")? })
    }

    /// Where the keys are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes a key. One of the same name is never replaced.
    ///
    /// # Errors
    /// If there is one, or it cannot be written.
    pub fn create(&self, name: &str) -> Result<PublicKey> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.starts_with(['.', '-']) || !name.chars().all(plain) {
            return Err(usage!("{name:?} is no name of a key; expected letters, digits, dots, dashes"));
        }
        let mut folder = std::fs::DirBuilder::new();
        folder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        folder.create(&self.folder).with_context(|| format!("cannot make {}", self.folder.display()))?;

        let key = SigningKey::generate()?;
        let private = self.folder.join(format!("{name}.pem"));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&private);
        let mut file = match file {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                bail!("there is a key {name} already ({}); choose another name", private.display())
            }
            file => file.with_context(|| format!("cannot write {}", private.display()))?,
        };
        file.write_all(key.to_pem()?.as_bytes()).with_context(|| format!("cannot write {}", private.display()))?;
        let public = self.folder.join(format!("{name}.pub"));
        std::fs::write(&public, format!("{}\n", key.public()))
            .with_context(|| format!("cannot write {}", public.display()))?;
        Ok(key.public())
    }

    /// The key that was named, or the only one there is.
    ///
    /// # Errors
    /// If there is none, or it is not clear which.
    pub fn signing(&self, name: Option<&str>) -> Result<SigningKey> {
        let names = self.names()?;
        let file = match name {
            Some(name) if names.iter().any(|known| known == name) => self.folder.join(format!("{name}.pem")),
            Some(file) if Path::new(file).is_file() => file.into(),
            Some(name) => {
                return Err(usage!(
                    "{name:?} is neither a key nor a file; keys in {}: {}",
                    self.folder.display(),
                    list(&names)
                ));
            }
            None => match names.as_slice() {
                [only] => self.folder.join(format!("{only}.pem")),
                [] => return Err(usage!("there is no key to sign with; `stagehost keys new NAME` makes one")),
                _ => return Err(usage!("there are several keys ({}); name one with --key", list(&names))),
            },
        };
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        SigningKey::from_pem(&text).with_context(|| file.display().to_string())
    }

    /// The names of private keys, in order.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>> {
        self.files("pem")
    }

    /// The public keys, with their names.
    ///
    /// # Errors
    /// If one cannot be read or is none.
    pub fn public(&self) -> Result<Vec<(String, PublicKey)>> {
        let read = |name: String| {
            let file = self.folder.join(format!("{name}.pub"));
            let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let key = text.trim().parse().with_context(|| file.display().to_string())?;
            Ok((name, key))
        };
        self.files("pub")?.into_iter().map(read).collect()
    }

    /// One's own keys, those of `TRUSTED_KEYS`, and `--trust`.
    ///
    /// # Errors
    /// If one of them is no key.
    pub fn trusted(&self, more: &TrustArgs) -> Result<TrustedKeys> {
        let mut texts: Vec<String> = self.public()?.into_iter().map(|(_, key)| key.to_string()).collect();
        texts.extend(std::env::var("TRUSTED_KEYS").ok());
        texts.extend(more.trust.iter().cloned());
        texts.join("\n").parse().map_err(|error| usage!("{error}"))
    }

    fn files(&self, extension: &str) -> Result<Vec<String>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.with_context(|| format!("cannot read {}", self.folder.display()))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|found| found == extension)
                && let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
            {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn keyring(folder: &tempfile::TempDir) -> Keyring {
        Keyring::open(&KeyringArgs { keys: Some(folder.path().join("keys")) }).unwrap()
    }

    #[test]
    fn a_new_key_signs_is_trusted_and_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let keys = keyring(&folder);
        assert!(keys.signing(None).err().unwrap().to_string().contains("stagehost keys new"));
        let public = keys.create("release").unwrap();
        assert_eq!(keys.signing(None).unwrap().public(), public, "the only one there is");
        assert_eq!(keys.public().unwrap(), [("release".to_owned(), public)]);
        assert!(keys.trusted(&TrustArgs { trust: vec![] }).unwrap().get(&public.id()).is_some());
        assert!(keys.create("release").unwrap_err().to_string().contains("already"));
        assert_eq!(keys.signing(Some("release")).unwrap().public(), public);

        keys.create("other").unwrap();
        assert!(keys.signing(None).err().unwrap().to_string().contains("other, release"));
        let file = keys.folder().join("other.pem").display().to_string();
        assert!(keys.signing(Some(&file)).is_ok());
        assert!(keys.signing(Some("third")).is_err());
        for wrong in ["", "../up", "a/b", ".hidden", "-x"] {
            assert!(keys.create(wrong).is_err(), "{wrong}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_private_key_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let keys = keyring(&folder);
        keys.create("release").unwrap();
        assert_eq!(keys.folder().join("release.pem").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
