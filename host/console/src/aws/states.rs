//! The executions of a state machine on Step Functions.

use async_trait::async_trait;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::primitives::DateTime;
use aws_sdk_sfn::types::{ExecutionRedriveStatus, ExecutionStatus as SdkStatus};
use serde_json::Value;
use stagehost_batch::ExecutionArn;
use time::OffsetDateTime;

use super::events::past_event;
use super::kept_events::KeptEvents;
use super::times::time;
use crate::source::error::SourceError;
use crate::source::executions::{
    ExecutionFacts, ExecutionPage, ExecutionSource, ExecutionStatus, ListedExecution, PastEvent, RedriveFacts,
};

/// The most events that one execution can have (Step Functions Developer Guide, "Service quotas").
const MOST_EVENTS: usize = 25_000;

/// The executions of one state machine.
pub struct StateMachineSource {
    client: Client,
    machine: String,
}

impl StateMachineSource {
    /// Returns the executions of the state machine with this ARN.
    pub fn new(client: Client, machine: &str) -> Self {
        Self { client, machine: machine.to_owned() }
    }
}

fn started(of: &DateTime) -> OffsetDateTime {
    time(of).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Returns the name of an execution. Step Functions leaves it out of some answers.
fn named(arn: &str) -> Option<String> {
    ExecutionArn::parse(arn).map(|arn| arn.name().to_owned())
}

/// Returns a document of an execution; a text that is no JSON stays a text.
fn document(text: Option<&str>) -> Option<Value> {
    text.map(|text| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)))
}

#[async_trait]
impl ExecutionSource for StateMachineSource {
    fn machine(&self) -> &str {
        &self.machine
    }

    async fn list(
        &self,
        status: Option<ExecutionStatus>,
        token: Option<&str>,
        size: u16,
    ) -> Result<ExecutionPage, SourceError> {
        let request = self
            .client
            .list_executions()
            .state_machine_arn(&self.machine)
            .set_status_filter(status.map(|status| SdkStatus::from(status.name())))
            .set_next_token(token.map(str::to_owned))
            .max_results(i32::from(size));
        let page = request.send().await;
        let page = page.map_err(|error| SourceError::of_sdk("the executions cannot be listed", &error))?;
        let executions = page.executions.iter().map(|found| ListedExecution {
            arn: found.execution_arn.clone(),
            name: found.name.clone(),
            status: ExecutionStatus::named(found.status.as_str()),
            started: started(&found.start_date),
            stopped: found.stop_date.as_ref().and_then(time),
        });
        Ok(ExecutionPage { executions: executions.collect(), next: page.next_token })
    }

    async fn facts(&self, arn: &str) -> Result<ExecutionFacts, SourceError> {
        let found = self.client.describe_execution().execution_arn(arn).send().await;
        let found = found.map_err(|error| SourceError::of_sdk("the execution cannot be read", &error))?;
        Ok(ExecutionFacts {
            listed: ListedExecution {
                name: found.name.clone().or_else(|| named(arn)).unwrap_or_default(),
                arn: found.execution_arn,
                status: ExecutionStatus::named(found.status.as_str()),
                started: started(&found.start_date),
                stopped: found.stop_date.as_ref().and_then(time),
            },
            input: document(found.input.as_deref()).unwrap_or_default(),
            output: document(found.output.as_deref()),
            error: found.error,
            cause: found.cause,
            redrive: RedriveFacts {
                count: found.redrive_count.and_then(|count| u32::try_from(count).ok()).unwrap_or_default(),
                possible: found.redrive_status == Some(ExecutionRedriveStatus::Redrivable),
                why_not: found.redrive_status_reason,
            },
        })
    }

    async fn history(&self, arn: &str) -> Result<Vec<PastEvent>, SourceError> {
        let (mut events, mut token) = (KeptEvents::default(), None);
        loop {
            let request =
                self.client.get_execution_history().execution_arn(arn).max_results(1000).set_next_token(token.take());
            let page = request.send().await;
            let page = page.map_err(|error| SourceError::of_sdk("the history cannot be read", &error))?;
            page.events.iter().map(past_event).for_each(|event| events.push(event));
            token = page.next_token;
            if token.is_none() || events.len() >= MOST_EVENTS {
                return Ok(events.into_events());
            }
        }
    }

    async fn newest_event(&self, arn: &str) -> Result<i64, SourceError> {
        let request = self
            .client
            .get_execution_history()
            .execution_arn(arn)
            .reverse_order(true)
            .include_execution_data(false)
            .max_results(1);
        let page = request.send().await;
        let page = page.map_err(|error| SourceError::of_sdk("the history cannot be read", &error))?;
        Ok(page.events.first().map_or(0, |event| event.id))
    }

    async fn definition(&self, arn: &str) -> Result<String, SourceError> {
        let found = self.client.describe_state_machine_for_execution().execution_arn(arn).send().await;
        let found = found.map_err(|error| SourceError::of_sdk("the state machine cannot be read", &error))?;
        Ok(found.definition)
    }

    async fn start(&self, name: &str, input: &Value) -> Result<String, SourceError> {
        let request =
            self.client.start_execution().state_machine_arn(&self.machine).name(name).input(input.to_string());
        let begun = request.send().await;
        let begun = begun.map_err(|error| SourceError::of_sdk("the execution does not start", &error))?;
        Ok(begun.execution_arn)
    }

    async fn redrive(&self, arn: &str) -> Result<(), SourceError> {
        // The SDK makes a client token, so a request that it repeats is one redrive.
        let redriven = self.client.redrive_execution().execution_arn(arn).send().await;
        redriven.map(drop).map_err(|error| SourceError::of_sdk("the execution does not go on", &error))
    }

    async fn stop(&self, arn: &str, cause: &str) -> Result<(), SourceError> {
        let request = self.client.stop_execution().execution_arn(arn).error("Stagehost.Stopped").cause(cause);
        let stopped = request.send().await;
        stopped.map(drop).map_err(|error| SourceError::of_sdk("the execution cannot be stopped", &error))
    }
}
