#![allow(clippy::unwrap_used)]
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::keys::tests::OPENSSL_PEM;

/// The example of DSSE's `protocol.md`.
const TYPE: &str = "http://example.com/HelloWorld";
const PAYLOAD: &[u8] = b"hello world";
const ENCODED: &[u8] = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world";

/// `openssl pkeyutl -sign -rawin` of [`ENCODED`] with the key of [`OPENSSL_PEM`].
const OPENSSL_SIGNATURE: &str =
    "8I9264idZun7ZEEz0FiOBgw5jUiiME7J/zr0uWabr9Qt99ZnqSC1lU9ThiZZdBymcO/Zn/x9oJNeo4fp3WX2Aw==";

fn key() -> SigningKey {
    SigningKey::from_pem(OPENSSL_PEM).unwrap()
}

fn trusting(keys: &[&SigningKey]) -> TrustedKeys {
    keys.iter().map(|key| key.public()).collect()
}

fn sealed() -> Value {
    serde_json::from_slice(&seal(TYPE, PAYLOAD, &key())).unwrap()
}

fn refusal(envelope: &Value, trusted: &TrustedKeys) -> EnvelopeError {
    open(envelope.to_string().as_bytes(), TYPE, trusted).unwrap_err()
}

#[test]
fn the_signed_bytes_are_those_of_the_protocols_example() {
    assert_eq!(pre_authentication_encoding(TYPE, PAYLOAD), ENCODED);
    assert_eq!(sealed()["payload"], "aGVsbG8gd29ybGQ=");
    assert_eq!(sealed()["payloadType"], TYPE);
}

#[test]
fn the_signature_equals_the_one_of_openssl() {
    assert_eq!(sealed()["signatures"], json!([{"keyid": key().public().id(), "sig": OPENSSL_SIGNATURE}]));
}

#[test]
fn opening_a_sealed_envelope_returns_payload_and_signer() {
    let other = SigningKey::generate().unwrap();
    let opened = open_signed(&seal(TYPE, PAYLOAD, &key()), TYPE, &trusting(&[&other, &key()]), None).unwrap();
    assert_eq!(opened, Opened { payload: PAYLOAD.to_vec(), signer: key().public() });
}

#[test]
fn an_envelope_with_url_safe_base64_no_key_id_and_unknown_fields_is_opened() {
    // A payload whose base64 has both characters in which the alphabets differ.
    let payload = [0xfb, 0xff, 0xfe, 0x3e];
    let mut envelope: Value = serde_json::from_slice(&seal(TYPE, &payload, &key())).unwrap();
    let url_safe = |text: &Value| text.as_str().unwrap().replace('+', "-").replace('/', "_").replace('=', "");
    let (body, sig) = (url_safe(&envelope["payload"]), url_safe(&envelope["signatures"][0]["sig"]));
    assert!(body.contains('-') && body.contains('_'), "{body}");
    envelope = json!({"payload": body, "payloadType": TYPE, "signatures": [{"sig": sig, "cert": "x"}], "more": 1});
    assert_eq!(open(envelope.to_string().as_bytes(), TYPE, &trusting(&[&key()])).unwrap(), payload);
}

#[test]
fn one_signature_by_a_trusted_key_is_enough() {
    let other = SigningKey::generate().unwrap();
    let mut envelope: Value = serde_json::from_slice(&seal(TYPE, PAYLOAD, &other)).unwrap();
    let ours = sealed()["signatures"][0].clone();
    envelope["signatures"].as_array_mut().unwrap().push(ours);
    assert!(open(envelope.to_string().as_bytes(), TYPE, &trusting(&[&key()])).is_ok());
}

#[test]
fn texts_that_are_not_envelopes_are_refused() {
    let trusted = trusting(&[&key()]);
    let mut no_base64 = sealed();
    no_base64["payload"] = json!("***");
    for text in ["", "{}", "[]", "revision: 1", r#"{"revision": 1, "states": {}}"#, &no_base64.to_string()] {
        let error = open(text.as_bytes(), TYPE, &trusted).unwrap_err();
        assert!(error.to_string().starts_with("not a signed envelope: "), "{error}");
    }
}

#[test]
fn a_signature_for_one_kind_of_document_is_not_valid_for_another() {
    let mut envelope = sealed();
    let error = open(envelope.to_string().as_bytes(), "application/other", &trusting(&[&key()])).unwrap_err();
    assert!(matches!(&error, EnvelopeError::PayloadType { found, .. } if found == TYPE), "{error}");
    envelope["payloadType"] = json!("application/other");
    let error = open(envelope.to_string().as_bytes(), "application/other", &trusting(&[&key()])).unwrap_err();
    assert!(matches!(error, EnvelopeError::Mismatch { .. }), "{error}");
}

#[test]
fn an_envelope_without_a_signature_is_refused() {
    let mut envelope = sealed();
    envelope["signatures"] = json!([]);
    assert_eq!(refusal(&envelope, &trusting(&[&key()])), EnvelopeError::Unsigned);
}

#[test]
fn a_signature_by_a_key_that_is_not_trusted_is_refused_and_the_key_named() {
    let other = SigningKey::generate().unwrap();
    let message = refusal(&sealed(), &trusting(&[&other])).to_string();
    assert!(message.contains(&key().public().id()) && message.contains(&other.public().id()), "{message}");
    assert!(message.contains("not trusted"), "{message}");
}

#[test]
fn a_key_is_accepted_for_its_roles_only() {
    let trusted: TrustedKeys = format!("stages:{}", key().public()).parse().unwrap();
    let text = sealed().to_string();
    let opened = |role| open_signed(text.as_bytes(), TYPE, &trusted, role);
    assert!(opened(Some(KeyRole::Stages)).is_ok() && opened(None).is_ok());
    let error = opened(Some(KeyRole::Pins)).unwrap_err().to_string();
    assert!(error.contains(&key().public().id()) && error.contains("not trusted to change pins"), "{error}");
    assert!(error.contains("is stages;"), "{error}");
}

#[test]
fn of_two_signatures_the_one_with_the_role_counts() {
    let operator = SigningKey::generate().unwrap();
    let trusted: TrustedKeys = format!("stages:{},pins:{}", key().public(), operator.public()).parse().unwrap();
    let mut envelope = sealed();
    let second: Value = serde_json::from_slice(&seal(TYPE, PAYLOAD, &operator)).unwrap();
    envelope["signatures"].as_array_mut().unwrap().push(second["signatures"][0].clone());
    let opened = open_signed(envelope.to_string().as_bytes(), TYPE, &trusted, Some(KeyRole::Pins)).unwrap();
    assert_eq!(opened.signer, operator.public());
}

#[test]
fn a_changed_document_by_a_key_of_another_role_is_refused_as_changed() {
    let trusted: TrustedKeys = format!("stages:{}", key().public()).parse().unwrap();
    let mut envelope = sealed();
    envelope["payload"] = json!(STANDARD.encode("hello w0rld"));
    let error = open_signed(envelope.to_string().as_bytes(), TYPE, &trusted, Some(KeyRole::Pins)).unwrap_err();
    assert!(matches!(error, EnvelopeError::Mismatch { .. }), "{error}");
}

#[test]
fn without_trusted_keys_everything_is_refused() {
    let error = refusal(&sealed(), &TrustedKeys::default());
    assert!(matches!(error, EnvelopeError::NobodyTrusted { .. }), "{error}");
    assert!(error.to_string().contains("TRUSTED_KEYS"), "{error}");
}

#[test]
fn another_payload_under_the_same_signature_is_refused() {
    let mut envelope = sealed();
    envelope["payload"] = json!(STANDARD.encode("hello w0rld"));
    let error = refusal(&envelope, &trusting(&[&key()]));
    assert!(matches!(&error, EnvelopeError::Mismatch { signers } if *signers == key().public().id()), "{error}");
}

#[test]
fn an_unknown_signer_with_a_trusted_keys_id_is_refused() {
    let stranger = SigningKey::generate().unwrap();
    let mut envelope: Value = serde_json::from_slice(&seal(TYPE, PAYLOAD, &stranger)).unwrap();
    envelope["signatures"][0]["keyid"] = json!(key().public().id());
    assert!(matches!(refusal(&envelope, &trusting(&[&key()])), EnvelopeError::Mismatch { .. }));
    envelope["signatures"][0].as_object_mut().unwrap().remove("keyid");
    assert!(matches!(refusal(&envelope, &trusting(&[&key()])), EnvelopeError::Mismatch { .. }));
}

#[test]
fn an_envelope_with_a_thousand_signatures_is_refused() {
    let mut envelope = sealed();
    let one = envelope["signatures"][0].clone();
    envelope["signatures"] = vec![one; 1000].into();
    assert!(matches!(refusal(&envelope, &trusting(&[&key()])), EnvelopeError::NotAnEnvelope(_)));
}

proptest! {
    /// Changes in white space or in ignored names may leave the payload as it is.
    #[test]
    fn a_changed_byte_is_refused_or_leaves_the_payload(
        payload in prop::collection::vec(any::<u8>(), 0..200),
        at in any::<prop::sample::Index>(),
        flip in 1u8..,
    ) {
        let mut text = seal(TYPE, &payload, &key());
        let at = at.index(text.len());
        text[at] ^= flip;
        if let Ok(opened) = open(&text, TYPE, &trusting(&[&key()])) {
            prop_assert_eq!(opened, payload);
        }
    }

    #[test]
    fn arbitrary_bytes_are_refused(text in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(open(&text, TYPE, &trusting(&[&key()])).is_err());
    }

    #[test]
    fn any_sealed_payload_is_opened_again(payload in prop::collection::vec(any::<u8>(), 0..2000), payload_type in ".{0,40}") {
        let trusted = trusting(&[&key()]);
        prop_assert_eq!(open(&seal(&payload_type, &payload, &key()), &payload_type, &trusted).unwrap(), payload);
    }
}
