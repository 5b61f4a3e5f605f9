//! What the kernel says of a process's memory, in files such as `/proc/PID/status` (proc_pid_status(5)).

/// The field of `/proc/PID/status` with the most that the process ever had resident.
pub const PEAK: &str = "VmHWM";

/// Returns the bytes that such a file gives in the line of `field`; `None` if it has no such line.
pub fn bytes_in(text: &str, field: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    let kib: u64 = value.strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of a real file, from Linux 6.1.
    const STATUS: &str = "Name:\tsh\nVmPeak:\t    2580 kB\nVmHWM:\t    1456 kB\nVmRSS:\t    1392 kB\nThreads:\t1\n";

    #[test]
    fn a_field_is_found_by_its_whole_name_and_given_in_bytes() {
        assert_eq!(bytes_in(STATUS, PEAK), Some(1456 << 10));
        assert_eq!(bytes_in(STATUS, "VmRSS"), Some(1392 << 10));
        for (field, why) in [("Vm", "the beginning of a name"), ("VmSwap", "no such line"), ("Threads", "no memory")] {
            assert_eq!(bytes_in(STATUS, field), None, "{why}");
        }
    }
}
