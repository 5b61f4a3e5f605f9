//! Starts an execution for every message of the job queue. A duplicate delivery starts nothing. A bad message is reported
//! as failed and becomes visible again at once, so that SQS soon moves it to the dead-letter queue.
//!
//! Messages may be moved back from the dead-letter queue as they are. A result that could not be delivered has
//! `undelivered` beside the batch; its execution's name is taken, so it gets the next number of `retry`. For any other
//! message whose name is taken the execution decides: if that runs or has succeeded, the message is a duplicate. If it
//! has failed, its input decides, which names the message that it was started for. The same message, delivered once
//! more, is a duplicate as well, because the backend knows of the failure. Another message of the same name was sent to
//! run the job again: it is refused with an error, because dropping it would drop the job.

use std::time::Instant;

use async_trait::async_trait;
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};
use stagehost_aws::Documents;
use stagehost_batch::{Attributes, Case, Failure, InputError, TraceParent, parse_with_attributes};
use stagehost_storage::sdk_reason;

use crate::event::QueueRecord;
use crate::job_admission::JobAdmission;
use crate::visibility::{Redeliveries, Refused, Visibility};

/// The field that the state machine adds to a result which could not be delivered.
const UNDELIVERED: &str = "undelivered";

/// The field of an execution's input with the id of the message that it was started for.
const STARTED_FOR: &str = "queueMessage";

/// The header of a request's trace. Step Functions prefers it to the parameter `traceHeader`.
const TRACE_HEADER: &str = "x-amzn-trace-id";

/// The result of StartExecution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartOutcome {
    /// A new execution began.
    Started,
    /// An execution of that name runs or has succeeded.
    AlreadyStarted,
    /// An execution of that name has ended without success.
    Ended {
        /// Its status.
        status: ExecutionStatus,
        /// The id of the message that it was started for, if its input names one.
        started_for: Option<String>,
    },
}

/// Starts executions of the state machine.
#[async_trait]
pub trait Executions: Send + Sync + 'static {
    /// Starts an execution under `name`, in the trace `trace`. If an execution has that name already, returns its
    /// state.
    ///
    /// # Errors
    /// The reason in words; the message is tried again later.
    async fn start(&self, name: &str, input: &Value, trace: Option<&TraceParent>) -> Result<StartOutcome, String>;

    /// Returns the names of running executions, at most a thousand. The last ones may be missing.
    ///
    /// # Errors
    /// The reason in words, for the log.
    async fn running(&self) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }
}

/// The executions of one state machine, started with the SDK.
pub struct StateMachineExecutions {
    client: aws_sdk_sfn::Client,
    state_machine: String,
}

impl StateMachineExecutions {
    /// Returns a starter for the state machine with this ARN.
    pub fn new(client: aws_sdk_sfn::Client, state_machine: impl Into<String>) -> Self {
        Self { client, state_machine: state_machine.into() }
    }
}

#[async_trait]
impl Executions for StateMachineExecutions {
    async fn start(&self, name: &str, input: &Value, trace: Option<&TraceParent>) -> Result<StartOutcome, String> {
        let request =
            self.client.start_execution().state_machine_arn(&self.state_machine).name(name).input(input.to_string());
        let header = trace.map(TraceParent::xray_header);
        // Without it, the SDK sends the trace of the function's own invocation, and the execution would be part of that.
        let request = request.customize().mutate_request(move |request| {
            if let Some(header) = &header {
                request.headers_mut().insert(TRACE_HEADER, header.clone());
            }
        });
        match request.send().await {
            Ok(_) => Ok(StartOutcome::Started),
            Err(error) if error.as_service_error().is_some_and(|one| one.is_execution_already_exists()) => {
                self.state_of(name).await
            }
            Err(error) => Err(format!("StartExecution of {name}: {}", sdk_reason(&error))),
        }
    }

    async fn running(&self) -> Result<Vec<String>, String> {
        let machine = machine_of(&self.state_machine).unwrap_or(&self.state_machine);
        let request = self.client.list_executions().state_machine_arn(machine);
        let page = request.status_filter(ExecutionStatus::Running).max_results(1000).send().await;
        let page = page.map_err(|error| format!("ListExecutions of {machine}: {}", sdk_reason(&error)))?;
        Ok(page.executions.into_iter().map(|execution| execution.name).collect())
    }
}

impl StateMachineExecutions {
    async fn state_of(&self, name: &str) -> Result<StartOutcome, String> {
        let arn = execution_arn(&self.state_machine, name)
            .ok_or_else(|| format!("{} is not the ARN of a state machine", self.state_machine))?;
        let described = self.client.describe_execution().execution_arn(&arn).send().await;
        let described = described.map_err(|error| format!("DescribeExecution of {arn}: {}", sdk_reason(&error)))?;
        Ok(match described.status() {
            ExecutionStatus::Running | ExecutionStatus::PendingRedrive | ExecutionStatus::Succeeded => {
                StartOutcome::AlreadyStarted
            }
            status => {
                let input = described.input().and_then(|input| serde_json::from_str::<Value>(input).ok());
                let started_for = input.as_ref().and_then(|input| input[STARTED_FOR].as_str()).map(str::to_owned);
                StartOutcome::Ended { status: status.clone(), started_for }
            }
        })
    }
}

/// Returns the ARN of an execution. The state machine may be named by one of its versions or aliases, which are not part of it
/// (<https://docs.aws.amazon.com/step-functions/latest/dg/concepts-state-machine-alias.html>).
fn execution_arn(state_machine: &str, name: &str) -> Option<String> {
    let (before, machine) = machine_of(state_machine)?.split_once(":stateMachine:")?;
    Some(format!("{before}:execution:{machine}:{name}"))
}

/// Returns the ARN without a version or an alias.
fn machine_of(state_machine: &str) -> Option<&str> {
    let (before, machine) = state_machine.split_once(":stateMachine:")?;
    let name = machine.split(':').next()?;
    state_machine.get(..before.len() + ":stateMachine:".len() + name.len())
}

/// Handles an SQS batch. The answer names the failed messages (`ReportBatchItemFailures`).
pub(crate) async fn consume(
    executions: &dyn Executions,
    visibility: &dyn Visibility,
    documents: &Documents,
    admission: &JobAdmission,
    records: Vec<QueueRecord>,
) -> Value {
    let (mut failures, mut redeliveries) = (Vec::new(), Redeliveries::default());
    let running = executions.running().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the running executions cannot be listed; jobs begin whatever the share of their listing is");
        Vec::new()
    });
    for record in records {
        match take(executions, visibility, documents, (admission, &running), &record).await {
            Ok(Taken::Started(name, started)) => {
                let duplicate = started != StartOutcome::Started;
                tracing::info!(message_id = %record.message_id, execution = %name, duplicate, "job taken")
            }
            Ok(Taken::Postponed(name, seconds)) => tracing::info!(
                message_id = %record.message_id, execution = %name, again_after_seconds = seconds,
                "job postponed: its listing has its share of the running executions"
            ),
            Err(reason) => {
                let (receives, seconds) = (record.receives(), reason.again_after(record.receives()));
                tracing::warn!(
                    message_id = %record.message_id, %reason, receives, again_after_seconds = seconds,
                    "job refused; it goes back to the queue"
                );
                failures.push(json!({"itemIdentifier": record.message_id}));
                redeliveries.add(&record, seconds);
            }
        }
    }
    redeliveries.request(visibility).await;
    json!({ "batchItemFailures": failures })
}

/// The result of a message that was processed.
#[derive(Debug)]
enum Taken {
    /// The name of its execution, and whether that is new.
    Started(String, StartOutcome),
    /// The message was sent again. The name of its execution, and the seconds until the message is delivered.
    Postponed(String, u32),
}

async fn take(
    executions: &dyn Executions,
    visibility: &dyn Visibility,
    documents: &Documents,
    (admission, running): (&JobAdmission, &[String]),
    record: &QueueRecord,
) -> Result<Taken, Refused> {
    let body: Value = serde_json::from_str(&record.body)
        .map_err(|error| Refused::Unreadable(format!("the body is not JSON: {error}")))?;
    // A message that was moved back from the dead-letter queue may refer to a stored document.
    let body = documents.unpack(body).await.map_err(of_document)?;
    let texts = record
        .message_attributes
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.get("stringValue").and_then(Value::as_str)?)));
    let attributes = Attributes::from_iter(texts);
    let mut batch =
        parse_with_attributes(&body, &attributes).map_err(|error| Refused::Unreadable(of_input(&body, &error)))?;
    if batch.traceparent.is_none() {
        // A sender that is traced by X-Ray and knows nothing of W3C's header.
        batch.traceparent = record.sent_in().map(|trace| trace.header());
    }
    if body.get(UNDELIVERED).is_some_and(Value::is_object) {
        batch.retry = batch.retry.saturating_add(1);
    }
    let name = batch.execution_name();
    if !admission.admits(&name, running.iter().map(String::as_str), Instant::now()) {
        let seconds = JobAdmission::wait(&record.message_id);
        match visibility.postpone(record, seconds).await {
            Ok(()) => return Ok(Taken::Postponed(name, seconds)),
            // The execution's states wait for free calls instead.
            Err(error) => {
                tracing::warn!(%error, execution = %name, "a job cannot be postponed; it begins although its listing has its share")
            }
        }
    }
    let mut input = documents.pack(&batch).await.map_err(of_document)?;
    let message = record.first_id();
    if let Some(fields) = input.as_object_mut() {
        fields.insert(STARTED_FOR.to_owned(), message.into());
    }
    let trace = batch.traceparent.as_deref().and_then(TraceParent::parse);
    match executions.start(&name, &input, trace.as_ref()).await.map_err(Refused::ForNow)? {
        StartOutcome::Ended { started_for, .. } if started_for.as_deref() == Some(message) => {
            Ok(Taken::Started(name, StartOutcome::AlreadyStarted))
        }
        StartOutcome::Ended { status, .. } => Err(Refused::Unreadable(format!(
            "the execution {name} has ended as {status}; redrive that execution, or send the job with a higher \"retry\""
        ))),
        started => {
            admission.started(&name, Instant::now());
            Ok(Taken::Started(name, started))
        }
    }
}

/// Returns why a message is not a job. Dead letters of two other kinds have the form of EventBridge's events.
fn of_input(body: &Value, error: &InputError) -> String {
    match (body.get("detail-type").and_then(Value::as_str), body.get("source").and_then(Value::as_str)) {
        (Some(kind), _) => {
            format!("this is an event of EventBridge ({kind}) and not a job; docs/runbook.md says what to do with it")
        }
        (None, Some(source)) => format!("this is an event of {source} and not a job; it can be deleted"),
        (None, None) => error.to_string(),
    }
}

/// Returns the refusal for a stored document that cannot be read. Storage errors are retryable; an invalid document is
/// not.
fn of_document(failure: Failure) -> Refused {
    match failure.case {
        Case::InvalidInput => Refused::Unreadable(failure.to_string()),
        _ => Refused::ForNow(failure.to_string()),
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
