//! Log lines: one JSON object a line, so that CloudWatch Logs Insights can filter by `listing`, `state` or `digest`.
//!
//! The level applies to the host's own code. Libraries are logged from `WARN` on: below that, the SDK logs requests and
//! responses, which do not belong into a log.

use tracing::level_filters::LevelFilter;
use tracing::{Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt};

use crate::scrub::Scrubbed;

/// The targets of the host's own code: the common prefix of the crates, and the binary's name on Lambda.
const OWN_TARGETS: [&str; 2] = ["stagehost", "bootstrap"];

/// Which lines are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLevel {
    /// The lowest level of the host's own lines.
    pub level: LevelFilter,
    /// An ignored setting with an unknown level, as `NAME=value`; it is reported in the log.
    pub unknown: Option<String>,
}

/// Why logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The process has a subscriber already, and can have only one.
    #[error("logging is set up already: {0}; call init_logging once per process")]
    AlreadyThere(#[from] tracing_subscriber::util::TryInitError),
}

impl LogLevel {
    /// Returns the level of `LOG_LEVEL`, else of Lambda's `AWS_LAMBDA_LOG_LEVEL`, else `INFO`. An unknown level is
    /// ignored.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let mut unknown = None;
        for name in ["LOG_LEVEL", "AWS_LAMBDA_LOG_LEVEL"] {
            let Some(text) = lookup(name).filter(|text| !text.trim().is_empty()) else { continue };
            match level(text.trim()) {
                Some(level) => return Self { level, unknown },
                None => unknown = unknown.or(Some(format!("{name}={}", text.trim()))),
            }
        }
        Self { level: LevelFilter::INFO, unknown }
    }
}

/// Reads the name of a level.
fn level(text: &str) -> Option<LevelFilter> {
    Some(match text.to_ascii_lowercase().as_str() {
        "trace" => LevelFilter::TRACE,
        "debug" => LevelFilter::DEBUG,
        "info" => LevelFilter::INFO,
        "warn" | "warning" => LevelFilter::WARN,
        // Lambda has a level above ERROR, at which nothing here is logged.
        "error" | "fatal" | "critical" => LevelFilter::ERROR,
        "off" => LevelFilter::OFF,
        _ => return None,
    })
}

/// Logs to standard output from now on, with the level of the environment.
///
/// # Errors
/// [`LoggingError`] if the process has a subscriber already.
pub fn init_logging() -> Result<(), LoggingError> {
    let chosen = LogLevel::from_lookup(|name| std::env::var(name).ok());
    subscriber(chosen.level, std::io::stdout).try_init()?;
    chosen.warn_if_unknown();
    Ok(())
}

impl LogLevel {
    /// Reports an ignored setting in the log.
    fn warn_if_unknown(&self) {
        if let Some(unknown) = &self.unknown {
            let level = self.level;
            tracing::warn!(%level, "{unknown} is not a log level and is ignored; use TRACE, DEBUG, INFO, WARN, ERROR or OFF");
        }
    }
}

/// Returns the subscriber of [`init_logging`] with another writer.
pub fn subscriber<W>(level: LevelFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let others = level.min(LevelFilter::from_level(Level::WARN));
    // This target repeats every error of an invocation. The host has logged it already, with its context.
    let filter = Targets::new().with_default(others).with_target("lambda_runtime::layers::panic", LevelFilter::OFF);
    let filter = OWN_TARGETS.iter().fold(filter, |all, own| all.with_target(*own, level));
    let lines = fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
    Registry::default().with(lines.with_writer(Scrubbed(writer)).with_filter(filter))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use serde_json::Value;

    use super::*;

    #[derive(Clone, Default)]
    struct LogBuffer(Arc<Mutex<Vec<u8>>>);

    impl Write for LogBuffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Returns the lines that `work` logs at `level`.
    fn logged(level: LevelFilter, work: impl FnOnce()) -> Vec<String> {
        let log = LogBuffer::default();
        let writer = log.clone();
        tracing::subscriber::with_default(subscriber(level, move || writer.clone()), work);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn chosen(variables: &[(&str, &str)]) -> LogLevel {
        LogLevel::from_lookup(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_line_is_one_flat_object_with_a_time_in_utc() {
        let lines = logged(LevelFilter::INFO, || {
            tracing::info!(target: "stagehost_runtime::call", listing = %51, state = "CreateZipBundle", "call\nended");
        });
        let [line] = lines.try_into().unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["message"], "call\nended");
        assert_eq!(line["listing"], "51");
        assert_eq!(line["state"], "CreateZipBundle");
        assert_eq!(line["target"], "stagehost_runtime::call");
        let time = line["timestamp"].as_str().unwrap();
        assert!(time.contains('T') && time.ends_with('Z'), "{time}");
    }

    #[test]
    fn log_level_precedes_lambdas_own_variable_and_the_default_is_info() {
        let level = |variables: &[(&str, &str)]| chosen(variables).level;
        assert_eq!(level(&[]), LevelFilter::INFO);
        assert_eq!(level(&[("AWS_LAMBDA_LOG_LEVEL", "FATAL")]), LevelFilter::ERROR);
        assert_eq!(level(&[("LOG_LEVEL", "debug"), ("AWS_LAMBDA_LOG_LEVEL", "ERROR")]), LevelFilter::DEBUG);
        assert_eq!(level(&[("LOG_LEVEL", " "), ("AWS_LAMBDA_LOG_LEVEL", "WARN")]), LevelFilter::WARN);
    }

    #[test]
    fn an_unknown_level_is_reported_and_ignored() {
        let chosen = chosen(&[("LOG_LEVEL", "verbose"), ("AWS_LAMBDA_LOG_LEVEL", "WARN")]);
        assert_eq!(chosen.level, LevelFilter::WARN);
        let lines = logged(chosen.level, || chosen.warn_if_unknown());
        assert!(lines[0].contains("LOG_LEVEL=verbose is not a log level"), "{lines:?}");
    }

    #[test]
    fn libraries_are_logged_from_warnings_on_at_any_level() {
        let lines = logged(LevelFilter::TRACE, || {
            tracing::trace!(target: "aws_smithy_runtime::client", "request");
            tracing::warn!(target: "aws_smithy_runtime::client", "retrying");
            tracing::trace!(target: "stagehost_aws::objects", "planned");
        });
        assert_eq!(lines.len(), 2, "{lines:?}");
        let lines = logged(LevelFilter::ERROR, || tracing::warn!(target: "hyper", "slow"));
        assert!(lines.is_empty());
    }

    #[test]
    fn no_field_of_a_log_line_shows_a_presigned_url_or_a_secret() {
        let url = "https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIAXYZ&X-Amz-Signature=fe5f80f77d5fa3be";
        let lines = logged(LevelFilter::TRACE, || {
            tracing::warn!(target: "stagehost_runtime::call", stderr = url, "GET {url}");
            tracing::warn!(target: "reqwest", error = %url, url = ?url, secret = "whsec_c2VjcmV0", "x");
        });
        assert_eq!(lines.len(), 2);
        for line in lines {
            serde_json::from_str::<Value>(&line).unwrap();
            for hidden in ["AKIAXYZ", "fe5f80f77d5fa3be", "c2VjcmV0"] {
                assert!(!line.contains(hidden), "{line}");
            }
        }
    }
}
