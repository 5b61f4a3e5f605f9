//! The callback's secret, which cannot be printed by mistake, and the signatures made with it.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::SecretError;

/// The secret shared with the backend. It can only sign: `Debug` does not show it, and its memory is overwritten when
/// it is dropped.
///
/// A secret is either `whsec_` and base64, by the Standard Webhooks specification, or any other text. `X-Toq-Signature`
/// is made with the text as it is; `webhook-signature` is made with the decoded bytes of a `whsec_` secret, or with any
/// other text as it is.
#[derive(Clone)]
pub struct Secret {
    text: Zeroizing<String>,
    key: Zeroizing<Vec<u8>>,
}

/// The prefix of a secret by the Standard Webhooks specification.
const PREFIX: &str = "whsec_";

/// Accepts base64 without its padding, which is easily lost when a secret is copied.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Secret {
    /// Returns the secret `text`, without white space around it, such as the line end of a file.
    ///
    /// # Errors
    /// [`SecretError`] if it is empty, or begins with `whsec_` and is not base64.
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

    /// Returns whether `other` is the same secret. Both are the host's own, so the comparison need not take constant
    /// time.
    pub(crate) fn is(&self, other: &Secret) -> bool {
        self.text == other.text
    }

    /// Returns `X-Toq-Signature`: the HMAC-SHA256 of the raw body in hexadecimal.
    pub(crate) fn toq_signature(&self, body: &[u8]) -> String {
        hex::encode(hmac(self.text.as_bytes(), &[body]))
    }

    /// Returns `webhook-signature`: the version and the HMAC-SHA256 of `id.timestamp.body` in base64.
    pub(crate) fn webhook_signature(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let mac = hmac(&self.key, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body]);
        format!("v1,{}", base64::engine::general_purpose::STANDARD.encode(mac))
    }
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // Never an error: HMAC accepts a key of any length.
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
    fn an_empty_or_broken_secret_is_an_error() {
        for text in ["", "  \n", "whsec_"] {
            assert_eq!(Secret::new(text).unwrap_err(), SecretError::Empty, "{text:?}");
        }
        assert_eq!(Secret::new("whsec_***").unwrap_err(), SecretError::NotBase64);
    }

    #[test]
    fn debug_output_does_not_show_the_secret() {
        let printed = format!("{:?}", Some(Secret::new("Jefe").unwrap()));
        assert_eq!(printed, "Some(Secret(…))");
    }

    #[test]
    fn a_line_end_after_the_secret_is_ignored() {
        assert_eq!(
            Secret::new("Jefe\n").unwrap().toq_signature(b"a"),
            Secret::new("Jefe").unwrap().toq_signature(b"a")
        );
    }
}
