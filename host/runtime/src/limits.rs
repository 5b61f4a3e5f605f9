//! How much a call may use, and the counters that enforce it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasmtime::ResourceLimiter;

use crate::quotas::Quotas;

/// A component has one memory and a few instances (the guest, its WASI adapter, shims). Interpreters for other languages
/// link a dozen more.
const MAX_INSTANCES: usize = 64;
const MAX_TABLES: usize = 64;
const MAX_MEMORIES: usize = 8;
/// Function tables of a large guest (an embedded Python) have some 20,000 elements.
const MAX_TABLE_ELEMENTS: usize = 200_000;
/// What wasmtime takes for an element of a table of functions, in bytes.
const TABLE_ELEMENT: usize = 8;

/// What one call of a stage may use, from its pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Linear memory and tables in MiB, all of the call together.
    pub memory_mib: u32,
    /// Wall-clock time of one call in milliseconds, host calls included.
    pub deadline_ms: u64,
    /// The most effects of one call. Left out of documents if all are the defaults, so that older hosts can read them.
    #[serde(skip_serializing_if = "Quotas::are_default")]
    pub quotas: Quotas,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_mib: 256, deadline_ms: 60_000, quotas: Quotas::default() }
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
    /// Bytes of memories and tables.
    used: usize,
    /// Bytes of memories.
    memory: usize,
    peak: usize,
    refused: Option<usize>,
}

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { limit: limits.memory_bytes(), used: 0, memory: 0, peak: 0, refused: None }
    }

    /// Returns whether the last thing that the guest asked for, memory or a table, was refused.
    pub(crate) fn refused(&self) -> bool {
        self.refused.is_some()
    }

    /// Notes that the guest goes on: if it breaks later, a refusal from before is not the cause.
    pub(crate) fn goes_on(&mut self) {
        self.refused = None;
    }

    /// Returns the most linear memory that was in use at once, in bytes.
    pub(crate) fn peak(&self) -> usize {
        self.peak
    }

    fn grow(&mut self, bytes: usize) -> bool {
        let wanted = self.used.saturating_add(bytes);
        if wanted > self.limit {
            self.refused = Some(bytes);
            return false;
        }
        self.used = wanted;
        if self.refused.is_some_and(|refused| bytes >= refused) {
            self.goes_on();
        }
        true
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let bytes = desired.saturating_sub(current);
        let grows = self.grow(bytes);
        if grows {
            self.memory += bytes;
            self.peak = self.peak.max(self.memory);
        }
        Ok(grows)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let bytes = desired.saturating_sub(current).saturating_mul(TABLE_ELEMENT);
        if desired > MAX_TABLE_ELEMENTS {
            self.refused = Some(bytes);
            return Ok(false);
        }
        Ok(self.grow(bytes))
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

    fn meter(memory_mib: u32) -> Meter {
        Meter::new(&Limits { memory_mib, ..Limits::default() })
    }

    #[test]
    fn the_limit_is_for_all_memories_together() {
        let mut meter = meter(1);
        assert!(meter.memory_growing(0, 600 << 10, None).unwrap());
        assert!(!meter.memory_growing(0, 600 << 10, None).unwrap(), "a second memory shares the same limit");
        assert!(meter.refused());
        assert_eq!(meter.peak(), 600 << 10);
    }

    #[test]
    fn a_huge_table_is_refused() {
        let mut meter = meter(256);
        assert!(!meter.table_growing(0, 10_000_000, None).unwrap());
        assert!(meter.refused());
    }

    #[test]
    fn tables_share_the_limit_with_memories() {
        let mut meter = meter(64);
        // 1.6 MB each.
        let tables = (0..MAX_TABLES).take_while(|_| meter.table_growing(0, MAX_TABLE_ELEMENTS, None).unwrap()).count();
        assert_eq!(tables, 41);
        assert!(meter.refused());
        assert!(!meter.memory_growing(0, 2 << 20, None).unwrap());
        assert!(meter.memory_growing(0, 1 << 20, None).unwrap());
        assert_eq!(meter.peak(), 1 << 20, "the peak is of linear memory");
    }

    #[test]
    fn a_refusal_is_forgotten_when_the_guest_goes_on() {
        let mut meter = meter(1);
        assert!(!meter.memory_growing(0, 2 << 20, None).unwrap());
        meter.goes_on();
        assert!(!meter.refused());

        assert!(!meter.memory_growing(0, 2 << 20, None).unwrap());
        assert!(meter.memory_growing(0, 64 << 10, None).unwrap());
        assert!(meter.refused(), "a little for the message of the failure is not what was refused");
        assert!(!meter.memory_growing(0, 1 << 20, None).unwrap());
        assert!(meter.memory_growing(0, 960 << 10, None).unwrap());
        assert!(meter.refused());
    }

    #[test]
    fn quotas_that_are_the_defaults_are_left_out_of_documents() {
        let limits = Limits { memory_mib: 64, deadline_ms: 1000, ..Limits::default() };
        assert_eq!(serde_json::to_value(limits).unwrap(), serde_json::json!({"memoryMib": 64, "deadlineMs": 1000}));
        let raised = Limits { quotas: Quotas { jobs: 1000, ..Quotas::default() }, ..limits };
        let document = serde_json::to_value(raised).unwrap();
        assert_eq!(document["quotas"]["jobs"], 1000);
        assert_eq!(serde_json::from_value::<Limits>(document).unwrap(), raised);
    }
}
