//! The keys that are trusted, and for what: publishing stages, changing pins, or both. So a build server can publish without
//! being able to change what runs, and an operator can change what runs without being able to publish.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::keys::{KeyError, PublicKey};

/// What a signature is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRole {
    /// Publishing stages: manifests, artifact records, yanked marks.
    Stages,
    /// Changing pins.
    Pins,
}

/// What a key is trusted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRoles {
    /// Publishing stages only.
    Stages,
    /// Changing pins only.
    Pins,
    /// Both.
    Both,
}

impl KeyRole {
    /// Returns what a key of this role does, as messages say it.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Stages => "publish stages",
            Self::Pins => "change pins",
        }
    }
}

impl KeyRoles {
    /// Returns whether a key with these roles may sign for `role`.
    pub fn allow(self, role: KeyRole) -> bool {
        match self {
            Self::Both => true,
            Self::Stages => role == KeyRole::Stages,
            Self::Pins => role == KeyRole::Pins,
        }
    }

    /// Returns the name of the roles: `stages`, `pins` or `both`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stages => "stages",
            Self::Pins => "pins",
            Self::Both => "both",
        }
    }

    fn and(self, other: Self) -> Self {
        if self == other { self } else { Self::Both }
    }
}

impl fmt::Display for KeyRoles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeyRoles {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let all = [Self::Stages, Self::Pins, Self::Both];
        all.into_iter().find(|roles| roles.name() == text).ok_or_else(|| KeyError::Role(text.to_owned()))
    }
}

/// A trusted key with its roles. Its text is the public key's, which means both roles, or that text after `stages:` or `pins:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustedKey {
    /// The key.
    pub key: PublicKey,
    /// What it is trusted for.
    pub roles: KeyRoles,
}

impl fmt::Display for TrustedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.roles {
            KeyRoles::Both => write!(f, "{}", self.key),
            roles => write!(f, "{roles}:{}", self.key),
        }
    }
}

impl FromStr for TrustedKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let after = |prefix: &str| text.strip_prefix(prefix);
        let (roles, key) = match (after("stages:"), after("pins:")) {
            (Some(key), _) => (KeyRoles::Stages, key),
            (_, Some(key)) => (KeyRoles::Pins, key),
            (None, None) => (KeyRoles::Both, text),
        };
        Ok(Self { key: key.parse()?, roles })
    }
}

/// The keys whose signatures are accepted. An empty set accepts no signature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedKeys(BTreeMap<String, TrustedKey>);

impl TrustedKeys {
    /// Returns whether no key is trusted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns all keys, sorted by id.
    pub fn iter(&self) -> impl Iterator<Item = &TrustedKey> {
        self.0.values()
    }

    /// Returns the key with this id.
    pub fn get(&self, id: &str) -> Option<&TrustedKey> {
        self.0.get(id)
    }

    /// Returns these keys and `own`, with both roles unless it is among them already.
    #[must_use]
    pub fn with_own(mut self, own: PublicKey) -> Self {
        self.0.entry(own.id()).or_insert(TrustedKey { key: own, roles: KeyRoles::Both });
        self
    }
}

impl FromIterator<TrustedKey> for TrustedKeys {
    /// A key that occurs with `stages` and with `pins` has both roles.
    fn from_iter<I: IntoIterator<Item = TrustedKey>>(keys: I) -> Self {
        let mut all = BTreeMap::<String, TrustedKey>::new();
        for next in keys {
            let known = all.entry(next.key.id()).or_insert(next);
            known.roles = known.roles.and(next.roles);
        }
        Self(all)
    }
}

impl FromIterator<PublicKey> for TrustedKeys {
    /// Returns the keys, each with both roles.
    fn from_iter<I: IntoIterator<Item = PublicKey>>(keys: I) -> Self {
        keys.into_iter().map(|key| TrustedKey { key, roles: KeyRoles::Both }).collect()
    }
}

impl FromStr for TrustedKeys {
    type Err = KeyError;

    /// Reads keys that are separated by commas or line breaks, the form of `TRUSTED_KEYS`. An empty text is an empty set.
    /// One invalid key makes the whole list invalid, so that a typing error is noticed.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        text.split([',', '\n']).map(str::trim).filter(|key| !key.is_empty()).map(TrustedKey::from_str).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::keys::{PREFIX, SigningKey};

    fn public() -> PublicKey {
        SigningKey::generate().unwrap().public()
    }

    #[test]
    fn a_list_of_keys_may_be_separated_by_commas_or_lines() {
        let keys: Vec<_> = (0..3).map(|_| SigningKey::generate().unwrap().public()).collect();
        let expected: TrustedKeys = keys.iter().copied().collect();
        let list = format!("\n{}, {}\n\n{},\n", keys[0], keys[1], keys[2]);
        let read: TrustedKeys = list.parse().unwrap();
        assert_eq!(read, expected);
        assert_eq!(read.iter().count(), 3);
        assert_eq!(read.get(&keys[1].id()).unwrap().key, keys[1]);
    }

    #[test]
    fn an_empty_list_has_no_keys() {
        assert!("".parse::<TrustedKeys>().unwrap().is_empty());
        assert!(" ,\n ".parse::<TrustedKeys>().unwrap().is_empty());
    }

    #[test]
    fn one_invalid_key_makes_the_list_invalid_and_is_named() {
        let good = SigningKey::generate().unwrap().public();
        let weak = format!("{PREFIX}{}", STANDARD.encode([0; 32]));
        for (bad, why) in [
            ("rsa:AAAA", "does not begin"),
            ("ed25519:*", "not base64"),
            ("ed25519:AAAA", "not 32 bytes long"),
            (weak.as_str(), "anybody"),
        ] {
            let error = format!("{good},{bad}").parse::<TrustedKeys>().unwrap_err().to_string();
            assert!(error.contains(bad) && error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_key_has_the_role_before_it_and_both_without_one() {
        let [build, operator, both] = [public(), public(), public()];
        let list = format!("stages:{build},pins:{operator},{both}");
        let keys: TrustedKeys = list.parse().unwrap();
        let roles = |key: PublicKey| keys.get(&key.id()).unwrap().roles;
        assert_eq!((roles(build), roles(operator), roles(both)), (KeyRoles::Stages, KeyRoles::Pins, KeyRoles::Both));
        assert!(roles(build).allow(KeyRole::Stages) && !roles(build).allow(KeyRole::Pins));
        assert!(roles(operator).allow(KeyRole::Pins) && !roles(operator).allow(KeyRole::Stages));
        let texts: Vec<_> = keys.iter().map(ToString::to_string).collect();
        assert_eq!(texts.join(",").parse::<TrustedKeys>().unwrap(), keys);
    }

    #[test]
    fn a_key_that_is_named_with_each_role_has_both() {
        let key = public();
        let keys: TrustedKeys = format!("stages:{key},pins:{key}").parse().unwrap();
        assert_eq!(keys.get(&key.id()).unwrap().roles, KeyRoles::Both);
    }

    #[test]
    fn an_unknown_role_makes_the_list_invalid() {
        let error = format!("admin:{}", public()).parse::<TrustedKeys>().unwrap_err().to_string();
        assert!(error.contains("admin:"), "{error}");
        assert!("everything".parse::<KeyRoles>().unwrap_err().to_string().contains("stages, pins or both"));
    }

    #[test]
    fn an_own_key_does_not_gain_a_role() {
        let key = public();
        let keys: TrustedKeys = format!("stages:{key}").parse().unwrap();
        assert_eq!(keys.with_own(key).get(&key.id()).unwrap().roles, KeyRoles::Stages);
        assert_eq!(TrustedKeys::default().with_own(key).get(&key.id()).unwrap().roles, KeyRoles::Both);
    }
}
