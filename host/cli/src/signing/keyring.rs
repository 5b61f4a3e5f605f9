//! A person's keys: files that `stagehost keys` makes and that sign stages and pins.
//!
//! ```text
//! NAME.pem     the private key, PKCS#8 PEM, for its owner only
//! NAME.pub     the public key with its role, one line: what goes into TRUSTED_KEYS
//! ```

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use stagehost_registry::{KeyRole, KeyRoles, SigningKey, TrustedKey, TrustedKeys};

use crate::exit::usage;

/// A folder of keys.
pub struct Keyring {
    folder: PathBuf,
}

impl Keyring {
    /// Opens the named folder, or the one in the user's configuration.
    ///
    /// # Errors
    /// If no folder is named and there is no home folder.
    pub fn open(named: Option<&Path>) -> Result<Self> {
        let own = || {
            let base = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
            base.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))
                .map(|base| base.join("stagehost/keys"))
        };
        let folder = named.map(Path::to_owned).or_else(own);
        Ok(Self { folder: folder.context("there is no folder of keys: HOME is not set; name one with --keys")? })
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes a key. It never replaces another.
    ///
    /// # Errors
    /// If there is a key of this name, or it cannot be written.
    pub fn create(&self, name: &str, roles: KeyRoles) -> Result<TrustedKey> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.starts_with(['.', '-']) || !name.chars().all(plain) {
            return Err(usage!("{name:?} is not a valid name of a key; use letters, digits, dots, dashes"));
        }
        let mut folder = std::fs::DirBuilder::new();
        folder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        folder.create(&self.folder).with_context(|| format!("cannot make {}", self.folder.display()))?;

        let key = SigningKey::generate()?;
        let trusted = TrustedKey { key: key.public(), roles };
        let (public, private) = (self.folder.join(format!("{name}.pub")), self.folder.join(format!("{name}.pem")));
        // The public half first: alone it cannot sign, and it is removed if the other half cannot be written.
        write_new(&public, format!("{trusted}\n").as_bytes(), 0o644)?;
        if let Err(error) = key.to_pem().map_err(Into::into).and_then(|pem| write_new(&private, pem.as_bytes(), 0o600))
        {
            let _ = std::fs::remove_file(&public);
            return Err(error);
        }
        Ok(trusted)
    }

    /// Changes what a key is for, in its public half. Returns that.
    ///
    /// # Errors
    /// If there is no key of this name, or its file cannot be written.
    pub fn set_roles(&self, name: &str, roles: KeyRoles) -> Result<TrustedKey> {
        let all = self.public()?;
        let Some((_, known)) = all.iter().find(|(known, _)| known == name) else {
            let names: Vec<_> = all.into_iter().map(|(name, _)| name).collect();
            return Err(usage!("there is no key {name:?} in {}; there are {}", self.folder.display(), list(&names)));
        };
        let trusted = TrustedKey { roles, ..*known };
        let path = self.folder.join(format!("{name}.pub"));
        let cannot = || format!("cannot write {}", path.display());
        let mut file = tempfile::NamedTempFile::new_in(&self.folder).with_context(cannot)?;
        writeln!(file, "{trusted}").with_context(cannot)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644)).with_context(cannot)?;
        }
        file.persist(&path).with_context(cannot)?;
        Ok(trusted)
    }

    /// Returns the named private key, or the only one in the folder, which must be for `role`; `None` accepts every key.
    ///
    /// # Errors
    /// If there is no key, several could sign, or it is for something else.
    pub fn signing(&self, name: Option<&str>, role: Option<KeyRole>) -> Result<SigningKey> {
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
            None => self.only(&names, role)?,
        };
        let text = read_private(&file)?;
        let key = SigningKey::from_pem(&text).with_context(|| file.display().to_string())?;
        if let (Some(role), Some(known)) = (role, self.trusted(&[])?.get(&key.public().id()))
            && !known.roles.allow(role)
        {
            return Err(usage!(
                "the key {} is not for this: its role is {}, and it may not {}; name another with --key (`stagehost keys \
                 list` shows roles, `stagehost keys role` changes one)",
                file.display(),
                known.roles,
                role.purpose()
            ));
        }
        Ok(key)
    }

    /// Returns the file of the only key for `role`.
    fn only(&self, names: &[String], role: Option<KeyRole>) -> Result<PathBuf> {
        let public = self.public()?;
        let may = |name: &&String| {
            let roles = public.iter().find(|(known, _)| known == *name).map(|(_, key)| key.roles);
            role.is_none_or(|role| roles.is_none_or(|roles| roles.allow(role)))
        };
        let able: Vec<String> = names.iter().filter(may).cloned().collect();
        match (able.as_slice(), role) {
            ([only], _) => Ok(self.folder.join(format!("{only}.pem"))),
            ([], Some(role)) if !names.is_empty() => Err(usage!(
                "none of the keys ({}) may {}; `stagehost keys new NAME` makes one that may",
                list(names),
                role.purpose()
            )),
            ([], _) => Err(usage!("there is no key to sign with; `stagehost keys new NAME` makes one")),
            _ => Err(usage!("there are several keys ({}); name one with --key", list(&able))),
        }
    }

    /// Returns the names of private keys, in order.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>> {
        self.files("pem")
    }

    /// Returns the public keys with their names.
    ///
    /// # Errors
    /// If one cannot be read or is invalid.
    pub fn public(&self) -> Result<Vec<(String, TrustedKey)>> {
        let read = |name: String| {
            let file = self.folder.join(format!("{name}.pub"));
            let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let key = text.trim().parse().with_context(|| file.display().to_string())?;
            Ok((name, key))
        };
        self.files("pub")?.into_iter().map(read).collect()
    }

    /// Returns the folder's public keys, those of `TRUSTED_KEYS`, and `more`.
    ///
    /// # Errors
    /// If a key is invalid.
    pub fn trusted(&self, more: &[String]) -> Result<TrustedKeys> {
        let mut texts: Vec<String> = self.public()?.into_iter().map(|(_, key)| key.to_string()).collect();
        texts.extend(std::env::var("TRUSTED_KEYS").ok());
        texts.extend(more.iter().cloned());
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

/// Writes a new file, whole or not at all.
fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let cannot = || format!("cannot write {}", path.display());
    let mut file = match options.open(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("there is a key of this name already ({}); choose another name", path.display())
        }
        file => file.with_context(cannot)?,
    };
    if let Err(error) = file.write_all(bytes) {
        let _ = std::fs::remove_file(path);
        return Err(error).with_context(cannot);
    }
    Ok(())
}

/// Returns the text of a private key.
///
/// # Errors
/// If it cannot be read, or others than its owner can use it.
fn read_private(path: &Path) -> Result<String> {
    let cannot = || format!("cannot read {}", path.display());
    let mut file = std::fs::File::open(path).with_context(cannot)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = file.metadata().with_context(cannot)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            bail!(
                "{path} is a private key that others can use (mode {mode:03o}); run `chmod 600 {path}`, and make another \
                 key if somebody may have seen it",
                path = path.display()
            );
        }
    }
    let mut text = String::new();
    std::io::Read::read_to_string(&mut file, &mut text).with_context(cannot)?;
    Ok(text)
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "no keys".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn keyring(folder: &tempfile::TempDir) -> Keyring {
        Keyring::open(Some(&folder.path().join("keys"))).unwrap()
    }

    #[test]
    fn a_new_key_signs_is_trusted_and_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let keys = keyring(&folder);
        assert!(keys.signing(None, None).err().unwrap().to_string().contains("stagehost keys new"));
        let public = keys.create("release", KeyRoles::Both).unwrap();
        assert_eq!(keys.signing(None, None).unwrap().public(), public.key, "the only one there is");
        assert_eq!(keys.public().unwrap(), [("release".to_owned(), public)]);
        assert!(keys.trusted(&[]).unwrap().get(&public.key.id()).is_some());
        assert!(keys.create("release", KeyRoles::Both).unwrap_err().to_string().contains("already"));
        assert_eq!(keys.signing(Some("release"), None).unwrap().public(), public.key);

        keys.create("other", KeyRoles::Both).unwrap();
        assert!(keys.signing(None, None).err().unwrap().to_string().contains("other, release"));
        let file = keys.folder().join("other.pem").display().to_string();
        assert!(keys.signing(Some(&file), None).is_ok());
        assert!(keys.signing(Some("third"), None).is_err());
        for wrong in ["", "../up", "a/b", ".hidden", "-x"] {
            assert!(keys.create(wrong, KeyRoles::Both).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_signs_only_for_its_role_and_is_found_by_it() {
        let folder = tempfile::tempdir().unwrap();
        let keys = keyring(&folder);
        let build = keys.create("build", KeyRoles::Stages).unwrap();
        let said = keys.signing(None, Some(KeyRole::Pins)).err().unwrap().to_string();
        assert!(said.contains("none of the keys (build) may change pins"), "{said}");
        let operator = keys.create("operator", KeyRoles::Pins).unwrap();
        assert_eq!(keys.signing(None, Some(KeyRole::Stages)).unwrap().public(), build.key);
        assert_eq!(keys.signing(None, Some(KeyRole::Pins)).unwrap().public(), operator.key);
        let file = keys.folder().join("build.pem").display().to_string();
        for named in ["build", &file] {
            let said = keys.signing(Some(named), Some(KeyRole::Pins)).err().unwrap().to_string();
            assert!(said.contains("its role is stages, and it may not change pins"), "{said}");
        }
        let said = keys.signing(Some("operator"), Some(KeyRole::Stages)).err().unwrap().to_string();
        assert!(said.contains("its role is pins, and it may not publish stages"), "{said}");

        assert_eq!(keys.set_roles("build", KeyRoles::Both).unwrap().key, build.key);
        assert!(keys.signing(Some("build"), Some(KeyRole::Pins)).is_ok());
        let text = std::fs::read_to_string(keys.folder().join("operator.pub")).unwrap();
        assert_eq!(text, format!("pins:{}\n", operator.key), "the line for TRUSTED_KEYS");
        assert!(keys.set_roles("third", KeyRoles::Both).unwrap_err().to_string().contains("build, operator"));
    }

    #[test]
    fn neither_half_of_a_key_is_ever_replaced_nor_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let keys = keyring(&folder);
        keys.create("release", KeyRoles::Both).unwrap();
        let file = |name: &str| keys.folder().join(name);

        // Somebody else's public key, trusted under this name.
        std::fs::copy(file("release.pub"), file("theirs.pub")).unwrap();
        let error = keys.create("theirs", KeyRoles::Both).unwrap_err().to_string();
        assert!(error.contains("theirs.pub"), "{error}");
        assert!(!file("theirs.pem").exists());
        assert_eq!(std::fs::read(file("theirs.pub")).unwrap(), std::fs::read(file("release.pub")).unwrap());

        // A private key whose public half is lost.
        std::fs::rename(file("release.pem"), file("lost.pem")).unwrap();
        let before = std::fs::read(file("lost.pem")).unwrap();
        let error = keys.create("lost", KeyRoles::Both).unwrap_err().to_string();
        assert!(error.contains("lost.pem"), "{error}");
        assert!(!file("lost.pub").exists());
        assert_eq!(std::fs::read(file("lost.pem")).unwrap(), before);
    }

    #[cfg(unix)]
    #[test]
    fn a_private_key_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let keys = keyring(&folder);
        keys.create("release", KeyRoles::Both).unwrap();
        let file = keys.folder().join("release.pem");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        for mode in [0o640, 0o604, 0o620] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let error = keys.signing(None, None).err().unwrap().to_string();
            assert!(error.contains(&format!("chmod 600 {}", file.display())), "{error}");
        }
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o400)).unwrap();
        assert!(keys.signing(None, None).is_ok());
    }
}
