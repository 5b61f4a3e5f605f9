//! The host in memory, as the runtime uses it.

use std::sync::Arc;

use stagehost_runtime::capability::Capabilities;

use crate::memory_host::MemoryHost;
use crate::objects::MemoryObjects;
use crate::services::MemoryServices;

impl MemoryHost {
    /// Returns this host as the runtime uses it.
    pub fn capabilities(&self) -> Capabilities {
        let services = Arc::new(MemoryServices(self.clone()));
        Capabilities {
            objects: Arc::new(MemoryObjects(self.clone())),
            transcoder: services.clone(),
            webhook: services.clone(),
            http: services,
        }
    }
}
