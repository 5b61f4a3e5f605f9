#![allow(clippy::unwrap_used)]
//! The lines as CloudWatch reads them.

use std::collections::BTreeSet;

use proptest::prelude::*;
use stagehost_batch::Case;

use super::*;
use crate::samples::{begin, calls};

fn parsed(calls: &StateCalls, cold: bool) -> Vec<Value> {
    lines("staging", calls, cold, begin()).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns the dimensions and the names of the metrics that a line declares, after checking that each has a value.
fn declared(line: &Value) -> (Vec<&str>, Vec<&str>) {
    let texts = |value: &'_ Value| value.as_array().unwrap().len();
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(texts(&directive["Dimensions"]), 1);
    let dimensions: Vec<&str> =
        directive["Dimensions"][0].as_array().unwrap().iter().map(|d| d.as_str().unwrap()).collect();
    let metrics: Vec<&str> =
        directive["Metrics"].as_array().unwrap().iter().map(|m| m["Name"].as_str().unwrap()).collect();
    for dimension in &dimensions {
        assert!(line[*dimension].as_str().is_some_and(|value| !value.is_empty()), "{dimension}");
    }
    for metric in &metrics {
        let values = line[*metric].as_array().cloned().unwrap_or_else(|| vec![line[*metric].clone()]);
        assert!((1..=100).contains(&values.len()) && values.iter().all(Value::is_number), "{metric}");
    }
    (dimensions, metrics)
}

#[test]
fn a_state_has_one_line_however_many_files_it_had() {
    let lines = parsed(&calls(60, &[]), false);
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    let (dimensions, metrics) = declared(line);
    assert_eq!(dimensions, ["Environment", "Stage", "Version"]);
    assert_eq!(metrics.len(), METRICS.len());
    assert_eq!(line["Calls"], 60);
    assert_eq!(line["Failures"], 0);
    assert_eq!(line["BytesRead"], 60_000);
    assert_eq!(line["BytesWritten"], 600);
    assert_eq!(line["Duration"][59], 159.0);
    assert_eq!(line["Instantiate"][0], 1.5);
    assert_eq!(line["MemoryPeak"][0], 64 << 20);
    assert_eq!(line["_aws"]["Timestamp"], 1_764_000_000_250_u64);
    assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Namespace"], "Stagehost");
}

#[test]
fn failures_are_counted_per_version_and_per_case() {
    let lines = parsed(&calls(3, &[Case::Corrupt, Case::Timeout, Case::Corrupt]), false);
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["Failures"], 3);
    for (line, case, count) in [(&lines[1], "Stage.Corrupt", 2), (&lines[2], "Stage.Timeout", 1)] {
        let (dimensions, metrics) = declared(line);
        assert_eq!((dimensions, metrics), (vec!["Environment", "Stage", "Case"], vec!["Failures"]));
        assert_eq!((&line["Case"], &line["Failures"]), (&json!(case), &json!(count)));
    }
}

#[test]
fn more_than_a_hundred_calls_have_more_lines_and_the_same_sums() {
    let lines = parsed(&calls(250, &[]), true);
    assert_eq!(lines.len(), 3);
    let values = |name: &str| lines.iter().map(|line| line[name].as_array().unwrap().len()).sum::<usize>();
    assert_eq!(values("Duration"), 250);
    assert_eq!(lines.iter().filter_map(|line| line["Calls"].as_u64()).sum::<u64>(), 250);
    assert_eq!(lines.iter().filter_map(|line| line["ColdStart"].as_u64()).sum::<u64>(), 1);
    for line in &lines {
        declared(line);
    }
}

#[test]
fn a_line_names_the_batch_and_the_execution() {
    let line = &parsed(&calls(1, &[]), false)[0];
    assert_eq!((&line["listing"], &line["batch"], &line["job"]), (&json!("51"), &json!("5"), &json!("4")));
    assert!(line["execution"].as_str().unwrap().starts_with("arn:aws:states"));
}

#[test]
fn errors_outside_any_stage_are_counted_in_all_and_by_kind() {
    let line: Value = serde_json::from_str(&host_error("staging", "Host.NoPin", SystemTime::now())).unwrap();
    let sets = &line["_aws"]["CloudWatchMetrics"][0]["Dimensions"];
    assert_eq!(*sets, json!([["Environment"], ["Environment", "Error"]]));
    assert_eq!((&line["HostErrors"], &line["Error"]), (&json!(1), &json!("Host.NoPin")));
}

#[test]
fn any_name_of_a_stage_becomes_a_valid_dimension() {
    for (text, value) in [("", "unknown"), (" :: ", "unknown"), ("größe", "gr??e"), ("a\nb", "a?b")] {
        assert_eq!(dimension(text), value);
    }
}

#[test]
fn the_dashboard_shows_every_metric_under_its_dimensions() {
    let template = include_str!("../../../statemachine/template.yaml");
    let mut on_dashboard = BTreeSet::new();
    for search in template.split("SEARCH('{Stagehost,").skip(1) {
        let (dimensions, rest) = search.split_once('}').unwrap();
        let name = rest.split("MetricName=\\\"").nth(1).unwrap().split("\\\"").next().unwrap();
        let dimensions: Vec<&str> = dimensions.split(',').collect();
        let metric = METRICS.iter().chain([&HOST_ERRORS]).find(|metric| metric.name == name);
        let metric = metric.unwrap_or_else(|| panic!("the dashboard shows {name}, which does not exist"));
        assert!(metric.dimensions.iter().any(|set| *set == dimensions), "{name} by {dimensions:?}");
        on_dashboard.insert(metric.name);
    }
    let published = METRICS.iter().chain([&HOST_ERRORS]).map(|metric| metric.name).collect();
    assert_eq!(on_dashboard, published, "the dashboard shows every metric");
}

proptest! {
    #[test]
    fn cloudwatch_accepts_every_dimension(text in ".{0,300}") {
        let value = dimension(&text);
        prop_assert!(!value.is_empty() && value.len() <= 1024 && value.is_ascii() && !value.starts_with(':'));
        prop_assert!(!value.trim().is_empty() && !value.contains(char::is_control));
    }
}
