//! Signed envelopes: DSSE, the Dead Simple Signing Envelope (<https://github.com/secure-systems-lab/dsse>), which
//! in-toto and Sigstore use as well.
//!
//! The payload's bytes are signed as they are, so that no canonical form is needed. The payload's type is signed with
//! them, so that a signature for one kind of document is not valid for another.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::engine::{DecodePaddingMode, general_purpose};
use serde::{Deserialize, Serialize};

use crate::keys::{PublicKey, SigningKey};
use crate::trusted_keys::{KeyRole, KeyRoles, TrustedKeys};

/// DSSE requires readers to accept standard and URL-safe base64.
const LENIENT: GeneralPurposeConfig = general_purpose::PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent);
const READ_STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const READ_URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The most signatures of an envelope. Each one costs time to check.
const MAX_SIGNATURES: usize = 16;

/// Why an envelope is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EnvelopeError {
    /// The text is not an envelope.
    #[error("not a signed envelope: {0}")]
    NotAnEnvelope(String),
    /// The payload is of another type.
    #[error("an envelope of {found:?}, not of {expected:?}")]
    PayloadType {
        /// The payload's type.
        found: String,
        /// The expected type.
        expected: String,
    },
    /// The envelope has no signature.
    #[error("the envelope has no signature")]
    Unsigned,
    /// There are no trusted keys.
    #[error("signed by the key {signers}, but no key is trusted here; add its public key to TRUSTED_KEYS")]
    NobodyTrusted {
        /// Ids of the signing keys.
        signers: String,
    },
    /// None of the signing keys is trusted.
    #[error("signed by the key {signers}, which is not trusted; trusted are {trusted}")]
    Untrusted {
        /// Ids of the signing keys, as the envelope names them.
        signers: String,
        /// Ids of the trusted keys.
        trusted: String,
    },
    /// The signature is valid, but its key is trusted for something else.
    #[error(
        "signed by the key {signer}, which is not trusted to {}: its role in TRUSTED_KEYS is {roles}; sign with a key that is",
        .needed.purpose()
    )]
    Role {
        /// The id of the signing key.
        signer: String,
        /// What it is trusted for.
        roles: KeyRoles,
        /// What it would have to be trusted for.
        needed: KeyRole,
    },
    /// A trusted key's signature is not valid for this content.
    #[error("the signature by {signers} does not match the content: one of them has been changed")]
    Mismatch {
        /// Ids of the signing keys.
        signers: String,
    },
}

/// The content of a verified envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The signed bytes.
    pub payload: Vec<u8>,
    /// The key that signed them.
    pub signer: PublicKey,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Serialize, Deserialize)]
struct Signature {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keyid: Option<String>,
    sig: String,
}

/// Returns an envelope with `payload`, signed as a document of `payload_type`: JSON with a line break at its end.
pub fn seal(payload_type: &str, payload: &[u8], key: &SigningKey) -> Vec<u8> {
    let sig = STANDARD.encode(key.sign(&pre_authentication_encoding(payload_type, payload)));
    let envelope = serde_json::json!({
        "payloadType": payload_type,
        "payload": STANDARD.encode(payload),
        "signatures": [{"keyid": key.public().id(), "sig": sig}],
    });
    format!("{envelope:#}\n").into_bytes()
}

/// Returns the payload of an envelope that any trusted key has signed, whatever its role.
///
/// # Errors
/// If it is not of `payload_type`, or not signed by a trusted key.
pub fn open(text: &[u8], payload_type: &str, trusted: &TrustedKeys) -> Result<Vec<u8>, EnvelopeError> {
    open_signed(text, payload_type, trusted, None).map(|opened| opened.payload)
}

/// Returns the payload of an envelope and its signer, which must be trusted for `role`; `None` accepts every role.
///
/// # Errors
/// As [`open`], and [`EnvelopeError::Role`] if every valid signature is by a key of another role.
pub fn open_signed(
    text: &[u8],
    payload_type: &str,
    trusted: &TrustedKeys,
    role: Option<KeyRole>,
) -> Result<Opened, EnvelopeError> {
    let envelope: Envelope = serde_json::from_slice(text).map_err(|e| EnvelopeError::NotAnEnvelope(e.to_string()))?;
    if envelope.payload_type != payload_type {
        return Err(EnvelopeError::PayloadType { found: envelope.payload_type, expected: payload_type.to_owned() });
    }
    let payload = decoded(&envelope.payload)
        .ok_or_else(|| EnvelopeError::NotAnEnvelope("its payload is not base64".to_owned()))?;
    if envelope.signatures.is_empty() {
        return Err(EnvelopeError::Unsigned);
    }
    if envelope.signatures.len() > MAX_SIGNATURES {
        return Err(EnvelopeError::NotAnEnvelope(format!("it has more than {MAX_SIGNATURES} signatures")));
    }

    let message = pre_authentication_encoding(payload_type, &payload);
    let mut by_trusted = Vec::new();
    let mut other_role = None;
    for signature in &envelope.signatures {
        // The id is only a hint for which key to try. Without it, all keys are tried.
        let candidates: Vec<_> = match &signature.keyid {
            Some(id) => trusted.get(id).into_iter().collect(),
            None => trusted.iter().collect(),
        };
        let Some(bytes) = decoded(&signature.sig) else {
            by_trusted.extend(candidates.into_iter().map(|known| known.key.id()));
            continue;
        };
        match (candidates.iter().find(|known| known.key.verifies(&message, &bytes)), role) {
            (Some(signer), Some(needed)) if !signer.roles.allow(needed) => {
                other_role = Some(EnvelopeError::Role { signer: signer.key.id(), roles: signer.roles, needed });
            }
            (Some(signer), _) => return Ok(Opened { payload, signer: signer.key }),
            (None, _) => by_trusted.extend(candidates.iter().map(|known| known.key.id())),
        }
    }
    if let Some(refusal) = other_role {
        return Err(refusal);
    }
    if !by_trusted.is_empty() {
        by_trusted.dedup();
        return Err(EnvelopeError::Mismatch { signers: by_trusted.join(", ") });
    }
    let signers: Vec<_> = envelope.signatures.iter().map(|s| s.keyid.as_deref().unwrap_or("(unnamed)")).collect();
    let signers = signers.join(", ");
    if trusted.is_empty() {
        return Err(EnvelopeError::NobodyTrusted { signers });
    }
    let trusted: Vec<_> = trusted.iter().map(|known| known.key.id()).collect();
    Err(EnvelopeError::Untrusted { signers, trusted: trusted.join(", ") })
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    READ_STANDARD.decode(text).or_else(|_| READ_URL_SAFE.decode(text)).ok()
}

/// Returns the bytes that are signed (DSSE protocol, "PAE"). They contain the lengths, so that no byte can be moved
/// between type and payload.
fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests;
