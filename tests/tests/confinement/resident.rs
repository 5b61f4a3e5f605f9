//! The memory that this process has resident.

use std::fs;

use stagehost_tests::proc_memory::{PEAK, bytes_in};

/// What the process had resident when the measurement began, in bytes.
pub struct Resident {
    before: Option<u64>,
}

impl Resident {
    /// Begins a measurement: forgets the highest value so far.
    pub fn begin() -> Self {
        if !cfg!(target_os = "linux") {
            return Self { before: None };
        }
        // proc_pid_clear_refs(5): 5 resets the peak to the present value.
        fs::write("/proc/self/clear_refs", "5").expect("the kernel resets the peak");
        Self { before: Some(own("VmRSS")) }
    }

    /// Returns by how many MiB the process has grown at most since the beginning, rounded up; `None` on systems without
    /// `/proc`.
    pub fn most_grown_mib(&self) -> Option<u64> {
        self.before.map(|before| own(PEAK).saturating_sub(before).div_ceil(1 << 20))
    }
}

/// Returns the bytes in a field of this process's status.
fn own(field: &str) -> u64 {
    bytes_in(&fs::read_to_string("/proc/self/status").unwrap(), field).unwrap()
}

/// Panics unless a measurement sees memory that was freed again. For a process in which nothing else runs.
pub fn assert_that_it_measures() {
    let resident = Resident::begin();
    drop(std::hint::black_box(vec![1u8; 64 << 20]));
    if let Some(grown) = resident.most_grown_mib() {
        assert!(grown >= 60, "64 MiB were measured as {grown}");
    }
}
