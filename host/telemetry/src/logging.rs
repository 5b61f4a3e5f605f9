//! Log lines: one JSON object a line, so that CloudWatch Logs Insights can ask for `listing`, `state` or `digest`.
//!
//! The level is for the host's own code. Libraries are heard from `WARN` on: what the SDK says below that is
//! requests and responses, which are none of a log's business.

use tracing::level_filters::LevelFilter;
use tracing::{Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt};

use crate::scrub::Scrubbed;

/// The host's own code: the crates' common prefix, and the binary's name on Lambda.
const OWN: [&str; 2] = ["stagehost", "bootstrap"];

/// Which lines are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLevel {
    /// The least level of the host's own lines.
    pub level: LevelFilter,
    /// What the operator wrote that is no level, and is told of.
    pub unknown: Option<String>,
}

/// Logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// There is one subscriber per process.
    #[error("logging is set up already: {0}")]
    AlreadyThere(#[from] tracing_subscriber::util::TryInitError),
}

impl LogLevel {
    /// `LOG_LEVEL`, then Lambda's `AWS_LAMBDA_LOG_LEVEL`, then `INFO`. A value that is no level is passed over.
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

fn level(text: &str) -> Option<LevelFilter> {
    Some(match text.to_ascii_lowercase().as_str() {
        "trace" => LevelFilter::TRACE,
        "debug" => LevelFilter::DEBUG,
        "info" => LevelFilter::INFO,
        "warn" | "warning" => LevelFilter::WARN,
        // Lambda has a level above ERROR, which nothing here writes.
        "error" | "fatal" | "critical" => LevelFilter::ERROR,
        "off" => LevelFilter::OFF,
        _ => return None,
    })
}

/// Writes this process's log to standard output, by the level of its environment.
///
/// # Errors
/// [`LoggingError`] when the process has a subscriber already.
pub fn init_logging() -> Result<(), LoggingError> {
    let chosen = LogLevel::from_lookup(|name| std::env::var(name).ok());
    subscriber(chosen.level, std::io::stdout).try_init()?;
    chosen.tell();
    Ok(())
}

impl LogLevel {
    /// Says in the log what was passed over.
    fn tell(&self) {
        if let Some(unknown) = &self.unknown {
            let level = self.level;
            tracing::warn!(%level, "{unknown} is no log level; use TRACE, DEBUG, INFO, WARN, ERROR or OFF");
        }
    }
}

/// The subscriber behind [`init_logging`], with another writer.
pub fn subscriber<W>(level: LevelFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let others = level.min(LevelFilter::from_level(Level::WARN));
    // It repeats every error that an invocation answers with; the host has said the same, with its context.
    let filter = Targets::new().with_default(others).with_target("lambda_runtime::layers::panic", LevelFilter::OFF);
    let filter = OWN.iter().fold(filter, |all, own| all.with_target(*own, level));
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
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `work` logs at `level`.
    fn logged(level: LevelFilter, work: impl FnOnce()) -> Vec<String> {
        let log = Log::default();
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
    fn the_level_is_the_operators_then_lambdas_then_info() {
        let level = |variables: &[(&str, &str)]| chosen(variables).level;
        assert_eq!(level(&[]), LevelFilter::INFO);
        assert_eq!(level(&[("AWS_LAMBDA_LOG_LEVEL", "FATAL")]), LevelFilter::ERROR);
        assert_eq!(level(&[("LOG_LEVEL", "debug"), ("AWS_LAMBDA_LOG_LEVEL", "ERROR")]), LevelFilter::DEBUG);
        assert_eq!(level(&[("LOG_LEVEL", " "), ("AWS_LAMBDA_LOG_LEVEL", "WARN")]), LevelFilter::WARN);
    }

    #[test]
    fn a_level_that_does_not_exist_is_said_and_passed_over() {
        let chosen = chosen(&[("LOG_LEVEL", "verbose"), ("AWS_LAMBDA_LOG_LEVEL", "WARN")]);
        assert_eq!(chosen.level, LevelFilter::WARN);
        let lines = logged(chosen.level, || chosen.tell());
        assert!(lines[0].contains("LOG_LEVEL=verbose is no log level"), "{lines:?}");
    }

    #[test]
    fn libraries_are_heard_from_warnings_on_whatever_the_level() {
        let lines = logged(LevelFilter::TRACE, || {
            tracing::trace!(target: "aws_smithy_runtime::client", "request");
            tracing::warn!(target: "aws_smithy_runtime::client", "retrying");
            tracing::trace!(target: "stagehost_aws::parts", "planned");
        });
        assert_eq!(lines.len(), 2, "{lines:?}");
        let lines = logged(LevelFilter::ERROR, || tracing::warn!(target: "hyper", "slow"));
        assert!(lines.is_empty());
    }

    #[test]
    fn no_presigned_url_and_no_secret_reaches_the_log_in_any_field() {
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
