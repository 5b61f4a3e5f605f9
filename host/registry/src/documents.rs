//! The documents of a registry: what is said, signed, of a component, of its compiled artifacts, of a version that is not
//! to be pinned any more. Each is checked here against what it was asked for, whoever had it in keeping meanwhile.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use stagehost_runtime::{ENGINE, Target, World};

use crate::envelope::{Opened, open_signed, seal};
use crate::error::RegistryError;
use crate::keys::{PublicKey, SigningKey, TrustedKeys};
use crate::name::{StageId, hex_of};

/// The documents' schema that this version reads and writes.
const SCHEMA: u32 = 1;

/// A kind of signed document. The type is signed with it, so that none can stand in for another.
pub trait Document: Serialize + DeserializeOwned {
    /// Its media type.
    const TYPE: &'static str;
    /// What it is called in errors.
    const CALLED: &'static str;
}

/// What is said of a version of a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// How this document is to be read.
    pub schema: u32,
    /// `thumbnails`
    pub name: String,
    /// `1.4.0`
    pub version: String,
    /// The world that it was checked against.
    pub world: World,
    /// The version of `toq:media` that it was built for.
    pub contract: String,
    /// For people; may be empty.
    #[serde(default)]
    pub description: String,
    /// The bytes.
    pub component: Blob,
    /// What it imports.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
    /// When, RFC 3339.
    pub published_at: String,
    /// The id of the key that signed it.
    pub publisher: String,
}

/// Some bytes by their digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// `sha256:` or `blake3:` and 64 hexadecimal digits.
    pub digest: String,
    /// How many there are.
    pub bytes: u64,
}

/// What is said of a component's native code for one processor and one engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactRecord {
    /// How this document is to be read.
    pub schema: u32,
    /// The digest of the component that it was compiled from.
    pub component: String,
    /// For which processor.
    pub target: Target,
    /// For which engine: [`ENGINE`] of the host that may map it.
    pub engine: String,
    /// The code.
    #[serde(flatten)]
    pub code: Blob,
    /// The version of `stagehost` that compiled it.
    pub made_by: String,
}

/// That a version is not to be pinned any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Yanked {
    /// How this document is to be read.
    pub schema: u32,
    /// `thumbnails`
    pub name: String,
    /// `1.4.0`
    pub version: String,
    /// Why.
    pub reason: String,
    /// When, RFC 3339.
    pub at: String,
}

impl Document for Manifest {
    const TYPE: &'static str = "application/vnd.stagehost.manifest.v1+json";
    const CALLED: &'static str = "manifest";
}

impl Document for ArtifactRecord {
    const TYPE: &'static str = "application/vnd.stagehost.artifact.v1+json";
    const CALLED: &'static str = "artifact record";
}

impl Document for Yanked {
    const TYPE: &'static str = "application/vnd.stagehost.yanked.v1+json";
    const CALLED: &'static str = "yanking";
}

/// What a pin asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The stage and its version.
    pub id: StageId,
    /// The digest of its component.
    pub digest: String,
    /// The world that it is to run in.
    pub world: World,
}

impl Manifest {
    pub(crate) const SCHEMA: u32 = SCHEMA;

    /// Reads a manifest that was found at `place` as the one of `id`.
    ///
    /// # Errors
    /// If it is not signed by a trusted key, or is another version's.
    pub fn open(text: &[u8], place: &str, id: &StageId, trusted: &TrustedKeys) -> Result<Self, RegistryError> {
        let (manifest, opened) = read::<Self>(text, place, trusted)?;
        let found = format!("{}@{}", manifest.name, manifest.version);
        if found != id.to_string() {
            return Err(RegistryError::OtherVersion { place: place.to_owned(), found, wanted: id.clone() });
        }
        if manifest.publisher != opened.signer.id() {
            return Err(RegistryError::OtherPublisher {
                place: place.to_owned(),
                said: manifest.publisher,
                signer: opened.signer.id(),
            });
        }
        if hex_of(&manifest.component.digest, "sha256").is_none() {
            return Err(RegistryError::malformed::<Self>(place, "the component's digest is none"));
        }
        Ok(manifest)
    }

    /// Compares it with what a pin asks for.
    ///
    /// # Errors
    /// If the pin has another digest or another world.
    pub fn serves(&self, wanted: &Wanted) -> Result<(), RegistryError> {
        let id = wanted.id.clone();
        if self.component.digest != wanted.digest {
            return Err(RegistryError::OtherDigest {
                id,
                pinned: wanted.digest.clone(),
                published: self.component.digest.clone(),
            });
        }
        if self.world != wanted.world {
            return Err(RegistryError::OtherWorld { id, pinned: wanted.world, published: self.world });
        }
        Ok(())
    }

    pub(crate) fn seal(&self, key: &SigningKey) -> Vec<u8> {
        write(self, key)
    }
}

impl ArtifactRecord {
    /// What is to be said of `code`, compiled here and now for `target` from the component of that digest.
    pub fn new(component: &str, target: Target, code: &[u8]) -> Self {
        Self {
            schema: SCHEMA,
            component: component.to_owned(),
            target,
            engine: ENGINE.to_owned(),
            code: Blob { digest: blake3_of(code), bytes: code.len() as u64 },
            made_by: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Reads a record that was found at `place` as the one of this component for this processor and engine.
    ///
    /// # Errors
    /// If it is not signed by a trusted key, or is another artifact's.
    pub fn open(
        text: &[u8],
        place: &str,
        component: &str,
        (target, engine): (Target, &str),
        trusted: &TrustedKeys,
    ) -> Result<Self, RegistryError> {
        let (record, _) = read::<Self>(text, place, trusted)?;
        if record.component != component {
            return Err(RegistryError::OtherComponent {
                place: place.to_owned(),
                found: record.component,
                wanted: component.to_owned(),
            });
        }
        if (record.target, record.engine.as_str()) != (target, engine) {
            return Err(RegistryError::OtherMachine {
                place: place.to_owned(),
                found: format!("{} and {}", record.target, record.engine),
                wanted: format!("{target} and {engine}"),
            });
        }
        if hex_of(&record.code.digest, "blake3").is_none() {
            return Err(RegistryError::malformed::<Self>(place, "the artifact's digest is none"));
        }
        Ok(record)
    }

    pub(crate) fn seal(&self, key: &SigningKey) -> Vec<u8> {
        write(self, key)
    }
}

impl Yanked {
    pub(crate) fn new(id: &StageId, reason: &str, at: String) -> Self {
        let (name, version) = (id.name().to_owned(), id.version().to_string());
        Self { schema: SCHEMA, name, version, reason: reason.to_owned(), at }
    }

    pub(crate) fn open(text: &[u8], place: &str, id: &StageId, trusted: &TrustedKeys) -> Result<Self, RegistryError> {
        let (yanked, _) = read::<Self>(text, place, trusted)?;
        let found = format!("{}@{}", yanked.name, yanked.version);
        if found != id.to_string() {
            return Err(RegistryError::OtherVersion { place: place.to_owned(), found, wanted: id.clone() });
        }
        Ok(yanked)
    }

    pub(crate) fn seal(&self, key: &SigningKey) -> Vec<u8> {
        write(self, key)
    }
}

/// A digest of an artifact as it is written everywhere.
pub fn blake3_of(code: &[u8]) -> String {
    format!("blake3:{}", blake3::hash(code).to_hex())
}

/// The document that was found at `place`, signed by `key` in place of whoever has signed it; and who that was.
pub(crate) fn reseal<D: Document>(
    text: &[u8],
    place: &str,
    trusted: &TrustedKeys,
    key: &SigningKey,
    payload: fn(Vec<u8>, &PublicKey) -> Vec<u8>,
) -> Result<(Vec<u8>, PublicKey), RegistryError> {
    let (_, opened) = read::<D>(text, place, trusted)?;
    Ok((seal(D::TYPE, &payload(opened.payload, &key.public()), key), opened.signer))
}

fn write<D: Document>(document: &D, key: &SigningKey) -> Vec<u8> {
    // These documents are maps with texts as keys: nothing that JSON could not say.
    seal(D::TYPE, &serde_json::to_vec(document).unwrap_or_default(), key)
}

fn read<D: Document>(text: &[u8], place: &str, trusted: &TrustedKeys) -> Result<(D, Opened), RegistryError> {
    #[derive(Deserialize)]
    struct Schema {
        schema: u32,
    }
    let opened = open_signed(text, D::TYPE, trusted).map_err(|reason| RegistryError::Envelope {
        called: D::CALLED,
        place: place.to_owned(),
        reason,
    })?;
    let malformed = |error: serde_json::Error| RegistryError::malformed::<D>(place, &error.to_string());
    let Schema { schema } = serde_json::from_slice(&opened.payload).map_err(malformed)?;
    if schema != SCHEMA {
        return Err(RegistryError::Schema { called: D::CALLED, place: place.to_owned(), found: schema, known: SCHEMA });
    }
    Ok((serde_json::from_slice(&opened.payload).map_err(malformed)?, opened))
}
