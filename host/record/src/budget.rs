//! What all recordings of a process may use together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

/// How many records are stored at the same time. The others wait, within their own time.
const STORES: usize = 4;

/// Memory and temporary files for all recordings of a process. Cheap to clone; clones share what is left.
#[derive(Clone)]
pub struct RecordBudget(Arc<Left>);

struct Left {
    memory: AtomicU64,
    files: AtomicU64,
    stores: Semaphore,
}

impl Default for RecordBudget {
    /// Returns a budget of 32 MiB of memory and 256 MiB of temporary files.
    fn default() -> Self {
        Self::new(32 << 20, 256 << 20)
    }
}

impl RecordBudget {
    /// Returns a budget of `memory` bytes for requests and answers, and of `files` bytes for temporary files.
    pub fn new(memory: u64, files: u64) -> Self {
        let (memory, files) = (AtomicU64::new(memory), AtomicU64::new(files));
        Self(Arc::new(Left { memory, files, stores: Semaphore::new(STORES) }))
    }

    /// Returns an empty share of one call.
    pub(crate) fn share(&self) -> Share {
        Share { budget: self.clone(), memory: AtomicU64::new(0), files: AtomicU64::new(0) }
    }

    /// Waits until one more record may be stored.
    pub(crate) async fn store_slot(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.0.stores.acquire().await.ok()
    }
}

/// What one call has taken from a [`RecordBudget`]. What it still has is given back when this is dropped.
pub(crate) struct Share {
    budget: RecordBudget,
    memory: AtomicU64,
    files: AtomicU64,
}

impl Share {
    /// Takes memory; returns whether there was enough.
    pub(crate) fn take_memory(&self, bytes: u64) -> bool {
        take(&self.budget.0.memory, &self.memory, bytes)
    }

    /// Gives back memory that was taken before.
    pub(crate) fn give_memory_back(&self, bytes: u64) {
        self.memory.fetch_sub(bytes, Ordering::Relaxed);
        self.budget.0.memory.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes bytes of temporary files; returns whether there were enough.
    pub(crate) fn take_files(&self, bytes: u64) -> bool {
        take(&self.budget.0.files, &self.files, bytes)
    }
}

fn take(left: &AtomicU64, taken: &AtomicU64, bytes: u64) -> bool {
    let enough = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok();
    if enough {
        taken.fetch_add(bytes, Ordering::Relaxed);
    }
    enough
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.0.memory.fetch_add(*self.memory.get_mut(), Ordering::Relaxed);
        self.budget.0.files.fetch_add(*self.files.get_mut(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_share_what_is_left_and_give_it_back() {
        let budget = RecordBudget::new(10, 5);
        let (one, other) = (budget.share(), budget.share());
        assert!(one.take_memory(7) && one.take_files(5));
        assert!(!other.take_memory(4), "3 are left");
        assert!(other.take_memory(3));
        assert!(!other.take_files(1));
        drop(one);
        assert!(other.take_memory(7) && other.take_files(5));
    }
}
