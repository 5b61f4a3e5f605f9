//! Numbers that stages measure, as metrics of CloudWatch: lines in the Embedded Metric Format, written when an invocation
//! ends.
//!
//! They have a namespace of their own, so that no stage can write into the host's. The specification allows at most 100
//! metrics in a line, and 100 values for each
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::{Map, Value, json};
use stagehost_runtime::{Measure, MeasuredValue};

use crate::calls::StateContext;
use crate::emf::{NEVER_DROPPED, dimension, milliseconds_since_1970};

/// The namespace of the stages' own metrics.
pub const STAGE_NAMESPACE: &str = "Stagehost/Stages";

/// The most names of one state.
const MAX_NAMES: usize = 32;
/// The most values of one name that are kept of one state.
const MAX_VALUES: usize = 1000;
/// The most values of one name in one line.
const VALUES_IN_A_LINE: usize = 100;

/// Fields of the line that are not metrics. A metric with such a name is left out.
const OWN_FIELDS: [&str; 9] =
    ["level", "_aws", "Environment", "Stage", "Version", "state", "listing", "execution", "digest"];

/// What the calls of one state have measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct StateMeasures(BTreeMap<String, MeasuredValue>);

impl StateMeasures {
    /// Adds what one call has measured. Numbers under a name that is taken for the other kind are dropped.
    pub(crate) fn add(&mut self, measures: &[Measure]) {
        for Measure { name, value } in measures.iter().filter(|one| !OWN_FIELDS.contains(&&*one.name)) {
            let known = self.0.len();
            match (self.0.get_mut(name), value) {
                (Some(MeasuredValue::Count(sum)), MeasuredValue::Count(more)) => *sum = sum.saturating_add(*more),
                (Some(MeasuredValue::Milliseconds(all)), MeasuredValue::Milliseconds(more)) => {
                    all.extend(more.iter().take(MAX_VALUES.saturating_sub(all.len())));
                }
                (None, _) if known < MAX_NAMES => drop(self.0.insert(name.clone(), value.clone())),
                _ => {}
            }
        }
    }

    /// Returns the lines: one, or more if a name has more values than a line may have.
    pub(crate) fn lines(&self, environment: &str, context: &StateContext, now: SystemTime) -> Vec<String> {
        let values = |measured: &MeasuredValue| match measured {
            MeasuredValue::Count(_) => 1,
            MeasuredValue::Milliseconds(values) => values.len(),
        };
        let longest = self.0.values().map(values).max().unwrap_or_default();
        let line = |number: usize| {
            let first = number * VALUES_IN_A_LINE;
            let shown = self.0.iter().filter_map(|(name, measured)| match measured {
                MeasuredValue::Count(sum) => (number == 0).then(|| (name, "Count", json!(sum))),
                MeasuredValue::Milliseconds(values) => {
                    let values: Vec<_> = values.iter().skip(first).take(VALUES_IN_A_LINE).collect();
                    (!values.is_empty()).then(|| (name, "Milliseconds", json!(values)))
                }
            });
            self::line(environment, context, shown.collect(), now)
        };
        (0..longest.div_ceil(VALUES_IN_A_LINE)).map(line).collect()
    }
}

fn line(environment: &str, context: &StateContext, metrics: Vec<(&String, &str, Value)>, now: SystemTime) -> String {
    let definitions: Vec<_> = metrics.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
    let mut line = Map::new();
    for (name, value) in [
        ("level", json!(NEVER_DROPPED)),
        (
            "_aws",
            json!({
                "Timestamp": milliseconds_since_1970(now),
                "CloudWatchMetrics": [{
                    "Namespace": STAGE_NAMESPACE,
                    "Dimensions": [["Environment", "Stage"]],
                    "Metrics": definitions
                }]
            }),
        ),
        ("Environment", json!(dimension(environment))),
        ("Stage", json!(dimension(&context.stage))),
        ("Version", json!(dimension(&context.version))),
        ("state", json!(context.state)),
        ("listing", json!(context.listing)),
        ("execution", json!(context.execution)),
        ("digest", json!(context.digest)),
    ] {
        line.insert(name.into(), value);
    }
    for (name, _, value) in metrics {
        line.insert(name.clone(), value);
    }
    Value::Object(line).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::samples::{begin, scope};

    fn counted(name: &str, sum: u64) -> Measure {
        Measure { name: name.into(), value: MeasuredValue::Count(sum) }
    }

    fn timed(name: &str, values: usize) -> Measure {
        Measure { name: name.into(), value: MeasuredValue::Milliseconds(vec![1.5; values]) }
    }

    fn lines(calls: &[Vec<Measure>]) -> Vec<Value> {
        let mut all = StateMeasures::default();
        calls.iter().for_each(|measures| all.add(measures));
        let lines = all.lines("staging", &StateContext::of(&scope()), begin());
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn the_calls_of_a_state_have_one_line_in_the_stages_own_namespace() {
        let lines =
            lines(&[vec![counted("faces", 2), timed("decode", 1)], vec![counted("faces", 3), timed("decode", 1)]]);
        let [line] = &lines[..] else { panic!("{lines:?}") };
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "Stagehost/Stages");
        assert_eq!(directive["Dimensions"], json!([["Environment", "Stage"]]));
        let metrics = json!([{"Name": "decode", "Unit": "Milliseconds"}, {"Name": "faces", "Unit": "Count"}]);
        assert_eq!(directive["Metrics"], metrics);
        assert_eq!((&line["faces"], &line["decode"]), (&json!(5), &json!([1.5, 1.5])));
        assert_eq!((&line["Stage"], &line["level"]), (&json!("thumbnails"), &json!("FATAL")));
    }

    #[test]
    fn no_line_has_more_values_than_cloudwatch_takes_and_a_counter_is_in_one_line() {
        let lines = lines(&vec![vec![timed("decode", 100), counted("files", 1)]; 3]);
        let values: Vec<_> = lines.iter().map(|line| line["decode"].as_array().unwrap().len()).collect();
        assert_eq!(values, [100, 100, 100]);
        assert_eq!(lines.iter().filter(|line| line.get("files").is_some()).count(), 1);
    }

    #[test]
    fn what_is_kept_of_a_state_is_bounded() {
        let many: Vec<_> = (0..40).map(|number| counted(&format!("n{number}"), 1)).collect();
        let one = lines(&[many]);
        assert_eq!(one[0]["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap().len(), 32);
        assert_eq!(lines(&vec![vec![timed("decode", 100)]; 50]).len(), 10);
    }

    #[test]
    fn a_stage_cannot_replace_a_field_of_the_line_or_change_a_metric_s_kind() {
        let lines = lines(&[vec![counted("Environment", 1), counted("n", 1)], vec![timed("n", 5)]]);
        assert_eq!(lines.len(), 1);
        assert_eq!((&lines[0]["Environment"], &lines[0]["n"]), (&json!("staging"), &json!(1)));
        assert!(super::StateMeasures::default().lines("staging", &StateContext::of(&scope()), begin()).is_empty());
    }
}
