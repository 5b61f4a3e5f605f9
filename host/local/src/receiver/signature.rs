//! Is this callback ours? The two signatures that every callback carries, both checked.
//!
//! `X-Toq-Signature` is what the backend knew before: hexadecimal HMAC-SHA256 of the body. It says nothing of *when*, so a
//! recorded callback could be sent again for ever. The trio of the Standard Webhooks specification
//! (standardwebhooks.com) binds the body to an id and a time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use sha2::Sha256;

/// How far a callback's clock may be from ours, in seconds, either way.
const TOLERANCE: i64 = 300;
/// The longest `webhook-id`, in bytes.
const LONGEST_ID: usize = 256;
/// Secrets are copied by people: the padding at the end may be missing.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The secret shared with the sender. `Debug` shows nothing of it.
///
/// `whsec_` and base64, as the Standard Webhooks specification writes it, or any other text. The former is the text itself
/// for `X-Toq-Signature` and the decoded bytes for `webhook-signature`; the latter is itself in both.
#[derive(Clone)]
pub struct WebhookSecret {
    text: Vec<u8>,
    key: Vec<u8>,
}

/// Why a text cannot be the secret. Says nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// With an empty secret anybody could sign.
    #[error("the webhook secret is empty: give one, or none at all to have one made")]
    Empty,
    /// `whsec_` promises base64.
    #[error("the webhook secret begins with whsec_ but what follows is not base64")]
    NotBase64,
}

impl WebhookSecret {
    /// Takes a secret; white space around it is no part of it.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn new(text: &str) -> Result<Self, SecretError> {
        let text = text.trim();
        let key = match text.strip_prefix("whsec_") {
            Some(encoded) => LENIENT.decode(encoded).map_err(|_| SecretError::NotBase64)?,
            None => text.as_bytes().to_vec(),
        };
        if key.is_empty() {
            return Err(SecretError::Empty);
        }
        Ok(Self { text: text.as_bytes().to_vec(), key })
    }

    /// A secret of 32 random bytes, and its text.
    pub fn random() -> (Self, String) {
        let mut bytes = Vec::with_capacity(32);
        // Version 4 identifiers come from the system's generator, 122 bits each.
        for _ in 0..2 {
            bytes.extend_from_slice(uuid::Uuid::new_v4().as_bytes());
        }
        let text = format!("whsec_{}", STANDARD.encode(&bytes));
        (Self { text: text.clone().into_bytes(), key: bytes }, text)
    }

    /// Hexadecimal HMAC-SHA256 of the body.
    pub fn sign_body(&self, body: &[u8]) -> String {
        hex::encode(mac(&self.text, &[body]).finalize().into_bytes())
    }

    /// `v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`.
    pub fn sign_message(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mac = mac(&self.key, &[id.as_bytes(), b".", timestamp.to_string().as_bytes(), b".", body]);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    #[allow(clippy::expect_used)] // HMAC hashes a key that is too long and pads one that is too short.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    for part in parts {
        mac.update(part);
    }
    mac
}

/// Why a callback is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// A header is not there, or is there twice.
    #[error("the header {0} should be there once")]
    Header(&'static str),
    /// A header has another form.
    #[error("the header {0} is not of the form that it should be")]
    Form(&'static str),
    /// The clocks are too far apart, or it is an old callback that somebody sends again.
    #[error("the callback's time is {0} s from this machine's, more than 300 s")]
    Time(u64),
    /// Another secret, or another body.
    #[error("the signature in {0} is not that of this body with this receiver's secret")]
    Signature(&'static str),
}

/// Checks everything and returns the message's id.
pub(super) fn verify(secret: &WebhookSecret, headers: &HeaderMap, body: &[u8], now: i64) -> Result<String, Untrusted> {
    let toq = single(headers, "x-toq-signature")?;
    let id = single(headers, "webhook-id")?;
    let timestamp = single(headers, "webhook-timestamp")?;
    let signatures = single(headers, "webhook-signature")?;

    let toq = hex::decode(toq).map_err(|_| Untrusted::Form("x-toq-signature"))?;
    // Compared in constant time, both.
    mac(&secret.text, &[body]).verify_slice(&toq).map_err(|_| Untrusted::Signature("x-toq-signature"))?;

    if id.is_empty() || id.len() > LONGEST_ID {
        return Err(Untrusted::Form("webhook-id"));
    }
    let digits = !timestamp.is_empty() && timestamp.len() <= 12 && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let time: i64 = timestamp.parse().ok().filter(|_| digits).ok_or(Untrusted::Form("webhook-timestamp"))?;
    let expected = mac(&secret.key, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body]);
    // A sender that changes its secret signs with both, separated by spaces.
    let matches = signatures
        .split(' ')
        .filter_map(|signature| signature.strip_prefix("v1,"))
        .filter_map(|signature| STANDARD.decode(signature).ok())
        .any(|signature| expected.clone().verify_slice(&signature).is_ok());
    if !matches {
        return Err(Untrusted::Signature("webhook-signature"));
    }
    let apart = time.abs_diff(now);
    if apart > TOLERANCE.unsigned_abs() {
        return Err(Untrusted::Time(apart));
    }
    Ok(id.to_owned())
}

/// A header that is there exactly once: of two, the checks and the reader might look at different ones.
fn single<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Untrusted> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| Untrusted::Form(name)),
        _ => Err(Untrusted::Header(name)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_614_265_330;

    fn headers(secret: &WebhookSecret, id: &str, time: i64, body: &[u8]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-toq-signature", secret.sign_body(body).parse().unwrap());
        headers.insert("webhook-id", id.parse().unwrap());
        headers.insert("webhook-timestamp", time.to_string().parse().unwrap());
        headers.insert("webhook-signature", secret.sign_message(id, time, body).parse().unwrap());
        headers
    }

    #[test]
    fn the_signatures_are_those_of_the_published_examples() {
        // RFC 4231, test case 2; the example of the Standard Webhooks reference libraries.
        let secret = WebhookSecret::new("Jefe").unwrap();
        assert_eq!(
            secret.sign_body(b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let secret = WebhookSecret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(
            secret.sign_message("msg_p5jXN8AQM9LWM0D4loKWxJek", NOW, br#"{"test": 2432232314}"#),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_callback_with_both_signatures_is_believed() {
        let secret = WebhookSecret::new("s3cret").unwrap();
        let headers = headers(&secret, "msg_1", NOW, b"{}");
        assert_eq!(verify(&secret, &headers, b"{}", NOW + 299).unwrap(), "msg_1");
    }

    #[test]
    fn a_callback_without_any_one_of_the_headers_is_not() {
        let secret = WebhookSecret::new("s3cret").unwrap();
        for name in ["x-toq-signature", "webhook-id", "webhook-timestamp", "webhook-signature"] {
            let mut headers = headers(&secret, "msg_1", NOW, b"{}");
            let value = headers.remove(name).unwrap();
            assert_eq!(verify(&secret, &headers, b"{}", NOW).unwrap_err(), Untrusted::Header(name));
            headers.append(name, value.clone());
            headers.append(name, value);
            assert_eq!(verify(&secret, &headers, b"{}", NOW).unwrap_err(), Untrusted::Header(name), "twice");
        }
    }

    #[test]
    fn a_signature_by_another_secret_is_none() {
        let (ours, theirs) = (WebhookSecret::new("ours").unwrap(), WebhookSecret::new("theirs").unwrap());
        let signed = headers(&theirs, "msg_1", NOW, b"{}");
        assert_eq!(verify(&ours, &signed, b"{}", NOW).unwrap_err(), Untrusted::Signature("x-toq-signature"));
        // One right signature does not make up for the other.
        let mut half = signed;
        half.insert("x-toq-signature", ours.sign_body(b"{}").parse().unwrap());
        assert_eq!(verify(&ours, &half, b"{}", NOW).unwrap_err(), Untrusted::Signature("webhook-signature"));
    }

    #[test]
    fn an_old_callback_cannot_be_sent_again_nor_given_another_time() {
        let secret = WebhookSecret::new("s3cret").unwrap();
        let mut headers = headers(&secret, "msg_1", NOW, b"{}");
        for now in [NOW + 301, NOW - 301] {
            assert_eq!(verify(&secret, &headers, b"{}", now).unwrap_err(), Untrusted::Time(301));
        }
        headers.insert("webhook-timestamp", (NOW + 301).to_string().parse().unwrap());
        assert_eq!(verify(&secret, &headers, b"{}", NOW + 301).unwrap_err(), Untrusted::Signature("webhook-signature"));
    }

    #[test]
    fn no_secret_is_an_error_and_never_one_that_anybody_knows() {
        for text in ["", "  \n", "whsec_"] {
            assert_eq!(WebhookSecret::new(text).unwrap_err(), SecretError::Empty);
        }
        assert_eq!(WebhookSecret::new("whsec_***").unwrap_err(), SecretError::NotBase64);
        let (secret, text) = WebhookSecret::random();
        assert_eq!(WebhookSecret::new(&text).unwrap().sign_body(b"x"), secret.sign_body(b"x"));
        assert!(!format!("{secret:?}").contains(&text));
    }

    proptest! {
        #[test]
        fn a_changed_body_is_never_believed(body in proptest::collection::vec(any::<u8>(), 1..64), at in any::<prop::sample::Index>(), flip in 1u8..=255) {
            let secret = WebhookSecret::new("s3cret").unwrap();
            let headers = headers(&secret, "msg_1", NOW, &body);
            let mut changed = body.clone();
            let at = at.index(changed.len());
            changed[at] ^= flip;
            prop_assert!(verify(&secret, &headers, &body, NOW).is_ok());
            prop_assert!(verify(&secret, &headers, &changed, NOW).is_err());
        }

        #[test]
        fn no_header_panics(value in proptest::collection::vec(any::<u8>(), 0..80), which in 0usize..4) {
            let secret = WebhookSecret::new("s3cret").unwrap();
            let mut headers = headers(&secret, "msg_1", NOW, b"{}");
            let name = ["x-toq-signature", "webhook-id", "webhook-timestamp", "webhook-signature"][which];
            if let Ok(value) = http::HeaderValue::from_bytes(&value) {
                headers.insert(name, value);
                let believed = verify(&secret, &headers, b"{}", NOW).is_ok();
                prop_assert!(!believed);
            }
        }
    }
}
