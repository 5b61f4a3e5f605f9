//! The runs of distributed Map states in the API.

use serde_json::{Value, json};
use stagehost_asl::{ItemCounts, MapRun, Status, epoch_seconds};

use super::executions::summary;
use super::paging::Page;
use super::requests::{ListExecutions, ListMapRuns, UpdateMapRun};
use super::responses::{empty, with_next};
use crate::error::StatesError;
use crate::service::States;

impl States {
    pub(super) fn describe_map_run(&self, arn: &str) -> Result<Value, StatesError> {
        let run = self.map_run(arn)?;
        let state = run.state();
        let mut answer = json!({
            "mapRunArn": run.arn, "executionArn": run.execution_arn, "status": state.status.as_str(),
            "startDate": epoch_seconds(run.started_at), "maxConcurrency": state.limits.concurrency,
            "toleratedFailureCount": state.limits.tolerated_count.unwrap_or(0),
            "toleratedFailurePercentage": state.limits.tolerated_percentage.unwrap_or(0.0),
            "itemCounts": counts(&state.items), "executionCounts": counts(&state.executions)
        });
        if let Some(stopped) = state.stopped_at {
            answer["stopDate"] = epoch_seconds(stopped);
        }
        Ok(answer)
    }

    pub(super) fn list_map_runs(&self, request: &ListMapRuns) -> Result<Value, StatesError> {
        let arn = &request.execution_arn;
        self.record(arn)?;
        let page = Page::read(json!(["map runs", arn]), request.max_results, request.next_token.as_deref())?;
        let runs = self.options.map_runs.of_execution(arn);
        let runs = runs.into_iter().zip(0_u64..).skip_while(|(_, at)| *at < page.from.unwrap_or(0));
        let (runs, next) = page.cut(runs, |(_, at)| *at);
        let runs: Vec<Value> = runs
            .iter()
            .map(|(run, _)| {
                let mut item = json!({
                    "executionArn": run.execution_arn, "mapRunArn": run.arn, "stateMachineArn": run.state_machine_arn,
                    "startDate": epoch_seconds(run.started_at)
                });
                if let Some(stopped) = run.state().stopped_at {
                    item["stopDate"] = epoch_seconds(stopped);
                }
                item
            })
            .collect();
        Ok(with_next(json!({"mapRuns": runs}), next))
    }

    pub(super) fn update_map_run(&self, request: &UpdateMapRun) -> Result<Value, StatesError> {
        let run = self.map_run(&request.map_run_arn)?;
        let percentage = request.tolerated_failure_percentage;
        if percentage.is_some_and(|percentage| !(0.0..=100.0).contains(&percentage)) {
            return Err(StatesError::validation("toleratedFailurePercentage must be between 0 and 100"));
        }
        // A run that has ended stays as it is.
        run.update(|limits| {
            limits.concurrency = request.max_concurrency.unwrap_or(limits.concurrency);
            limits.tolerated_count = request.tolerated_failure_count.or(limits.tolerated_count);
            limits.tolerated_percentage = percentage.or(limits.tolerated_percentage);
        });
        Ok(empty())
    }

    /// Returns the child executions of a map run.
    pub(super) fn list_children(
        &self,
        arn: &str,
        status: Option<Status>,
        request: &ListExecutions,
    ) -> Result<Value, StatesError> {
        self.map_run(arn)?;
        let list = json!(["children", arn, request.status_filter]);
        let page = Page::read(list, request.max_results, request.next_token.as_deref())?;
        let children = self.options.map_runs.children(arn).into_iter();
        let wanted = children
            .filter(|(_, number, _)| page.from.is_none_or(|from| *number <= from))
            .filter(|(execution, ..)| status.is_none_or(|status| execution.status() == status));
        let (children, next) = page.cut(wanted, |(_, number, _)| *number);
        let executions: Vec<Value> = children
            .iter()
            .map(|(execution, _, items)| {
                let mut fields = summary(execution);
                fields.insert("itemCount".into(), (*items).into());
                Value::Object(fields)
            })
            .collect();
        Ok(with_next(json!({"executions": executions}), next))
    }

    fn map_run(&self, arn: &str) -> Result<std::sync::Arc<MapRun>, StatesError> {
        if !arn.starts_with("arn:") {
            return Err(StatesError::invalid_arn(arn));
        }
        let found = self.options.map_runs.get(arn);
        found.ok_or_else(|| StatesError::new("ResourceNotFound", format!("Resource not found: '{arn}'")))
    }
}

fn counts(counts: &ItemCounts) -> Value {
    json!({
        "pending": counts.pending, "running": counts.running, "succeeded": counts.succeeded, "failed": counts.failed,
        "timedOut": counts.timed_out, "aborted": counts.aborted, "total": counts.total,
        "resultsWritten": counts.results_written
    })
}
