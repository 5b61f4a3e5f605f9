//! The two signatures of every callback. Both are checked.
//!
//! `X-Toq-Signature` is the older one: hexadecimal HMAC-SHA256 of the body. It does not include the time, so a recorded
//! callback could be sent again at any time. The three headers of the Standard Webhooks specification
//! (standardwebhooks.com) bind the body to an id and a time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use sha2::Sha256;

/// The largest difference between the clocks of sender and receiver, in seconds.
const TOLERANCE: i64 = 300;
/// The longest `webhook-id`, in bytes.
const MAX_ID: usize = 256;
/// Base64 with optional padding: people who copy a secret may lose the padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The secret that the sender uses as well. `Debug` does not show it.
///
/// It is `whsec_` and base64, as in the Standard Webhooks specification, or any other text. `X-Toq-Signature` uses the
/// text as key. `webhook-signature` uses the decoded bytes of a `whsec_` secret, and the text of any other.
#[derive(Clone)]
pub struct WebhookSecret {
    text: Vec<u8>,
    key: Vec<u8>,
}

/// Why a text cannot be the secret. The message does not contain the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookSecretError {
    /// The secret is empty: anybody could sign.
    #[error("the webhook secret is empty: set one, or leave it unset to generate one")]
    Empty,
    /// The text after `whsec_` is not base64.
    #[error("the webhook secret begins with whsec_, but the rest is not base64")]
    NotBase64,
}

impl WebhookSecret {
    /// Returns the secret of a text without the white space around it.
    ///
    /// # Errors
    /// [`WebhookSecretError`].
    pub fn new(text: &str) -> Result<Self, WebhookSecretError> {
        let text = text.trim();
        let key = match text.strip_prefix("whsec_") {
            Some(encoded) => LENIENT.decode(encoded).map_err(|_| WebhookSecretError::NotBase64)?,
            None => text.as_bytes().to_vec(),
        };
        if key.is_empty() {
            return Err(WebhookSecretError::Empty);
        }
        Ok(Self { text: text.as_bytes().to_vec(), key })
    }

    /// Returns a secret of 32 random bytes, and its text.
    pub fn random() -> (Self, String) {
        let mut bytes = Vec::with_capacity(32);
        // Version 4 UUIDs have 122 bits of the system's random generator each.
        for _ in 0..2 {
            bytes.extend_from_slice(uuid::Uuid::new_v4().as_bytes());
        }
        let text = format!("whsec_{}", STANDARD.encode(&bytes));
        (Self { text: text.clone().into_bytes(), key: bytes }, text)
    }

    /// Returns the hexadecimal HMAC-SHA256 of the body.
    pub fn sign_body(&self, body: &[u8]) -> String {
        hex::encode(mac(&self.text, &[body]).finalize().into_bytes())
    }

    /// Returns `v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`.
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
    #[allow(clippy::expect_used)] // HMAC hashes long keys and pads short ones.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    for part in parts {
        mac.update(part);
    }
    mac
}

/// Why a callback is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A header is missing or is given twice.
    #[error("the header {0} must be given exactly once")]
    Header(&'static str),
    /// A header is malformed.
    #[error("the header {0} is malformed")]
    Form(&'static str),
    /// The clocks differ too much, or an old callback was sent again.
    #[error("the callback's time differs by {0} s from this machine's, which is more than 300 s")]
    Time(u64),
    /// The signature was made with another secret or for another body.
    #[error("the signature in {0} does not match this body and the receiver's secret")]
    Signature(&'static str),
}

/// Checks both signatures and the time, and returns the id of the message.
///
/// # Errors
/// [`SignatureError`].
pub(super) fn verify(
    secret: &WebhookSecret,
    headers: &HeaderMap,
    body: &[u8],
    now: i64,
) -> Result<String, SignatureError> {
    let toq = single(headers, "x-toq-signature")?;
    let id = single(headers, "webhook-id")?;
    let timestamp = single(headers, "webhook-timestamp")?;
    let signatures = single(headers, "webhook-signature")?;

    let toq = hex::decode(toq).map_err(|_| SignatureError::Form("x-toq-signature"))?;
    // Both are compared in constant time.
    mac(&secret.text, &[body]).verify_slice(&toq).map_err(|_| SignatureError::Signature("x-toq-signature"))?;

    if id.is_empty() || id.len() > MAX_ID {
        return Err(SignatureError::Form("webhook-id"));
    }
    let digits = !timestamp.is_empty() && timestamp.len() <= 12 && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let time: i64 = timestamp.parse().ok().filter(|_| digits).ok_or(SignatureError::Form("webhook-timestamp"))?;
    let expected = mac(&secret.key, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body]);
    // While a sender changes its secret, it signs with both, separated by a space.
    let matches = signatures
        .split(' ')
        .filter_map(|signature| signature.strip_prefix("v1,"))
        .filter_map(|signature| STANDARD.decode(signature).ok())
        .any(|signature| expected.clone().verify_slice(&signature).is_ok());
    if !matches {
        return Err(SignatureError::Signature("webhook-signature"));
    }
    let apart = time.abs_diff(now);
    if apart > TOLERANCE.unsigned_abs() {
        return Err(SignatureError::Time(apart));
    }
    Ok(id.to_owned())
}

/// Returns a header that is given exactly once: of two values, checks and readers could use different ones.
fn single<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, SignatureError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| SignatureError::Form(name)),
        _ => Err(SignatureError::Header(name)),
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
    fn a_callback_with_both_signatures_is_accepted() {
        let secret = WebhookSecret::new("s3cret").unwrap();
        let headers = headers(&secret, "msg_1", NOW, b"{}");
        assert_eq!(verify(&secret, &headers, b"{}", NOW + 299).unwrap(), "msg_1");
    }

    #[test]
    fn a_callback_without_one_of_the_headers_is_refused() {
        let secret = WebhookSecret::new("s3cret").unwrap();
        for name in ["x-toq-signature", "webhook-id", "webhook-timestamp", "webhook-signature"] {
            let mut headers = headers(&secret, "msg_1", NOW, b"{}");
            let value = headers.remove(name).unwrap();
            assert_eq!(verify(&secret, &headers, b"{}", NOW).unwrap_err(), SignatureError::Header(name));
            headers.append(name, value.clone());
            headers.append(name, value);
            assert_eq!(verify(&secret, &headers, b"{}", NOW).unwrap_err(), SignatureError::Header(name), "twice");
        }
    }

    #[test]
    fn a_signature_with_another_secret_is_refused() {
        let (ours, theirs) = (WebhookSecret::new("ours").unwrap(), WebhookSecret::new("theirs").unwrap());
        let signed = headers(&theirs, "msg_1", NOW, b"{}");
        assert_eq!(verify(&ours, &signed, b"{}", NOW).unwrap_err(), SignatureError::Signature("x-toq-signature"));
        // One correct signature is not enough.
        let mut half = signed;
        half.insert("x-toq-signature", ours.sign_body(b"{}").parse().unwrap());
        assert_eq!(verify(&ours, &half, b"{}", NOW).unwrap_err(), SignatureError::Signature("webhook-signature"));
    }

    #[test]
    fn an_old_callback_cannot_be_sent_again_or_given_another_time() {
        let secret = WebhookSecret::new("s3cret").unwrap();
        let mut headers = headers(&secret, "msg_1", NOW, b"{}");
        for now in [NOW + 301, NOW - 301] {
            assert_eq!(verify(&secret, &headers, b"{}", now).unwrap_err(), SignatureError::Time(301));
        }
        headers.insert("webhook-timestamp", (NOW + 301).to_string().parse().unwrap());
        assert_eq!(
            verify(&secret, &headers, b"{}", NOW + 301).unwrap_err(),
            SignatureError::Signature("webhook-signature")
        );
    }

    #[test]
    fn an_empty_secret_is_an_error() {
        for text in ["", "  \n", "whsec_"] {
            assert_eq!(WebhookSecret::new(text).unwrap_err(), WebhookSecretError::Empty);
        }
        assert_eq!(WebhookSecret::new("whsec_***").unwrap_err(), WebhookSecretError::NotBase64);
        let (secret, text) = WebhookSecret::random();
        assert_eq!(WebhookSecret::new(&text).unwrap().sign_body(b"x"), secret.sign_body(b"x"));
        assert!(!format!("{secret:?}").contains(&text));
    }

    proptest! {
        #[test]
        fn a_changed_body_is_never_accepted(body in proptest::collection::vec(any::<u8>(), 1..64), at in any::<prop::sample::Index>(), flip in 1u8..=255) {
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
                let accepted = verify(&secret, &headers, b"{}", NOW).is_ok();
                prop_assert!(!accepted);
            }
        }
    }
}
