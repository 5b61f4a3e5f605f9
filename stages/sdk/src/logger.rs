//! The macros of the crate `log` write into the host's log.

use crate::sys;

struct HostLog;

impl log::Log for HostLog {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        sys::log(record.level(), &record.args().to_string(), &[("module", record.target())]);
    }

    fn flush(&self) {}
}

/// Sets the logger up. Does nothing if there is one.
pub fn init() {
    if log::set_logger(&HostLog).is_ok() {
        log::set_max_level(log::LevelFilter::Trace);
    }
}
