//! Checks all documents and blobs of a version, as an operator does before pinning it.

use serde::Serialize;

use crate::error::RegistryError;
use crate::name::StageId;
use crate::registry::Registry;

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// `manifest`, `component`, `artifact x86_64-wasmtime-48.1`, `not yanked`
    pub what: String,
    /// What is wrong; absent if the check passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What was found; empty if the check failed.
    pub found: String,
}

impl Registry {
    /// Checks signatures and digests of a version and all its artifacts. Continues after the first problem.
    ///
    /// # Errors
    /// If there is no such version or the store cannot be read. Problems of the version are in the checks.
    pub async fn verify(&self, id: &StageId) -> Result<Vec<Check>, RegistryError> {
        let mut checks = Vec::new();
        let manifest = match self.manifest(id).await {
            Err(error @ (RegistryError::NotPublished { .. } | RegistryError::Storage(_))) => return Err(error),
            Err(error) => {
                checks.push(Check::refused("manifest", &error));
                return Ok(checks);
            }
            Ok(manifest) => manifest,
        };
        checks.push(Check::fine("manifest", format!("{}, signed by {}", manifest.world, manifest.publisher)));
        checks.push(match self.component(&manifest).await {
            Ok(bytes) => Check::fine("component", format!("{} bytes, {}", bytes.len(), manifest.component.digest)),
            Err(error) => Check::refused("component", &error),
        });
        let artifacts = self.artifacts(&manifest.component.digest).await?;
        if artifacts.is_empty() {
            let problem = format!("none; run `stagehost stage recompile {id} --registry {}`", self.place());
            checks.push(Check { what: "artifacts".into(), problem: Some(problem), found: String::new() });
        }
        for (label, record) in artifacts {
            let what = format!("artifact {label}");
            let whole = match record {
                Ok(record) => self.artifact(&record).await.map(|bytes| (record, bytes)),
                Err(error) => Err(error),
            };
            checks.push(match whole {
                Ok((record, bytes)) => Check::fine(&what, format!("{} bytes, {}", bytes.len(), record.code.digest)),
                Err(error) => Check::refused(&what, &error),
            });
        }
        checks.push(match self.yanked(id).await {
            Ok(None) => Check::fine("not yanked", String::new()),
            Ok(Some(yanked)) => {
                Check { what: "not yanked".into(), problem: Some(yanked.to_string()), found: String::new() }
            }
            Err(error) => Check::refused("not yanked", &error),
        });
        Ok(checks)
    }
}

impl Check {
    fn fine(what: &str, found: String) -> Self {
        Self { what: what.to_owned(), problem: None, found }
    }

    fn refused(what: &str, error: &RegistryError) -> Self {
        Self { what: what.to_owned(), problem: Some(error.to_string()), found: String::new() }
    }
}
