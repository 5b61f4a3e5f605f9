//! Lines that stages write for the log, on this machine: events of the command's own log, so that `--log` selects them.

use stagehost_runtime::capability::CallScope;
use stagehost_runtime::{LogLine, StageLogLevel};

/// Writes a stage's line into the command's log.
pub fn log_line(scope: &CallScope, key: Option<&str>, line: LogLine<'_>) {
    let (state, stage) = (scope.state.as_str(), scope.provenance.stage.as_str());
    let fields = line.fields.iter().map(|(name, value)| format!("{name}={value:?}")).collect::<Vec<_>>().join(" ");
    let fields = (!fields.is_empty()).then_some(fields);
    macro_rules! event {
        ($level:expr) => {
            tracing::event!(target: "stagehost::stage", $level, state, stage, asset = key, fields, "{}", line.message)
        };
    }
    match line.level {
        StageLogLevel::Error => event!(tracing::Level::ERROR),
        StageLogLevel::Warn => event!(tracing::Level::WARN),
        StageLogLevel::Info => event!(tracing::Level::INFO),
        StageLogLevel::Debug => event!(tracing::Level::DEBUG),
        StageLogLevel::Trace => event!(tracing::Level::TRACE),
    }
}
