//! Signed envelopes.

use std::sync::LazyLock;

use serde_json::Value;
use stagehost_registry::{EnvelopeError, PublicKey, SigningKey, StageId, TrustedKeys, hex_of, open, seal};

/// Made for these tests only.
const KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
MC4CAQAwBQYDK2VwBCIEIFNUQUdFSE9TVC1QUk9QRVJUSUVTLVRFU1RTLU9OTFkh\n\
-----END PRIVATE KEY-----\n";

const TYPE: &str = "application/vnd.stagehost.properties+json";

/// The key of the envelopes in the corpus.
static SIGNER: LazyLock<SigningKey> = LazyLock::new(|| match SigningKey::from_pem(KEY) {
    Ok(key) => key,
    Err(error) => panic!("{error}"),
});

/// Only an envelope that the trusted key has signed is opened, for its own type only, and with no byte changed. Any
/// payload is sealed and opened unchanged.
pub fn check(bytes: &[u8]) {
    let trusted: TrustedKeys = [SIGNER.public()].into_iter().collect();
    match open(bytes, TYPE, &trusted) {
        Ok(payload) => {
            // The key has signed nothing else than the envelopes of the corpus, which hold such payloads.
            assert!(payload.starts_with(b"corpus:"), "forged: {payload:?}");
            assert!(open(bytes, "another type", &trusted).is_err(), "opened as another type");
            let nobody = open(bytes, TYPE, &TrustedKeys::default());
            assert!(matches!(nobody, Err(EnvelopeError::NobodyTrusted { .. })), "{nobody:?}");
        }
        Err(error) => assert!(error.to_string().len() < 20_000 + 8 * bytes.len()),
    }
    let sealed = seal(TYPE, bytes, &SIGNER);
    assert_eq!(open(&sealed, TYPE, &trusted).as_deref(), Ok(bytes), "sealed and opened");
    a_changed_envelope_is_refused(&sealed, bytes, &trusted);
    texts_are_read(bytes);
}

fn a_changed_envelope_is_refused(sealed: &[u8], payload: &[u8], trusted: &TrustedKeys) {
    let Ok(mut envelope) = serde_json::from_slice::<Value>(sealed) else { panic!("an envelope is not JSON") };
    let longer = [payload, b"!"].concat();
    let other = seal(TYPE, &longer, &SIGNER);
    let Ok(other) = serde_json::from_slice::<Value>(&other) else { panic!("an envelope is not JSON") };
    envelope["payload"] = other["payload"].clone();
    let opened = open(envelope.to_string().as_bytes(), TYPE, trusted);
    assert!(matches!(opened, Err(EnvelopeError::Mismatch { .. })), "{opened:?}");
}

/// Keys, digests and names of versions.
fn texts_are_read(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(key) = text.parse::<PublicKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(id) = text.parse::<StageId>() {
        assert_eq!(id.to_string(), text);
        assert!(!text.contains(['/', '\\', '\0']) && !text.contains(".."), "{text:?} could leave its folder");
    }
    if let Some(hex) = hex_of(text, "sha256") {
        assert_eq!(format!("sha256:{hex}"), text);
    }
    if let Ok(keys) = text.parse::<TrustedKeys>() {
        for same in [format!("{text},{text}"), format!("\n{text}\n")] {
            assert_eq!(same.parse::<TrustedKeys>().as_ref(), Ok(&keys), "{same:?}");
        }
    }
}
