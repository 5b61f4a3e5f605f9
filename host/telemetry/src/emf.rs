//! Metrics in CloudWatch's Embedded Metric Format: log lines from which CloudWatch makes metrics.
//!
//! A state has one line, however many files it had. CloudWatch bills every combination of a metric and its dimensions, for each hour
//! in which it is sent ("prorated by the hour and metered only when you send metrics", Amazon CloudWatch pricing). So only two
//! numbers are metrics, and they are sent when something fails; alarms and the dashboard take their absence for zero. The rest are
//! fields of the same line, which Logs Insights sums up by stage, version or listing; the dashboard does.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::calls::{StateCalls, milliseconds};

/// The namespace of all metrics.
pub const NAMESPACE: &str = "Stagehost";

/// The level of these lines. With its JSON log format Lambda drops lines below `ApplicationLogLevel`, counts a line without a level
/// as INFO, and never drops this one (AWS Lambda Developer Guide, "Log-level filtering").
pub(crate) const NEVER_DROPPED: &str = "FATAL";

/// How many characters of a dimension's value are kept. CloudWatch accepts 1024.
const MAX_DIMENSION: usize = 200;

/// A metric: its name, CloudWatch's unit, and the sets of dimensions under which it is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Metric {
    pub name: &'static str,
    pub unit: &'static str,
    pub dimensions: &'static [&'static [&'static str]],
}

/// Failed calls of a state.
pub const FAILURES: Metric = Metric { name: "Failures", unit: "Count", dimensions: &[&["Environment", "Stage"]] };

/// Errors outside any stage.
pub const HOST_ERRORS: Metric = Metric { name: "HostErrors", unit: "Count", dimensions: &[&["Environment"]] };

/// Returns the line for one of [`HOST_ERRORS`].
pub(crate) fn host_error(environment: &str, error: &str, now: SystemTime) -> String {
    json!({
        "level": NEVER_DROPPED,
        "_aws": directive(&HOST_ERRORS, now),
        "Environment": dimension(environment), "Error": dimension(error), "HostErrors": 1
    })
    .to_string()
}

/// Returns the line of one state, which is a metric if a call has failed; `cold` if it is the first work of this process.
pub(crate) fn line(environment: &str, calls: &StateCalls, cold: bool, now: SystemTime) -> String {
    let context = &calls.context;
    let durations = Spread::of(calls.kept.iter().map(|call| call.report.duration));
    let memory = calls.kept.iter().map(|call| call.report.memory_peak).max().unwrap_or_default();
    let instantiate = calls.kept.iter().map(|call| call.report.instantiate).max().unwrap_or_default();
    let mut line = Map::new();
    if !calls.failures.is_empty() {
        line.insert("_aws".into(), directive(&FAILURES, now));
    }
    for (name, value) in [
        ("level", json!(NEVER_DROPPED)),
        ("Environment", json!(dimension(environment))),
        ("Stage", json!(dimension(&context.stage))),
        ("Version", json!(dimension(&context.version))),
        ("Calls", json!(calls.count)),
        ("Failures", json!(calls.failures.values().sum::<u64>())),
        ("Cases", json!(calls.failures)),
        ("ColdStart", json!(u8::from(cold))),
        ("DurationSum", json!(milliseconds(durations.sum))),
        ("DurationP50", json!(milliseconds(durations.p50))),
        ("DurationP95", json!(milliseconds(durations.p95))),
        ("DurationMax", json!(milliseconds(durations.max))),
        ("InstantiateMax", json!(milliseconds(instantiate))),
        ("MemoryPeak", json!(memory)),
        ("BytesRead", json!(calls.bytes_read)),
        ("BytesWritten", json!(calls.bytes_written)),
        ("state", json!(context.state)),
        ("listing", json!(context.listing)),
        ("execution", json!(context.execution)),
        ("digest", json!(context.digest)),
    ] {
        line.insert(name.into(), value);
    }
    for (name, value) in [("batch", &context.batch), ("job", &context.job)] {
        if let Some(value) = value {
            line.insert(name.into(), json!(value));
        }
    }
    Value::Object(line).to_string()
}

/// Returns what tells CloudWatch which field of a line is a metric.
fn directive(metric: &Metric, now: SystemTime) -> Value {
    json!({
        "Timestamp": milliseconds_since_1970(now),
        "CloudWatchMetrics": [{
            "Namespace": NAMESPACE,
            "Dimensions": metric.dimensions,
            "Metrics": [{"Name": metric.name, "Unit": metric.unit}]
        }]
    })
}

/// How the durations of a state's calls are spread, of those that are kept.
struct Spread {
    sum: Duration,
    p50: Duration,
    p95: Duration,
    max: Duration,
}

impl Spread {
    fn of(durations: impl Iterator<Item = Duration>) -> Self {
        let mut all: Vec<Duration> = durations.collect();
        all.sort_unstable();
        // The nearest rank: of one hundred calls, the fiftieth and the ninety-fifth.
        let rank =
            |percent: usize| all.get((all.len() * percent).div_ceil(100).max(1) - 1).copied().unwrap_or_default();
        Self { sum: all.iter().sum(), p50: rank(50), p95: rank(95), max: rank(100) }
    }
}

pub(crate) fn milliseconds_since_1970(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or_default()
}

/// Returns a value that CloudWatch accepts: not empty, printable ASCII, no colon at the beginning. The name of a stage
/// is any text of its author's.
pub(crate) fn dimension(text: &str) -> String {
    let clean: String = text
        .trim()
        .chars()
        .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
        .take(MAX_DIMENSION)
        .collect();
    match clean.trim_start_matches(':').trim() {
        "" => "unknown".to_owned(),
        text => text.to_owned(),
    }
}

#[cfg(test)]
#[path = "emf_tests.rs"]
mod tests;
