//! Replaces signing keys: the documents of a version are signed with a new key, their content unchanged.
//!
//! The old key must still be trusted here, because only documents with a trusted signature are signed again. Hosts must
//! trust both keys until all documents are replaced.

use serde::Serialize;
use serde_json::Value;
use stagehost_storage::Found;

use crate::documents::{ArtifactRecord, Document, Manifest, Yanked, reseal};
use crate::error::RegistryError;
use crate::keys::{PublicKey, SigningKey};
use crate::name::StageId;
use crate::registry::{Registry, label_parts, manifest_name, record_name, yanked_name};
use crate::trusted_keys::TrustedKeys;

/// How often a document is tried that somebody else changes at the same time.
const TRIES: usize = 4;

/// A document that the new key has signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resigned {
    /// `manifest`, `artifact record`, `yanking`
    pub called: &'static str,
    /// Where it is.
    pub place: String,
    /// The id of the key that signed it before; `None` if the new key had signed it already.
    pub before: Option<String>,
}

/// Checks a document of one kind: its text, its place, the accepted keys.
type Opens<'a> = dyn Fn(&[u8], &str, &TrustedKeys) -> Result<(), RegistryError> + Send + Sync + 'a;

impl Registry {
    /// Signs all documents of a version with `key`: artifact records, the yanked mark, then the manifest. Documents that
    /// this key has signed already stay as they are, so an interrupted call can be repeated.
    ///
    /// # Errors
    /// If there is no such version, or a document is not signed by a trusted key or cannot be written. The documents
    /// before it have been signed.
    pub async fn resign(&self, id: &StageId, key: &SigningKey) -> Result<Vec<Resigned>, RegistryError> {
        let component = self.manifest(id).await?.component.digest;
        let mut done = Vec::new();
        for label in self.record_labels(&component).await? {
            let unknown = || RegistryError::UnknownArtifact { label: label.clone() };
            let (target, engine) = label_parts(&label).ok_or_else(unknown)?;
            let opens = |text: &[u8], place: &str, trusted: &TrustedKeys| {
                ArtifactRecord::open(text, place, &component, (target, engine), trusted).map(drop)
            };
            let name = record_name(&component, target, engine)?;
            done.extend(self.resign_one::<ArtifactRecord>(&name, key, &opens, unchanged).await?);
        }
        let opens = |text: &[u8], place: &str, trusted: &TrustedKeys| Yanked::open(text, place, id, trusted).map(drop);
        done.extend(self.resign_one::<Yanked>(&yanked_name(id), key, &opens, unchanged).await?);
        // Last, so that a new signature on the manifest means that all others are done.
        let opens =
            |text: &[u8], place: &str, trusted: &TrustedKeys| Manifest::open(text, place, id, trusted).map(drop);
        done.extend(self.resign_one::<Manifest>(&manifest_name(id), key, &opens, published_by).await?);
        Ok(done)
    }

    /// Signs one document; returns `None` if it does not exist.
    async fn resign_one<D: Document>(
        &self,
        name: &str,
        key: &SigningKey,
        opens: &Opens<'_>,
        payload: fn(Vec<u8>, &PublicKey) -> Vec<u8>,
    ) -> Result<Option<Resigned>, RegistryError> {
        let place = self.storage.place(name);
        let own = TrustedKeys::from_iter([key.public()]);
        for _ in 0..TRIES {
            let Found::Found { bytes, tag } = self.storage.get(name, None).await? else { return Ok(None) };
            if opens(&bytes, &place, &own).is_ok() {
                return Ok(Some(Resigned { called: D::CALLED, place, before: None }));
            }
            opens(&bytes, &place, &self.trusted)?;
            let (sealed, before) = reseal::<D>(&bytes, &place, &self.trusted, key, payload)?;
            if self.storage.replace(name, sealed.into(), &tag).await?.is_some() {
                return Ok(Some(Resigned { called: D::CALLED, place, before: Some(before.id()) }));
            }
        }
        Err(RegistryError::Contended { place })
    }
}

/// Keeps the payload.
fn unchanged(payload: Vec<u8>, _: &PublicKey) -> Vec<u8> {
    payload
}

/// Names the new signer in a manifest. Unknown fields stay.
fn published_by(payload: Vec<u8>, signer: &PublicKey) -> Vec<u8> {
    match serde_json::from_slice(&payload) {
        Ok(Value::Object(mut fields)) => {
            fields.insert("publisher".to_owned(), signer.id().into());
            Value::Object(fields).to_string().into_bytes()
        }
        // Cannot happen: the payload was read as a manifest before.
        _ => payload,
    }
}
