//! Publishing: a component that fits its world, and its artifacts, become a version that never changes.
//!
//! Everything is written before the manifest, and only ever created. So whoever sees a version sees all of it, an
//! interrupted publication can be done again, and two publishers at once cannot mix what they bring.

use bytes::Bytes;
use serde::Serialize;
use stagehost_runtime::{StageIdentity, Target, World, check, names_of};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::documents::{ArtifactRecord, Blob, Manifest, Yanked};
use crate::error::RegistryError;
use crate::keys::SigningKey;
use crate::name::StageId;
use crate::registry::{Registry, blob_name, compare, manifest_name, record_name, yanked_name};

/// What is to be published.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its name and version.
    pub id: StageId,
    /// The world that it must fit.
    pub world: World,
    /// For people; may be empty.
    pub description: String,
    /// The component's bytes.
    pub component: Bytes,
}

impl Draft {
    /// The digest of the component.
    pub fn digest(&self) -> String {
        StageIdentity::digest_of(&self.component)
    }

    /// What the manifest says, signed at that time by that key.
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
            component: Blob { digest: self.digest(), bytes: self.component.len() as u64 },
            imports: names.imports,
            exports: names.exports,
            published_at: at,
            publisher: key.public().id(),
        })
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// What is said of the version now.
    pub manifest: Manifest,
    /// Whether the version is new; if not, it was there with the same bytes.
    pub created: bool,
    /// The artifacts, each with whether it is new.
    pub artifacts: Vec<Added>,
}

/// An artifact that is there now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Added {
    /// What is said of it.
    pub record: ArtifactRecord,
    /// Whether it is new.
    pub created: bool,
}

impl Registry {
    /// Refuses at once what could not be published in the end, before time goes into compiling.
    ///
    /// # Errors
    /// If it is no component, does not fit its world, or is published with other bytes; the same bytes are fine.
    pub async fn check_draft(&self, draft: &Draft, key: &SigningKey) -> Result<Option<Manifest>, RegistryError> {
        let offered = draft.manifest(String::new(), key)?;
        let Some(text) = self.read(&manifest_name(&draft.id)).await? else { return Ok(None) };
        self.same(&text, &draft.id, &offered).map(Some)
    }

    /// Publishes a version with artifacts that were compiled from it. The same again changes nothing.
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
            // There was one before, or somebody was faster.
            let text = self.read(&name).await?.unwrap_or_default();
            self.same(&text, &draft.id, &offered)?
        };
        Ok(Published { manifest, created, artifacts: added })
    }

    /// Adds native code that was compiled here from a component. If there is a record already that can be trusted, it
    /// stays.
    ///
    /// # Errors
    /// If something cannot be written, or what is there is refused.
    pub async fn add_artifact(
        &self,
        component: &str,
        target: Target,
        code: &Bytes,
        key: &SigningKey,
    ) -> Result<Added, RegistryError> {
        let record = ArtifactRecord::new(component, target, code);
        if let Some(there) = self.record(component, target, &record.engine).await? {
            // What it tells of may have been lost.
            if there.code == record.code {
                self.write_blob(&record.code, code).await?;
            }
            return Ok(Added { record: there, created: false });
        }
        self.write_blob(&record.code, code).await?;
        let name = record_name(component, target, &record.engine)?;
        if self.storage.create(&name, record.seal(key).into()).await?.is_some() {
            return Ok(Added { record, created: true });
        }
        let there = self.record(component, target, &record.engine).await?;
        Ok(Added { record: there.unwrap_or(record), created: false })
    }

    /// Says that a version is not to be pinned any more. It stays where it is, and where it is pinned it goes on working, on
    /// hosts that start anew as well: pins, not the registry, say what runs.
    ///
    /// # Errors
    /// If there is no such version, or it cannot be written.
    pub async fn yank(&self, id: &StageId, reason: &str, key: &SigningKey) -> Result<Yanked, RegistryError> {
        self.manifest(id).await?;
        let yanked = Yanked::new(id, reason, now());
        if self.storage.create(&yanked_name(id), yanked.seal(key).into()).await?.is_some() {
            return Ok(yanked);
        }
        Ok(self.yanked(id).await?.unwrap_or(yanked))
    }

    /// The manifest that is there, if it says the same as the offered one.
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

    async fn write_blob(&self, blob: &Blob, bytes: &Bytes) -> Result<(), RegistryError> {
        let name = blob_name(&blob.digest)?;
        if self.storage.create(&name, bytes.clone()).await?.is_some() {
            return Ok(());
        }
        // It is there, and has to be what its name says.
        let there = self.read(&name).await?.unwrap_or_default();
        compare(&there, blob, &self.storage.place(&name)).map_err(|error| RegistryError::BrokenBlob(Box::new(error)))
    }
}

fn now() -> String {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(0).unwrap_or(now).format(&Rfc3339).unwrap_or_default()
}
