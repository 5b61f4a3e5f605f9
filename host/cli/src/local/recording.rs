//! `--record`: every call of a stage, and beside the records every component that was called, so that they are complete by
//! themselves.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use bytes::Bytes;
use stagehost_dispatch::{DispatchError, StageSource};
use stagehost_pins::Pin;
use stagehost_record::{CallRecorder, RecordBudget, RecordLimits, store_blob};
use stagehost_registry::{Registry, StageId};
use stagehost_runtime::Stage;
use stagehost_storage::{Folder, Storage};
use tokio::sync::Mutex;

use crate::build::components::ComponentStore;
use crate::exit::usage;

/// The longest that a call's answer waits until its record is stored. A person who asks for `--record` waits for the
/// records.
const RECORDING: Duration = Duration::from_secs(600);

/// Makes the folder for records, if it is not there.
///
/// # Errors
/// If nothing can be written there: a run whose records are wanted does not begin without them.
pub fn prepare(folder: &Path) -> Result<()> {
    let prepared = std::fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder));
    prepared.map(drop).map_err(|error| usage!("--record {}: {error}", folder.display()))
}

/// Returns a recorder into a folder.
pub fn recorder(folder: &Path) -> CallRecorder {
    // This machine has more room and more time than a Lambda, for which the defaults are.
    let limits = RecordLimits { bytes: 4 << 30, text: 64 << 20, wait: RECORDING, ..RecordLimits::default() };
    CallRecorder::storing(Arc::new(Folder::new(folder)), limits, RecordBudget::new(512 << 20, 64 << 30))
}

/// Where the bytes of a component are.
pub enum ComponentBytes {
    /// In memory, by digest: those of files, also the ones that were swapped in later.
    Known(Arc<ComponentStore>),
    /// In a registry, by name and version.
    Published(Registry),
}

/// Stages whose components are stored beside the records when they are first called.
pub struct RecordedStages {
    stages: Arc<dyn StageSource>,
    bytes: ComponentBytes,
    records: Folder,
    /// Digests of what is stored.
    stored: Mutex<HashSet<String>>,
}

impl RecordedStages {
    /// Returns the same stages, recorded into a folder.
    pub fn new(stages: Arc<dyn StageSource>, bytes: ComponentBytes, folder: &Path) -> Self {
        Self { stages, bytes, records: Folder::new(folder), stored: Mutex::default() }
    }

    async fn store(&self, pin: &Pin) -> Result<()> {
        let mut stored = self.stored.lock().await;
        if stored.contains(&pin.digest) {
            return Ok(());
        }
        let bytes = match &self.bytes {
            ComponentBytes::Known(store) => {
                Bytes::copy_from_slice(&store.get(&pin.digest).context("the component is not known")?)
            }
            ComponentBytes::Published(registry) => {
                let manifest = registry.manifest(&StageId::new(&pin.stage, &pin.version)?).await?;
                registry.component(&manifest).await?
            }
        };
        store_blob(&self.records as &dyn Storage, bytes).await?;
        stored.insert(pin.digest.clone());
        Ok(())
    }
}

#[async_trait]
impl StageSource for RecordedStages {
    async fn stage(&self, pin: &Pin) -> Result<Arc<Stage>, DispatchError> {
        let stage = self.stages.stage(pin).await?;
        if let Err(error) = self.store(pin).await {
            // Recording never fails a call.
            tracing::error!(
                error = format!("{error:#}"),
                stage = pin.stage,
                version = pin.version,
                "a recorded component cannot be stored beside its records; `replay` needs it in --stages"
            );
        }
        Ok(stage)
    }

    async fn check(&self, pin: &Pin) -> Result<(), DispatchError> {
        self.stages.check(pin).await
    }

    fn retain(&self, digests: &HashSet<String>) {
        self.stages.retain(digests);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::prepare;
    use crate::exit::UsageError;

    #[test]
    fn a_place_that_is_no_folder_for_records_is_refused_before_the_run() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("some/records");
        prepare(&folder).unwrap();
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let refused = prepare(&file).unwrap_err();
        assert!(refused.downcast_ref::<UsageError>().is_some(), "{refused}");
        assert!(refused.to_string().starts_with("--record "), "{refused}");
    }
}
