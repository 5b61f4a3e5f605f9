//! A secret that cannot be printed by mistake.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The secret shared with the backend. `Debug` shows nothing of it, the memory is overwritten when it is dropped, and
/// all that can be done with it is to sign.
///
/// Two forms: `whsec_` and base64, as the Standard Webhooks specification has it, or any other text. The `whsec_` form
/// is the text itself for `X-Toq-Signature`, which the backend knew before, and the decoded bytes for
/// `webhook-signature`; any other text is itself in both.
#[derive(Clone)]
pub struct Secret {
    text: Zeroizing<String>,
    key: Zeroizing<Vec<u8>>,
}

/// Why a text cannot serve as the secret. Says nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// With an empty secret anybody could sign.
    #[error("the callback secret is empty")]
    Empty,
    /// `whsec_` promises base64.
    #[error("the callback secret begins with whsec_ but what follows is not base64")]
    NotBase64,
}

/// Prefix of a secret in the form of the Standard Webhooks specification.
const PREFIX: &str = "whsec_";

/// Secrets are copied by people: the padding at the end may be missing.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Secret {
    /// Takes the secret; white space around it (a file's last line) is no part of it.
    ///
    /// # Errors
    /// [`SecretError`], when it is empty or not what its prefix says.
    pub fn new(text: impl Into<String>) -> Result<Self, SecretError> {
        let given = Zeroizing::new(text.into());
        let text = Zeroizing::new(given.trim().to_owned());
        let key = match text.strip_prefix(PREFIX) {
            Some(encoded) => Zeroizing::new(LENIENT.decode(encoded).map_err(|_| SecretError::NotBase64)?),
            None => Zeroizing::new(text.as_bytes().to_vec()),
        };
        if key.is_empty() {
            return Err(SecretError::Empty);
        }
        Ok(Self { text, key })
    }

    /// Whether `other` is the same secret. Both are the host's own, so the comparison need not hide its time.
    pub(crate) fn is(&self, other: &Secret) -> bool {
        self.text == other.text
    }

    /// `X-Toq-Signature`: hexadecimal HMAC-SHA256 of the raw body.
    pub(crate) fn toq_signature(&self, body: &[u8]) -> String {
        hex::encode(hmac(self.text.as_bytes(), &[body]))
    }

    /// `webhook-signature`: base64 HMAC-SHA256 of `id.timestamp.body`, behind its version.
    pub(crate) fn webhook_signature(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let mac = hmac(&self.key, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body]);
        format!("v1,{}", base64::engine::general_purpose::STANDARD.encode(mac))
    }
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // HMAC takes a key of any length; the type does not say so.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_toq_signature_is_the_plain_hmac_of_the_body() {
        // RFC 4231, test case 2.
        let secret = Secret::new("Jefe").unwrap();
        assert_eq!(
            secret.toq_signature(b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn the_webhook_signature_is_that_of_the_standard_webhooks_specification() {
        // The example of the specification's reference libraries.
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature =
            secret.webhook_signature("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn no_secret_is_an_error_and_never_a_signature_that_anybody_could_make() {
        for text in ["", "  \n", "whsec_"] {
            assert_eq!(Secret::new(text).unwrap_err(), SecretError::Empty, "{text:?}");
        }
        assert_eq!(Secret::new("whsec_***").unwrap_err(), SecretError::NotBase64);
    }

    #[test]
    fn a_secret_does_not_show_when_it_is_printed() {
        let printed = format!("{:?}", Some(Secret::new("Jefe").unwrap()));
        assert_eq!(printed, "Some(Secret(…))");
    }

    #[test]
    fn a_line_end_behind_the_secret_is_no_part_of_it() {
        assert_eq!(
            Secret::new("Jefe\n").unwrap().toq_signature(b"a"),
            Secret::new("Jefe").unwrap().toq_signature(b"a")
        );
    }
}
