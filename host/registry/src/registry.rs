//! Reading a registry: from a pin to bytes that were signed for exactly this pin.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::try_join_all;
use sha2::{Digest, Sha256};
use stagehost_runtime::{ENGINE, Target};
use stagehost_storage::{Found, Storage};

use crate::documents::{ArtifactRecord, Descriptor, Manifest, Wanted, Yanked, blake3_of};
use crate::error::RegistryError;
use crate::name::{StageId, checked_name, hex_of};
use crate::trusted_keys::TrustedKeys;

/// The most versions that an error names.
const NAMED: usize = 10;

/// Published stages in a folder or a bucket, and the keys whose signatures are accepted.
#[derive(Clone)]
pub struct Registry {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) trusted: TrustedKeys,
}

/// The artifact for a pin. It comes with the signed documents, so that a copy of the artifact can be checked again later.
#[derive(Clone, Debug)]
pub struct ResolvedArtifact {
    /// The manifest's envelope.
    pub manifest: Bytes,
    /// The artifact record's envelope.
    pub record: Bytes,
    /// The record.
    pub artifact: ArtifactRecord,
}

/// An entry in a list of versions.
#[derive(Debug)]
pub struct Listed {
    /// Its name and version.
    pub id: StageId,
    /// Its manifest, or why that is refused.
    pub manifest: Result<Manifest, RegistryError>,
    /// Whether it is yanked, or why the document about it is refused.
    pub yanked: Result<Option<Yanked>, RegistryError>,
}

impl Registry {
    /// Returns the registry in `storage`.
    pub fn new(storage: Arc<dyn Storage>, trusted: TrustedKeys) -> Self {
        Self { storage, trusted }
    }

    /// Returns where the registry is, in the form of `--registry`.
    pub fn place(&self) -> String {
        self.storage.place("").trim_end_matches('/').to_owned()
    }

    /// Returns the keys whose signatures are accepted.
    pub fn trusted(&self) -> &TrustedKeys {
        &self.trusted
    }

    /// Returns the manifest of a version.
    ///
    /// # Errors
    /// If there is no such version, or it is not signed by a trusted key.
    pub async fn manifest(&self, id: &StageId) -> Result<Manifest, RegistryError> {
        let name = manifest_name(id);
        let text = self.manifest_text(id).await?;
        Manifest::open(&text, &self.storage.place(&name), id, &self.trusted)
    }

    /// Returns why a version is yanked; `None` if it is not.
    ///
    /// # Errors
    /// If the document about it cannot be read or is not signed by a trusted key.
    pub async fn yanked(&self, id: &StageId) -> Result<Option<Yanked>, RegistryError> {
        let name = yanked_name(id);
        let Some(text) = self.read(&name).await? else { return Ok(None) };
        Yanked::open(&text, &self.storage.place(&name), id, &self.trusted).map(Some)
    }

    /// Returns the artifact that may run for a pin on a machine of this kind. The code itself is not read yet. Whether the
    /// version is yanked does not matter here: yanking only keeps it from being pinned, and this pin exists.
    ///
    /// # Errors
    /// If a document is missing, is not signed by a trusted key, or was signed for something else.
    pub async fn resolve(&self, wanted: &Wanted, target: Target) -> Result<ResolvedArtifact, RegistryError> {
        let id = &wanted.id;
        let record_name = record_name(&wanted.digest, target, ENGINE)?;
        // At the same time, to save a round trip.
        let (manifest, record) = futures::join!(self.manifest_text(id), self.read(&record_name));
        let manifest = manifest?;
        Manifest::open(&manifest, &self.storage.place(&manifest_name(id)), id, &self.trusted)?.serves(wanted)?;
        let Some(record) = record? else {
            return Err(RegistryError::NoArtifact {
                id: id.clone(),
                target,
                engine: ENGINE,
                known: self.record_labels(&wanted.digest).await?.into(),
                registry: self.place().into(),
            });
        };
        let place = self.storage.place(&record_name);
        let artifact = ArtifactRecord::open(&record, &place, &wanted.digest, (target, ENGINE), &self.trusted)?;
        Ok(ResolvedArtifact { manifest, record, artifact })
    }

    /// Returns the code of an artifact.
    ///
    /// # Errors
    /// If it is missing, or not the bytes that were signed.
    pub async fn artifact(&self, record: &ArtifactRecord) -> Result<Bytes, RegistryError> {
        self.blob(&record.code).await
    }

    /// Returns the component of a version.
    ///
    /// # Errors
    /// If it is missing, or not the bytes that were signed.
    pub async fn component(&self, manifest: &Manifest) -> Result<Bytes, RegistryError> {
        self.blob(&manifest.component).await
    }

    /// Returns all versions of all stages, or of one stage, in order.
    ///
    /// # Errors
    /// If the store cannot be listed. Problems of one version are in its entry.
    pub async fn list(&self, stage: Option<&str>) -> Result<Vec<Listed>, RegistryError> {
        let entries = self.versions(stage).await?.into_iter().map(|id| async move {
            let (manifest, yanked) = futures::join!(self.manifest(&id), self.yanked(&id));
            Ok::<_, RegistryError>(Listed { id, manifest, yanked })
        });
        try_join_all(entries).await
    }

    /// Returns the ids of all versions of all stages, or of one stage, in order.
    ///
    /// # Errors
    /// If the store cannot be listed.
    pub async fn versions(&self, stage: Option<&str>) -> Result<Vec<StageId>, RegistryError> {
        let prefix = match stage {
            Some(name) => format!("stages/{}/", checked_name(name)?),
            None => "stages/".to_owned(),
        };
        let names = self.storage.list(&prefix).await?;
        let read = |name: &String| {
            let (stage, version) = name.strip_prefix("stages/")?.strip_suffix("/manifest.json")?.split_once('/')?;
            StageId::new(stage, version).ok()
        };
        let mut ids: Vec<_> = names.iter().filter_map(read).collect();
        ids.sort();
        Ok(ids)
    }

    /// Returns the newest version that is not yanked. A pre-release is returned only if there is no other.
    ///
    /// # Errors
    /// If there is none, or a document is not signed by a trusted key.
    pub async fn newest(&self, stage: &str) -> Result<StageId, RegistryError> {
        let ids = self.versions(Some(stage)).await?;
        let (mut stable, mut early): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| id.version().pre.is_empty());
        early.append(&mut stable);
        let any = !early.is_empty();
        for id in early.into_iter().rev() {
            if self.yanked(&id).await?.is_none() {
                return Ok(id);
            }
        }
        if any {
            return Err(RegistryError::AllYanked { stage: stage.to_owned(), registry: self.place() });
        }
        Err(self.not_published(stage.to_owned(), Some(stage)).await)
    }

    /// Returns the records of a component's artifacts: the label of each, and the record or why it is refused.
    ///
    /// # Errors
    /// If the store cannot be listed.
    pub async fn artifacts(
        &self,
        component: &str,
    ) -> Result<Vec<(String, Result<ArtifactRecord, RegistryError>)>, RegistryError> {
        let mut records = Vec::new();
        for label in self.record_labels(component).await? {
            let record = match label_parts(&label) {
                Some((target, engine)) => match self.record(component, target, engine).await {
                    Ok(Some(record)) => Ok(record),
                    Ok(None) => continue,
                    Err(error) => Err(error),
                },
                None => Err(RegistryError::UnknownArtifact { label: label.clone() }),
            };
            records.push((label, record));
        }
        Ok(records)
    }

    /// Returns the record of one artifact; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read or is refused.
    pub async fn record(
        &self,
        component: &str,
        target: Target,
        engine: &str,
    ) -> Result<Option<ArtifactRecord>, RegistryError> {
        let name = record_name(component, target, engine)?;
        let Some(text) = self.read(&name).await? else { return Ok(None) };
        let place = self.storage.place(&name);
        ArtifactRecord::open(&text, &place, component, (target, engine), &self.trusted).map(Some)
    }

    /// Returns the labels of a component's artifacts.
    pub(crate) async fn record_labels(&self, component: &str) -> Result<Vec<String>, RegistryError> {
        let prefix = format!("artifacts/{}/", component_hex(component)?);
        let names = self.storage.list(&prefix).await?;
        let label = |name: &String| Some(name.strip_prefix(&prefix)?.strip_suffix(".json")?.to_owned());
        Ok(names.iter().filter_map(label).collect())
    }

    async fn manifest_text(&self, id: &StageId) -> Result<Bytes, RegistryError> {
        match self.read(&manifest_name(id)).await? {
            Some(text) => Ok(text),
            None => Err(self.not_published(id.to_string(), Some(id.name())).await),
        }
    }

    async fn not_published(&self, wanted: String, stage: Option<&str>) -> RegistryError {
        let versions = async {
            let of_it = self.versions(stage).await?;
            if of_it.is_empty() { self.versions(None).await } else { Ok(of_it) }
        };
        let known = match versions.await {
            Ok(ids) if ids.is_empty() => "nothing".to_owned(),
            Ok(ids) => {
                let more = ids.len().saturating_sub(NAMED);
                let mut named: Vec<_> = ids.iter().rev().take(NAMED).map(ToString::to_string).collect();
                named.extend((more > 0).then(|| format!("{more} more")));
                named.join(", ")
            }
            // A host may be allowed to read but not to list.
            Err(error) => format!("versions that cannot be listed: {error}"),
        };
        RegistryError::NotPublished { registry: self.place(), wanted, known }
    }

    pub(crate) async fn read(&self, name: &str) -> Result<Option<Bytes>, RegistryError> {
        match self.storage.get(name, None).await? {
            Found::Found { bytes, .. } => Ok(Some(bytes)),
            Found::Missing | Found::Unchanged => Ok(None),
        }
    }

    async fn blob(&self, blob: &Descriptor) -> Result<Bytes, RegistryError> {
        let name = blob_name(&blob.digest)?;
        let place = self.storage.place(&name);
        let bytes = self.read(&name).await?.ok_or_else(|| RegistryError::NoBlob { place: place.clone() })?;
        compare(&bytes, blob, &place)?;
        Ok(bytes)
    }
}

/// Checks that these are the bytes that were signed.
pub(crate) fn compare(bytes: &[u8], blob: &Descriptor, place: &str) -> Result<(), RegistryError> {
    let found = bytes.len() as u64;
    if found != blob.bytes {
        return Err(RegistryError::Size { place: place.to_owned(), found, expected: blob.bytes });
    }
    let found = if blob.digest.starts_with("blake3:") {
        blake3_of(bytes)
    } else {
        format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
    };
    if found != blob.digest {
        return Err(RegistryError::Digest { place: place.to_owned(), found });
    }
    Ok(())
}

/// Returns the name of a version's manifest.
pub(crate) fn manifest_name(id: &StageId) -> String {
    format!("stages/{}/{}/manifest.json", id.name(), id.version())
}

/// Returns the name of the document that marks a version as yanked.
pub(crate) fn yanked_name(id: &StageId) -> String {
    format!("stages/{}/{}/yanked.json", id.name(), id.version())
}

/// Returns the name of an artifact's record.
pub(crate) fn record_name(component: &str, target: Target, engine: &str) -> Result<String, RegistryError> {
    Ok(format!("artifacts/{}/{target}-{engine}.json", component_hex(component)?))
}

/// Returns the name of a blob.
pub(crate) fn blob_name(digest: &str) -> Result<String, RegistryError> {
    let hex = |algorithm| hex_of(digest, algorithm).map(|hex| format!("blobs/{algorithm}/{hex}"));
    hex("sha256").or_else(|| hex("blake3")).ok_or_else(|| invalid_digest(digest))
}

fn component_hex(digest: &str) -> Result<&str, RegistryError> {
    hex_of(digest, "sha256").ok_or_else(|| invalid_digest(digest))
}

fn invalid_digest(text: &str) -> RegistryError {
    RegistryError::InvalidDigest(text.to_owned())
}

/// Returns processor and engine of an artifact's label: `x86_64-wasmtime-48.1` → (x86_64, `wasmtime-48.1`).
pub(crate) fn label_parts(label: &str) -> Option<(Target, &str)> {
    Target::ALL.into_iter().find_map(|target| Some((target, label.strip_prefix(target.name())?.strip_prefix('-')?)))
}
