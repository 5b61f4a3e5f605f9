//! How much a call may use, and the counters that enforce it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasmtime::ResourceLimiter;

/// A component has one memory and a few instances (the guest, its WASI adapter, shims). Interpreters for other languages
/// link a dozen more.
const MAX_INSTANCES: usize = 64;
const MAX_TABLES: usize = 64;
const MAX_MEMORIES: usize = 8;
/// Function tables of a large guest (an embedded Python) have some 20,000 elements.
const MAX_TABLE_ELEMENTS: usize = 200_000;

/// What one call of a stage may use, from its pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Linear memory in MiB, all memories of the call together.
    pub memory_mib: u32,
    /// Wall-clock time of one call in milliseconds, host calls included.
    pub deadline_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_mib: 256, deadline_ms: 60_000 }
    }
}

impl Limits {
    /// Returns the deadline as a duration.
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    /// Returns the memory limit in bytes.
    pub fn memory_bytes(&self) -> usize {
        (self.memory_mib as usize) << 20
    }
}

/// Counts what one store uses and refuses more than its limits.
#[derive(Debug)]
pub(crate) struct Meter {
    limit: usize,
    used: usize,
    peak: usize,
    refused: bool,
}

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { limit: limits.memory_bytes(), used: 0, peak: 0, refused: false }
    }

    /// Returns whether the guest was refused memory or a table.
    pub(crate) fn refused(&self) -> bool {
        self.refused
    }

    /// Returns the most linear memory that was in use at once, in bytes.
    pub(crate) fn peak(&self) -> usize {
        self.peak
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = self.used.saturating_add(desired.saturating_sub(current));
        if wanted > self.limit {
            self.refused = true;
            return Ok(false);
        }
        self.used = wanted;
        self.peak = self.peak.max(wanted);
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > MAX_TABLE_ELEMENTS {
            self.refused = true;
            return Ok(false);
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_limit_is_for_all_memories_together() {
        let mut meter = Meter::new(&Limits { memory_mib: 1, deadline_ms: 1 });
        assert!(meter.memory_growing(0, 600 << 10, None).unwrap());
        assert!(!meter.memory_growing(0, 600 << 10, None).unwrap(), "a second memory shares the same limit");
        assert!(meter.refused());
        assert_eq!(meter.peak(), 600 << 10);
    }

    #[test]
    fn a_huge_table_is_refused() {
        let mut meter = Meter::new(&Limits::default());
        assert!(!meter.table_growing(0, 10_000_000, None).unwrap());
        assert!(meter.refused());
    }
}
