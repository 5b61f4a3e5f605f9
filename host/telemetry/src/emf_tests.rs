#![allow(clippy::unwrap_used)]
//! The lines as CloudWatch reads them.

use std::collections::BTreeSet;

use proptest::prelude::*;
use stagehost_batch::Case;

use super::*;
use crate::samples::{begin, calls};

fn parsed(calls: &StateCalls, cold: bool) -> Value {
    serde_json::from_str(&line("staging", calls, cold, begin())).unwrap()
}

/// Returns the dimensions and the names of the metrics that a line declares, after checking that each has a value.
fn declared(line: &Value) -> (Vec<&str>, Vec<&str>) {
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    let [dimensions] = &directive["Dimensions"].as_array().unwrap()[..] else { panic!("one set of dimensions") };
    let dimensions: Vec<&str> = dimensions.as_array().unwrap().iter().map(|d| d.as_str().unwrap()).collect();
    let metrics: Vec<&str> =
        directive["Metrics"].as_array().unwrap().iter().map(|m| m["Name"].as_str().unwrap()).collect();
    for dimension in &dimensions {
        assert!(line[*dimension].as_str().is_some_and(|value| !value.is_empty()), "{dimension}");
    }
    assert!(metrics.iter().all(|metric| line[*metric].is_number()));
    (dimensions, metrics)
}

#[test]
fn a_state_has_one_line_however_many_files_it_had() {
    let line = parsed(&calls(60, &[]), false);
    assert_eq!((&line["Calls"], &line["Failures"], &line["ColdStart"]), (&json!(60), &json!(0), &json!(0)));
    assert_eq!((&line["BytesRead"], &line["BytesWritten"]), (&json!(60_000), &json!(600)));
    assert_eq!((&line["DurationP50"], &line["DurationP95"]), (&json!(129.0), &json!(156.0)));
    assert_eq!((&line["DurationMax"], &line["DurationSum"]), (&json!(159.0), &json!(7770.0)));
    assert_eq!((&line["InstantiateMax"], &line["MemoryPeak"]), (&json!(1.5), &json!(64 << 20)));
    assert_eq!((&line["Environment"], &line["Stage"]), (&json!("staging"), &json!("thumbnails")));
}

#[test]
fn a_metric_is_sent_only_when_something_fails_because_each_hour_with_one_is_billed() {
    assert_eq!(parsed(&calls(60, &[]), false).get("_aws"), None);
    let line = parsed(&calls(60, &[Case::Corrupt]), false);
    assert_eq!(declared(&line), (vec!["Environment", "Stage"], vec!["Failures"]));
    assert_eq!(line["_aws"]["Timestamp"], 1_764_000_000_250_u64);
    assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Namespace"], "Stagehost");
}

#[test]
fn alarms_on_the_hosts_own_metrics_take_their_absence_for_zero() {
    let template = include_str!("../../../statemachine/template.yaml");
    let alarms = template.split("Type: AWS::CloudWatch::Alarm").skip(1);
    let own: Vec<&str> =
        alarms.filter(|alarm| alarm.split("Type: ").next().unwrap().contains("Namespace: Stagehost")).collect();
    assert!(!own.is_empty());
    assert!(
        own.iter().all(|alarm| alarm.split("AlarmActions").next().unwrap().contains("TreatMissingData: notBreaching"))
    );
}

#[test]
fn failures_are_counted_in_the_metric_and_by_case_beside_it() {
    let line = parsed(&calls(3, &[Case::Corrupt, Case::Timeout, Case::Corrupt]), true);
    assert_eq!((&line["Failures"], &line["ColdStart"]), (&json!(3), &json!(1)));
    assert_eq!(line["Cases"], json!({"Stage.Corrupt": 2, "Stage.Timeout": 1}));
}

#[test]
fn a_state_without_calls_has_a_line_of_zeros() {
    let line = parsed(&calls(0, &[]), false);
    assert_eq!((&line["Calls"], &line["DurationP95"], &line["MemoryPeak"]), (&json!(0), &json!(0.0), &json!(0)));
}

#[test]
fn a_line_names_the_batch_and_the_execution() {
    let line = parsed(&calls(1, &[]), false);
    assert_eq!((&line["listing"], &line["batch"], &line["job"]), (&json!("51"), &json!("5"), &json!("4")));
    assert!(line["execution"].as_str().unwrap().starts_with("arn:aws:states"));
}

#[test]
fn errors_outside_any_stage_are_one_metric_and_their_kind_is_beside_it() {
    let line: Value = serde_json::from_str(&host_error("staging", "Host.NoPin", SystemTime::now())).unwrap();
    assert_eq!(declared(&line), (vec!["Environment"], vec!["HostErrors"]));
    assert_eq!((&line["HostErrors"], &line["Error"]), (&json!(1), &json!("Host.NoPin")));
}

#[test]
fn no_log_level_of_the_function_silences_a_metric() {
    let error: Value = serde_json::from_str(&host_error("staging", "Host.NoPin", SystemTime::now())).unwrap();
    assert_eq!((&error["level"], &parsed(&calls(1, &[]), false)["level"]), (&json!("FATAL"), &json!("FATAL")));
}

#[test]
fn any_name_of_a_stage_becomes_a_valid_dimension() {
    for (text, value) in [("", "unknown"), (" :: ", "unknown"), ("größe", "gr??e"), ("a\nb", "a?b")] {
        assert_eq!(dimension(text), value);
    }
}

/// Returns the template's text up to the widgets, and the widgets.
fn dashboard() -> &'static str {
    include_str!("../../../statemachine/template.yaml").split_once("DashboardBody").unwrap().1
}

#[test]
fn the_dashboard_shows_every_metric_under_its_dimensions() {
    let mut on_dashboard = BTreeSet::new();
    for search in dashboard().split("SEARCH('{Stagehost,").skip(1) {
        let (dimensions, rest) = search.split_once('}').unwrap();
        let name = rest.split("MetricName=\\\"").nth(1).unwrap().split("\\\"").next().unwrap();
        let dimensions: Vec<&str> = dimensions.split(',').collect();
        let metric = [FAILURES, HOST_ERRORS].into_iter().find(|metric| metric.name == name);
        let metric = metric.unwrap_or_else(|| panic!("the dashboard shows {name}, which does not exist"));
        assert!(metric.dimensions.iter().any(|set| *set == dimensions), "{name} by {dimensions:?}");
        on_dashboard.insert(metric.name);
    }
    assert_eq!(on_dashboard, [FAILURES.name, HOST_ERRORS.name].into(), "the dashboard shows every metric");
}

#[test]
fn the_dashboard_asks_the_log_for_fields_that_the_lines_have() {
    let line = parsed(&calls(1, &[Case::Corrupt]), true);
    let queries: Vec<&str> = dashboard().split("| filter ispresent(Stage)").skip(1).collect();
    assert!(queries.len() >= 3, "{}", queries.len());
    for query in queries {
        let query = query.split('"').next().unwrap();
        let words = query.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        // Fields of the line begin with a capital letter; words of the language do not.
        for word in words.filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase())) {
            assert!(line.get(word).is_some(), "{word} in {query}");
        }
    }
}

proptest! {
    #[test]
    fn cloudwatch_accepts_every_dimension(text in ".{0,300}") {
        let value = dimension(&text);
        prop_assert!(!value.is_empty() && value.len() <= 1024 && value.is_ascii() && !value.starts_with(':'));
        prop_assert!(!value.trim().is_empty() && !value.contains(char::is_control));
    }
}
