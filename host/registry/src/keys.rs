//! Signing keys and their public halves. They are ed25519: keys and signatures are short, signing
//! needs no randomness, and `openssl genpkey -algorithm ed25519` makes such keys too.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};
use ed25519_dalek::{Signature, Signer, VerifyingKey};
use sha2::{Digest, Sha256};

/// The prefix of a public key's text.
pub(crate) const PREFIX: &str = "ed25519:";

/// The number of hexadecimal digits in a key id.
const ID_DIGITS: usize = 16;

/// Why a key cannot be read or made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// The text is not a public key.
    #[error(
        "{text:?} is not a public key: {reason}; expected {PREFIX} and 32 bytes in base64, as `stagehost keys list` prints it"
    )]
    Public {
        /// The text as written.
        text: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The text names no role of a key.
    #[error("{0:?} is not the role of a key; expected stages, pins or both")]
    Role(String),
    /// The text is not a private key. The message does not repeat it, because it may be secret all the same.
    #[error("not an ed25519 private key in PKCS#8 PEM ({0}); `stagehost keys new NAME` makes one")]
    Private(String),
    /// The system has no random numbers.
    #[error("cannot make a key: the system gives no random numbers ({0})")]
    Random(String),
}

/// A private key. It is never displayed, and wiped from memory when dropped.
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// Returns a new key, made of the system's random numbers.
    ///
    /// # Errors
    /// [`KeyError::Random`] if the system has none.
    pub fn generate() -> Result<Self, KeyError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|e| KeyError::Random(e.to_string()))?;
        Ok(Self(ed25519_dalek::SigningKey::from_bytes(&seed)))
    }

    /// Reads PKCS#8 PEM, as `openssl genpkey -algorithm ed25519` writes it.
    ///
    /// # Errors
    /// [`KeyError::Private`] if the text is something else.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let key = ed25519_dalek::SigningKey::from_pkcs8_pem(text).map_err(|e| KeyError::Private(e.to_string()))?;
        Ok(Self(key))
    }

    /// Returns the key as PKCS#8 PEM without the public key, because OpenSSL 3.0 cannot read the form with both.
    ///
    /// # Errors
    /// [`KeyError::Private`], which does not happen with a key that exists.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        let pair = KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        let pem = pair.to_pkcs8_pem(LineEnding::LF).map_err(|e| KeyError::Private(e.to_string()))?;
        Ok(pem.as_str().to_owned())
    }

    /// Returns the public key.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; Signature::BYTE_SIZE] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public().id())
    }
}

/// A public key. Its text is `ed25519:` and the raw key in base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Returns the key's id: the first 16 hexadecimal digits of the SHA-256 of the raw key.
    pub fn id(&self) -> String {
        let mut id = hex::encode(Sha256::digest(self.0.as_bytes()));
        id.truncate(ID_DIGITS);
        id
    }

    /// Returns whether the signature is this key's for the message.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        // `verify_strict` refuses weak keys and second signatures of the same message.
        Signature::from_slice(signature).is_ok_and(|signature| self.0.verify_strict(message, &signature).is_ok())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.0.as_bytes()))
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let refuse = |reason| KeyError::Public { text: text.to_owned(), reason };
        let encoded = text.strip_prefix(PREFIX).ok_or_else(|| refuse("it does not begin with ed25519:"))?;
        let raw = STANDARD.decode(encoded).map_err(|_| refuse("it is not base64"))?;
        let raw: [u8; 32] = raw.try_into().map_err(|_| refuse("it is not 32 bytes long"))?;
        let key = VerifyingKey::from_bytes(&raw).map_err(|_| refuse("it is not a point of the curve"))?;
        if key.is_weak() {
            return Err(refuse("it would accept anybody's signature"));
        }
        Ok(Self(key))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Made by `openssl genpkey -algorithm ed25519`, OpenSSL 3.0, for these tests only.
    pub(crate) const OPENSSL_PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
MC4CAQAwBQYDK2VwBCIEILJjHrvQX3uY9vd1DN16nAWbvZ4HiLj0s6z6CU+yU88u\n\
-----END PRIVATE KEY-----\n";

    /// The output of `openssl pkey -pubout -outform DER` for it, without the header of 12 bytes.
    const OPENSSL_PUBLIC: &str = "ed25519:ViXEkxNrI00LSoKZdAuocJHOmKIqORsxmBsgWnUR8tk=";

    #[test]
    fn a_key_made_by_openssl_is_read_and_written_as_openssl_writes_it() {
        let key = SigningKey::from_pem(OPENSSL_PEM).unwrap();
        assert_eq!(key.public().to_string(), OPENSSL_PUBLIC);
        assert_eq!(key.to_pem().unwrap(), OPENSSL_PEM);
    }

    #[test]
    fn the_id_is_the_beginning_of_the_keys_digest() {
        let key: PublicKey = OPENSSL_PUBLIC.parse().unwrap();
        assert_eq!(key.id(), "ad98a2272f73738b");
    }

    #[test]
    fn two_new_keys_differ_and_can_be_read_from_their_text() {
        let (one, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        assert_ne!(one.public(), other.public());
        assert_eq!(SigningKey::from_pem(&one.to_pem().unwrap()).unwrap().public(), one.public());
        assert_eq!(one.public().to_string().parse::<PublicKey>().unwrap(), one.public());
    }

    #[test]
    fn a_private_key_is_never_displayed() {
        let key = SigningKey::from_pem(OPENSSL_PEM).unwrap();
        assert_eq!(format!("{key:?}"), "SigningKey(ad98a2272f73738b)");
        let error = SigningKey::from_pem(&OPENSSL_PEM.replace("PRIVATE", "SECRET")).unwrap_err().to_string();
        assert!(error.contains("stagehost keys new"), "{error}");
        assert!(!error.contains(&OPENSSL_PEM[30..60]), "{error}");
    }
}
