//! Metrics in CloudWatch's Embedded Metric Format: log lines from which CloudWatch makes metrics.
//!
//! A state has one line, however many files it had: sums where sums are enough, and all values where percentiles are
//! needed. A line has at most 100 values of a metric; larger batches have more lines. Failures are counted once per
//! stage version, for canaries and alarms, and once per case, on lines of their own because a dimension has one value
//! per line.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::calls::{EndedCall, StateCalls, StateContext, milliseconds};

/// The namespace of all metrics.
pub const NAMESPACE: &str = "Stagehost";

/// The most values of one metric in one line.
const MAX_VALUES: usize = 100;

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

const BY_VERSION: &[&str] = &["Environment", "Stage", "Version"];
const BY_CASE: &[&str] = &["Environment", "Stage", "Case"];

/// All metrics of a state.
pub const METRICS: [Metric; 8] = [
    Metric { name: "Calls", unit: "Count", dimensions: &[BY_VERSION] },
    Metric { name: "Failures", unit: "Count", dimensions: &[BY_VERSION, BY_CASE] },
    Metric { name: "ColdStart", unit: "Count", dimensions: &[BY_VERSION] },
    Metric { name: "BytesRead", unit: "Bytes", dimensions: &[BY_VERSION] },
    Metric { name: "BytesWritten", unit: "Bytes", dimensions: &[BY_VERSION] },
    Metric { name: "Duration", unit: "Milliseconds", dimensions: &[BY_VERSION] },
    Metric { name: "Instantiate", unit: "Milliseconds", dimensions: &[BY_VERSION] },
    Metric { name: "MemoryPeak", unit: "Bytes", dimensions: &[BY_VERSION] },
];

/// Errors outside any stage: counted in all, for an alarm, and by kind.
pub const HOST_ERRORS: Metric =
    Metric { name: "HostErrors", unit: "Count", dimensions: &[&["Environment"], &["Environment", "Error"]] };

/// Returns the line for one of [`HOST_ERRORS`].
pub(crate) fn host_error(environment: &str, error: &str, now: SystemTime) -> String {
    json!({
        "_aws": {
            "Timestamp": milliseconds_since_1970(now),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": HOST_ERRORS.dimensions,
                "Metrics": [{"Name": HOST_ERRORS.name, "Unit": HOST_ERRORS.unit}]
            }]
        },
        "Environment": dimension(environment), "Error": dimension(error), "HostErrors": 1
    })
    .to_string()
}

/// Returns the lines of one state; `cold` if it is the first work of this process.
pub(crate) fn lines(environment: &str, calls: &StateCalls, cold: bool, now: SystemTime) -> Vec<String> {
    let mut chunks = calls.kept.chunks(MAX_VALUES);
    let mut values = distributions(chunks.next().unwrap_or_default());
    values.extend([
        ("Calls", json!(calls.count)),
        ("Failures", json!(calls.failures.values().sum::<u64>())),
        ("ColdStart", json!(u8::from(cold))),
        ("BytesRead", json!(calls.bytes_read)),
        ("BytesWritten", json!(calls.bytes_written)),
    ]);
    let line =
        |dimensions, case: Option<&str>, values| line(environment, &calls.context, dimensions, case, values, now);
    let mut lines = vec![line(BY_VERSION, None, values)];
    lines.extend(chunks.map(|chunk| line(BY_VERSION, None, distributions(chunk))));
    for (case, count) in &calls.failures {
        lines.push(line(BY_CASE, Some(case), vec![("Failures", json!(count))]));
    }
    lines
}

/// Returns the metrics whose values are all published.
fn distributions(calls: &[EndedCall]) -> Vec<(&'static str, Value)> {
    let all = |value: fn(&EndedCall) -> Value| Value::Array(calls.iter().map(value).collect());
    vec![
        ("Duration", all(|call| json!(milliseconds(call.report.duration)))),
        ("Instantiate", all(|call| json!(milliseconds(call.report.instantiate)))),
        ("MemoryPeak", all(|call| json!(call.report.memory_peak))),
    ]
}

fn line(
    environment: &str,
    context: &StateContext,
    dimensions: &[&str],
    case: Option<&str>,
    values: Vec<(&'static str, Value)>,
    now: SystemTime,
) -> String {
    let metrics: Vec<Value> = METRICS
        .iter()
        .filter(|metric| values.iter().any(|(name, _)| *name == metric.name))
        .map(|metric| json!({"Name": metric.name, "Unit": metric.unit}))
        .collect();
    let mut line = Map::new();
    line.insert(
        "_aws".into(),
        json!({
            "Timestamp": milliseconds_since_1970(now),
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": metrics}]
        }),
    );
    for (name, value) in
        [("Environment", Some(environment)), ("Stage", Some(&*context.stage)), ("Version", Some(&*context.version))]
            .into_iter()
            .chain([("Case", case)])
    {
        if let Some(value) = value {
            line.insert(name.into(), Value::String(dimension(value)));
        }
    }
    line.extend(values.into_iter().map(|(name, value)| (name.to_owned(), value)));
    // These are not metrics: Logs Insights finds the batch behind a number by them.
    for (name, value) in [
        ("state", Some(&context.state)),
        ("listing", Some(&context.listing)),
        ("batch", context.batch.as_ref()),
        ("job", context.job.as_ref()),
        ("execution", Some(&context.execution)),
        ("digest", Some(&context.digest)),
    ] {
        if let Some(value) = value {
            line.insert(name.into(), Value::String(value.clone()));
        }
    }
    Value::Object(line).to_string()
}

fn milliseconds_since_1970(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or_default()
}

/// Returns a value that CloudWatch accepts: not empty, printable ASCII, no colon at the beginning. The name of a stage
/// is any text of its author's.
fn dimension(text: &str) -> String {
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
