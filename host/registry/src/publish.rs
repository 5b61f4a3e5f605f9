//! Publishing a version: a component that fits its world, with its artifacts.
//!
//! The manifest is written last, and nothing is ever overwritten. So a version that is visible is complete, an interrupted
//! publication can be repeated, and two publishers at the same time cannot mix their files.

use bytes::Bytes;
use serde::Serialize;
use stagehost_runtime::{StageIdentity, Target, World, check, names_of};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::documents::{ArtifactRecord, Descriptor, Manifest, Yanked};
use crate::error::RegistryError;
use crate::keys::SigningKey;
use crate::name::StageId;
use crate::registry::{Registry, blob_name, compare, manifest_name, record_name, yanked_name};

/// A version to be published.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its name and version.
    pub id: StageId,
    /// The world that the component must fit.
    pub world: World,
    /// For people; may be empty.
    pub description: String,
    /// The component's bytes.
    pub component: Bytes,
}

impl Draft {
    /// Returns the digest of the component.
    pub fn digest(&self) -> String {
        StageIdentity::digest_of(&self.component)
    }

    /// Returns the manifest for publication at time `at` by `key`.
    fn manifest(&self, at: String, key: &SigningKey) -> Result<Manifest, RegistryError> {
        let id = self.id.clone();
        let names =
            names_of(&self.component).map_err(|reason| RegistryError::NoComponent { id: id.clone(), reason })?;
        let findings: Vec<_> = check(&names, self.world).iter().map(ToString::to_string).collect();
        if !findings.is_empty() {
            return Err(RegistryError::Unfit { id, world: self.world, findings: findings.join("; ") });
        }
        let contract = names.exports.iter().find(|name| name.starts_with("toq:media/"));
        let contract = contract.and_then(|name| name.rsplit_once('@')).map_or("", |(_, version)| version);
        Ok(Manifest {
            schema: Manifest::SCHEMA,
            name: id.name().to_owned(),
            version: id.version().to_string(),
            world: self.world,
            contract: contract.to_owned(),
            description: self.description.clone(),
            component: Descriptor { digest: self.digest(), bytes: self.component.len() as u64 },
            imports: names.imports,
            exports: names.exports,
            published_at: at,
            publisher: key.public().id(),
        })
    }
}

/// The result of publishing a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// The version's manifest.
    pub manifest: Manifest,
    /// Whether the version is new. If not, it was published before with the same bytes.
    pub created: bool,
    /// Its artifacts.
    pub artifacts: Vec<AddedArtifact>,
}

/// An artifact that was added or existed already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AddedArtifact {
    /// Its record.
    pub record: ArtifactRecord,
    /// Whether it is new.
    pub created: bool,
}

impl Registry {
    /// Checks whether a version can be published, before it is compiled. Returns its manifest if it is published already
    /// with the same bytes.
    ///
    /// # Errors
    /// If the bytes are not a component, do not fit the world, or are not those of the published version.
    pub async fn check_draft(&self, draft: &Draft, key: &SigningKey) -> Result<Option<Manifest>, RegistryError> {
        let offered = draft.manifest(String::new(), key)?;
        let Some(text) = self.read(&manifest_name(&draft.id)).await? else { return Ok(None) };
        self.same(&text, &draft.id, &offered).map(Some)
    }

    /// Publishes a version with artifacts that were compiled from it. Publishing the same again changes nothing.
    ///
    /// # Errors
    /// As [`Registry::check_draft`], or if something cannot be written.
    pub async fn publish(
        &self,
        draft: &Draft,
        artifacts: &[(Target, Bytes)],
        key: &SigningKey,
    ) -> Result<Published, RegistryError> {
        self.check_draft(draft, key).await?;
        let offered = draft.manifest(now(), key)?;
        self.write_blob(&offered.component, &draft.component).await?;
        let mut added = Vec::new();
        for (target, code) in artifacts {
            added.push(self.add_artifact(&offered.component.digest, *target, code, key).await?);
        }
        let name = manifest_name(&draft.id);
        let created = self.storage.create(&name, offered.seal(key).into()).await?.is_some();
        let manifest = if created {
            offered
        } else {
            // It existed before, or another publisher was faster.
            let text = self.read(&name).await?.unwrap_or_default();
            self.same(&text, &draft.id, &offered)?
        };
        Ok(Published { manifest, created, artifacts: added })
    }

    /// Adds native code that this program compiled from a component. An existing record by a trusted key stays.
    ///
    /// # Errors
    /// If something cannot be written, or an existing record or blob is refused.
    pub async fn add_artifact(
        &self,
        component: &str,
        target: Target,
        code: &Bytes,
        key: &SigningKey,
    ) -> Result<AddedArtifact, RegistryError> {
        let record = ArtifactRecord::new(component, target, code);
        if let Some(there) = self.record(component, target, &record.engine).await? {
            // Restores the blob in case it was lost.
            if there.code == record.code {
                self.write_blob(&record.code, code).await?;
            }
            return Ok(AddedArtifact { record: there, created: false });
        }
        self.write_blob(&record.code, code).await?;
        let name = record_name(component, target, &record.engine)?;
        if self.storage.create(&name, record.seal(key).into()).await?.is_some() {
            return Ok(AddedArtifact { record, created: true });
        }
        let there = self.record(component, target, &record.engine).await?;
        Ok(AddedArtifact { record: there.unwrap_or(record), created: false })
    }

    /// Marks a version as not to be pinned any more. Where it is pinned already it keeps running, also on hosts that start
    /// later: the pins decide what runs. `by` is the person or pipeline that does it.
    ///
    /// # Errors
    /// If there is no such version, or the mark cannot be written.
    pub async fn yank(&self, id: &StageId, reason: &str, by: &str, key: &SigningKey) -> Result<Yanked, RegistryError> {
        self.manifest(id).await?;
        let yanked = Yanked::new(id, reason, by, now());
        if self.storage.create(&yanked_name(id), yanked.seal(key).into()).await?.is_some() {
            return Ok(yanked);
        }
        Ok(self.yanked(id).await?.unwrap_or(yanked))
    }

    /// Returns the published manifest if it is for the same content as the offered one.
    fn same(&self, text: &[u8], id: &StageId, offered: &Manifest) -> Result<Manifest, RegistryError> {
        let there = Manifest::open(text, &self.storage.place(&manifest_name(id)), id, &self.trusted)?;
        let worlds = (there.world.to_string(), offered.world.to_string());
        let facts = [
            ("component", &there.component.digest, &offered.component.digest),
            ("world", &worlds.0, &worlds.1),
            ("description", &there.description, &offered.description),
        ];
        if let Some((what, published, offered)) = facts.into_iter().find(|(_, there, offered)| there != offered) {
            let (published, offered) = (published.as_str().into(), offered.as_str().into());
            return Err(RegistryError::Immutable { id: id.clone(), what, published, offered });
        }
        Ok(there)
    }

    async fn write_blob(&self, blob: &Descriptor, bytes: &Bytes) -> Result<(), RegistryError> {
        let name = blob_name(&blob.digest)?;
        if self.storage.create(&name, bytes.clone()).await?.is_some() {
            return Ok(());
        }
        // It exists already and must have the content that its name says.
        let there = self.read(&name).await?.unwrap_or_default();
        compare(&there, blob, &self.storage.place(&name)).map_err(|error| RegistryError::BrokenBlob(Box::new(error)))
    }
}

fn now() -> String {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(0).unwrap_or(now).format(&Rfc3339).unwrap_or_default()
}
