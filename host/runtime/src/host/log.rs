//! `log`: lines of a stage for the host's log, bounded and passed to the observer.

use crate::bindings::toq::media::log;
use crate::host::state::CallState;
use crate::observer::{AssetEvent, LogLine, StageLogLevel};
use crate::text::cut_to;

/// The longest message, in bytes.
const MAX_MESSAGE: usize = 4 << 10;
/// The longest name of a field, in bytes.
const MAX_NAME: usize = 64;
/// The longest value of a field, in bytes.
const MAX_VALUE: usize = 1 << 10;
/// The most fields of a line.
const MAX_FIELDS: usize = 16;

impl log::Host for CallState {
    fn write(&mut self, level: log::Level, message: String, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        self.meter.goes_on();
        let level = level.into();
        if !self.observer.keeps(level) {
            return Ok(());
        }
        let message = cut_to(message, MAX_MESSAGE);
        let kept = fields.into_iter().take(MAX_FIELDS);
        let fields: Vec<_> = kept.map(|(name, value)| (cut_to(name, MAX_NAME), cut_to(value, MAX_VALUE))).collect();
        let bytes = message.len() + fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        if self.logged.count(bytes) {
            let line = LogLine { level, message: &message, fields: &fields };
            self.observer.on(AssetEvent::Logged { scope: &self.scope, key: self.facts.key.as_deref(), line });
        }
        Ok(())
    }
}

impl From<log::Level> for StageLogLevel {
    fn from(level: log::Level) -> Self {
        match level {
            log::Level::Error => Self::Error,
            log::Level::Warn => Self::Warn,
            log::Level::Info => Self::Info,
            log::Level::Debug => Self::Debug,
            log::Level::Trace => Self::Trace,
        }
    }
}
