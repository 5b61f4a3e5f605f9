//! The signed documents of a registry: manifests, artifact records, yanked versions. Each is checked against what its
//! reader expects, because the store that keeps them is not trusted.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use stagehost_runtime::{ENGINE, Target, World};

use crate::envelope::{Opened, open_signed, seal};
use crate::error::RegistryError;
use crate::keys::{PublicKey, SigningKey};
use crate::name::{StageId, hex_of};
use crate::trusted_keys::{KeyRole, TrustedKeys};

/// The schema that this version reads and writes.
const SCHEMA: u32 = 1;

/// A kind of signed document. Its media type is signed with it, so that no kind can be passed off as another.
pub trait Document: Serialize + DeserializeOwned {
    /// Its media type.
    const TYPE: &'static str;
    /// Its name in errors.
    const CALLED: &'static str;
    /// The role of the keys that may sign it; `None` means that every trusted key may.
    const ROLE: Option<KeyRole> = Some(KeyRole::Stages);
}

/// A published version of a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The schema of this document.
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
    /// The component's bytes.
    pub component: Descriptor,
    /// The names of its imports.
    pub imports: Vec<String>,
    /// The names of its exports.
    pub exports: Vec<String>,
    /// When it was published, RFC 3339.
    pub published_at: String,
    /// The id of the key that signed this document.
    pub publisher: String,
}

/// The digest and the size of a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    /// `sha256:` or `blake3:` and 64 hexadecimal digits.
    pub digest: String,
    /// Its size.
    pub bytes: u64,
}

/// A component's native code for one processor and one engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactRecord {
    /// The schema of this document.
    pub schema: u32,
    /// The digest of the component that it was compiled from.
    pub component: String,
    /// Its processor.
    pub target: Target,
    /// Its engine: [`ENGINE`] of the hosts that may map it.
    pub engine: String,
    /// The code's bytes.
    #[serde(flatten)]
    pub code: Descriptor,
    /// The version of `stagehost` that compiled it.
    pub made_by: String,
}

/// A version that must not be pinned any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Yanked {
    /// The schema of this document.
    pub schema: u32,
    /// `thumbnails`
    pub name: String,
    /// `1.4.0`
    pub version: String,
    /// Why it was yanked.
    pub reason: String,
    /// When it was yanked, RFC 3339.
    pub at: String,
    /// Who yanked it: a person or a pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
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
    /// Keys of both roles may take a version out of use.
    const ROLE: Option<KeyRole> = None;
}

/// The stage that a pin names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The stage and its version.
    pub id: StageId,
    /// The digest of its component.
    pub digest: String,
    /// The world that it runs in.
    pub world: World,
}

impl Manifest {
    pub(crate) const SCHEMA: u32 = SCHEMA;

    /// Reads the manifest of `id`, which was found at `place`.
    ///
    /// # Errors
    /// If it is not signed by a trusted key, or is for another version.
    pub fn open(text: &[u8], place: &str, id: &StageId, trusted: &TrustedKeys) -> Result<Self, RegistryError> {
        let (manifest, opened) = read::<Self>(text, place, trusted)?;
        let found = format!("{}@{}", manifest.name, manifest.version);
        if found != id.to_string() {
            return Err(RegistryError::OtherVersion { place: place.to_owned(), found, wanted: id.clone() });
        }
        if manifest.publisher != opened.signer.id() {
            return Err(RegistryError::OtherPublisher {
                place: place.to_owned(),
                named: manifest.publisher,
                signer: opened.signer.id(),
            });
        }
        if hex_of(&manifest.component.digest, "sha256").is_none() {
            return Err(malformed::<Self>(place, "the component's digest is invalid"));
        }
        Ok(manifest)
    }

    /// Checks that this is the stage which a pin names.
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
    /// Returns the record of `code`, which this program compiled for `target` from the component of that digest.
    pub fn new(component: &str, target: Target, code: &[u8]) -> Self {
        Self {
            schema: SCHEMA,
            component: component.to_owned(),
            target,
            engine: ENGINE.to_owned(),
            code: Descriptor { digest: blake3_of(code), bytes: code.len() as u64 },
            made_by: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Reads the record of a component for a processor and an engine, which was found at `place`.
    ///
    /// # Errors
    /// If it is not signed by a trusted key, or is for another artifact.
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
            return Err(malformed::<Self>(place, "the artifact's digest is invalid"));
        }
        Ok(record)
    }

    pub(crate) fn seal(&self, key: &SigningKey) -> Vec<u8> {
        write(self, key)
    }
}

impl Yanked {
    pub(crate) fn new(id: &StageId, reason: &str, by: &str, at: String) -> Self {
        let (name, version) = (id.name().to_owned(), id.version().to_string());
        Self { schema: SCHEMA, name, version, reason: reason.to_owned(), at, by: Some(by.to_owned()) }
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

impl std::fmt::Display for Yanked {
    /// Writes `thumbnails@1.4.0 was yanked by anna on 2026-01-02T03:04:05Z: loses colours`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let by = self.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        write!(f, "{}@{} was yanked{by} on {}: {}", self.name, self.version, self.at, self.reason)
    }
}

/// Returns the digest of an artifact, as documents write it.
pub fn blake3_of(code: &[u8]) -> String {
    format!("blake3:{}", blake3::hash(code).to_hex())
}

/// Returns the document that was found at `place`, signed by `key`, and its signer before.
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
    // Serialising cannot fail: these documents are maps with text keys.
    seal(D::TYPE, &serde_json::to_vec(document).unwrap_or_default(), key)
}

fn malformed<D: Document>(place: &str, reason: &str) -> RegistryError {
    RegistryError::Malformed { called: D::CALLED, place: place.to_owned(), reason: reason.to_owned() }
}

fn read<D: Document>(text: &[u8], place: &str, trusted: &TrustedKeys) -> Result<(D, Opened), RegistryError> {
    #[derive(Deserialize)]
    struct Schema {
        schema: u32,
    }
    let opened = open_signed(text, D::TYPE, trusted, D::ROLE).map_err(|reason| RegistryError::Envelope {
        called: D::CALLED,
        place: place.to_owned(),
        reason,
    })?;
    let unreadable = |error: serde_json::Error| malformed::<D>(place, &error.to_string());
    let Schema { schema } = serde_json::from_slice(&opened.payload).map_err(unreadable)?;
    if schema != SCHEMA {
        return Err(RegistryError::Schema { called: D::CALLED, place: place.to_owned(), found: schema, known: SCHEMA });
    }
    Ok((serde_json::from_slice(&opened.payload).map_err(unreadable)?, opened))
}
