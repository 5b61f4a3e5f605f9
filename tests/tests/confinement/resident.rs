//! The memory that this process has resident.

use std::fs;

/// What the process had resident when the measurement began.
pub struct Resident {
    before_kib: Option<u64>,
}

impl Resident {
    /// Begins a measurement: forgets the highest value so far.
    pub fn begin() -> Self {
        if !cfg!(target_os = "linux") {
            return Self { before_kib: None };
        }
        // proc_pid_clear_refs(5): 5 resets the peak to the present value.
        fs::write("/proc/self/clear_refs", "5").expect("the kernel resets the peak");
        Self { before_kib: Some(kib("VmRSS:")) }
    }

    /// Returns by how many MiB the process has grown at most since the beginning, rounded up; `None` on systems without
    /// `/proc`.
    pub fn most_grown_mib(&self) -> Option<u64> {
        self.before_kib.map(|before| kib("VmHWM:").saturating_sub(before).div_ceil(1024))
    }
}

fn kib(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

/// Panics unless a measurement sees memory that was freed again. For a process in which nothing else runs.
pub fn assert_that_it_measures() {
    let resident = Resident::begin();
    drop(std::hint::black_box(vec![1u8; 64 << 20]));
    if let Some(grown) = resident.most_grown_mib() {
        assert!(grown >= 60, "64 MiB were measured as {grown}");
    }
}
