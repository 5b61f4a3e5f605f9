//! A recorded call in memory.

use std::sync::Arc;

use crate::log::CallLog;
use crate::record_format::Record;

/// A call that has ended: its record, and the bytes that belong to it. The record's `contents` are filled in when it is
/// stored.
#[derive(Clone)]
pub struct Recording {
    /// The record. Clones share it, because it was charged once.
    pub record: Arc<Record>,
    pub(crate) log: Arc<CallLog>,
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording").field("record", &self.record).finish_non_exhaustive()
    }
}
