//! What watches the stack: alarms, and metrics in the host's log.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use stagehost_aws::AlarmState;
use stagehost_batch::ExecutionArn;

use super::deployed::{Deployed, PAUSE};

/// The time that CloudWatch may take for a metric or a log line, apart from the patience for an execution.
const LATE: Duration = Duration::from_secs(60);

/// How many of the stack's alarms go off in a run. They are the first ones in the list.
const GOING_OFF: usize = 2;

impl Deployed {
    /// Checks that each alarm of the stack exists and notifies the topic when it goes off. Returns how many there are,
    /// in words.
    pub async fn check_alarms(&self) -> Result<String> {
        let names = self.stack.alarms();
        let found = self.cloudwatch.alarms(&names).await?;
        for name in &names {
            let alarm = found.iter().find(|alarm| alarm.alarm_name == *name);
            let alarm = alarm.with_context(|| format!("there is no alarm {name}"))?;
            ensure!(
                alarm.actions_enabled,
                "{name} notifies nobody: its actions are disabled; enable them (EnableAlarmActions)"
            );
            ensure!(alarm.alarm_actions.contains(&self.stack.topic), "{name} does not notify {}", self.stack.topic);
        }
        Ok(format!("{} alarms", names.len()))
    }

    /// Waits until the alarms for dead letters and for failed executions have gone off. Returns their names.
    pub async fn wait_for_alarms(&self) -> Result<String> {
        let names: Vec<String> = self.stack.alarms().into_iter().take(GOING_OFF).collect();
        let begun = Instant::now();
        loop {
            let found: Vec<AlarmState> = self.cloudwatch.alarms(&names).await?;
            let went_off =
                |name: &String| found.iter().any(|alarm| alarm.alarm_name == *name && alarm.state_value == "ALARM");
            let Some(silent) = names.iter().find(|name| !went_off(name)) else { return Ok(names.join(", ")) };
            if begun.elapsed() >= self.patience {
                bail!("{silent} did not go off within {} s", self.patience.as_secs());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits for the line of the host's log in which a failure of this execution is a metric. Returns the stage that it counts for.
    pub async fn failure_in_log(&self, execution: &str) -> Result<String> {
        let name = ExecutionArn::parse(execution).map_or(execution, ExecutionArn::name);
        let begun = Instant::now();
        loop {
            let lines = self.cloudwatch.log_lines(&self.stack.log_group(), name, self.begun).await?;
            if let Some(stage) = lines.iter().find_map(|line| failing_stage(line, execution)) {
                return Ok(stage);
            }
            let patience = self.patience.min(LATE);
            if begun.elapsed() >= patience {
                bail!("no such line of {name} among {} lines after {} s", lines.len(), patience.as_secs());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until CloudWatch has counted a failure of a stage since the run began.
    pub async fn failures_counted(&self, stage: &str) -> Result<String> {
        let dimensions = [("Environment", self.stack.environment()), ("Stage", stage)];
        let begun = Instant::now();
        loop {
            let sum = self.cloudwatch.sum_of("Stagehost", "Failures", &dimensions, self.begun).await?;
            if sum >= 1.0 {
                return Ok(format!("{sum} failures"));
            }
            if begun.elapsed() >= self.patience {
                bail!("none after {} s", self.patience.as_secs());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Returns the stage of a log line in which a failure of this execution is a metric of CloudWatch's Embedded Metric Format.
fn failing_stage(line: &str, execution: &str) -> Option<String> {
    // An emulator may give several lines in one.
    line.lines().find_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let is_metric = line.pointer("/_aws/CloudWatchMetrics/0/Metrics/0/Name")? == "Failures";
        let failed = line["Failures"].as_u64()? > 0 && line["execution"] == execution;
        (is_metric && failed).then(|| line["Stage"].as_str().map(str::to_owned))?
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_failure_of_this_execution_that_is_a_metric_counts() {
        let metric = json!({"CloudWatchMetrics": [{"Namespace": "Stagehost", "Metrics": [{"Name": "Failures", "Unit": "Count"}]}]});
        let line = json!({"_aws": metric, "Failures": 1, "execution": "arn:e", "Stage": "validate"});
        assert_eq!(failing_stage(&format!("START\n{line}"), "arn:e").as_deref(), Some("validate"));
        let mut other = line.clone();
        for (field, value) in [("_aws", Value::Null), ("Failures", json!(0)), ("execution", json!("arn:f"))] {
            other[field] = value;
            assert_eq!(failing_stage(&other.to_string(), "arn:e"), None, "{field}");
            other = line.clone();
        }
        assert_eq!(failing_stage("no JSON", "arn:e"), None);
    }
}
