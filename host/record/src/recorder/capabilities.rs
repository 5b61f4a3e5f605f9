//! Capabilities that record what is asked of them.

use std::sync::Arc;

use stagehost_runtime::capability::Capabilities;

use super::objects::RecordedObjects;
use super::services::RecordedService;
use crate::log::CallLog;

/// Returns capabilities that pass everything to `inner` and log it.
pub(super) fn recorded(inner: &Capabilities, log: &Arc<CallLog>) -> Capabilities {
    Capabilities {
        objects: Arc::new(RecordedObjects { inner: inner.objects.clone(), log: log.clone() }),
        transcoder: Arc::new(RecordedService { inner: inner.transcoder.clone(), log: log.clone() }),
        webhook: Arc::new(RecordedService { inner: inner.webhook.clone(), log: log.clone() }),
        http: Arc::new(RecordedService { inner: inner.http.clone(), log: log.clone() }),
    }
}
