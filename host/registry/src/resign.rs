//! From one key to the next: what is said of a version is signed anew, and goes on saying the same.
//!
//! The old key has to be trusted here while this is done, or nobody could tell what may be signed. Hosts trust both keys
//! from before the first document is replaced until after the last one is.

use serde::Serialize;
use serde_json::Value;
use stagehost_storage::Found;

use crate::documents::{ArtifactRecord, Document, Manifest, Yanked, reseal};
use crate::error::RegistryError;
use crate::keys::{PublicKey, SigningKey, TrustedKeys};
use crate::name::StageId;
use crate::registry::{Registry, label_parts, manifest_name, record_name, yanked_name};

/// How often a document is looked at again that somebody else has changed meanwhile.
const TRIES: usize = 4;

/// A document that is signed by the key now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resigned {
    /// `manifest`, `artifact record`, `yanking`
    pub called: &'static str,
    /// Where it is.
    pub place: String,
    /// The id of the key that had signed it before; `None` if it was this key already.
    pub before: Option<String>,
}

/// Opens a document of one kind for those who trust some keys.
type Opens<'a> = dyn Fn(&[u8], &str, &TrustedKeys) -> Result<(), RegistryError> + Send + Sync + 'a;

impl Registry {
    /// Signs everything anew that is said of a version: its manifest, its artifacts' records, its yanking. What that key
    /// has signed already stays as it is, so an interrupted call can be made again.
    ///
    /// # Errors
    /// If there is no such version, something of it is not signed by a trusted key, or it cannot be written. What came
    /// before that in the order records, yanking, manifest is done.
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
            done.extend(self.resign_one::<ArtifactRecord>(&name, key, &opens, as_it_is).await?);
        }
        let opens = |text: &[u8], place: &str, trusted: &TrustedKeys| Yanked::open(text, place, id, trusted).map(drop);
        done.extend(self.resign_one::<Yanked>(&yanked_name(id), key, &opens, as_it_is).await?);
        // The manifest last: whoever sees the new signature there knows that the rest is done.
        let opens =
            |text: &[u8], place: &str, trusted: &TrustedKeys| Manifest::open(text, place, id, trusted).map(drop);
        done.extend(self.resign_one::<Manifest>(&manifest_name(id), key, &opens, published_by).await?);
        Ok(done)
    }

    /// `None` if there is no such document.
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

fn as_it_is(payload: Vec<u8>, _: &PublicKey) -> Vec<u8> {
    payload
}

/// A manifest names its signer. Fields that this version does not know stay.
fn published_by(payload: Vec<u8>, signer: &PublicKey) -> Vec<u8> {
    match serde_json::from_slice(&payload) {
        Ok(Value::Object(mut fields)) => {
            fields.insert("publisher".to_owned(), signer.id().into());
            Value::Object(fields).to_string().into_bytes()
        }
        // It has been read as a manifest before this.
        _ => payload,
    }
}
