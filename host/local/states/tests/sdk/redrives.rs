//! `RedriveExecution`.

use aws_sdk_sfn::types::{ExecutionRedriveFilter, ExecutionStatus};
use serde_json::json;

use crate::support::{INVOKE, Service, name};

#[tokio::test]
async fn a_redriven_execution_goes_on_from_the_state_that_failed() {
    let service = Service::start().await;
    let client = &service.client;
    // The function fails once for each state that asks for it.
    let states = json!({
        "First": {"Type": "Pass", "Result": {"fail": "E"}, "Assign": {"v": 7}, "Next": "Work"},
        "Work": {
            "Type": "Task", "Resource": INVOKE, "Parameters": {"FunctionName": "f", "Payload": {"fail.$": "$.fail"}},
            "Next": "Last"
        },
        "Last": {"Type": "Pass", "Parameters": {"v.$": "$v", "n.$": "$$.Execution.RedriveCount"}, "End": true}
    });
    service.fail_once();
    let machine = service.create("m", states).await;
    let arn = client.start_execution().state_machine_arn(&machine).send().await.unwrap().execution_arn;
    let running = service.states.execution(&arn).unwrap();
    running.wait().await;
    let failed = client.describe_execution().execution_arn(&arn).send().await.unwrap();
    assert_eq!(failed.status, ExecutionStatus::Failed);

    let redrive = || client.redrive_execution().execution_arn(&arn).client_token("t-1").send();
    let first = redrive().await.unwrap().redrive_date;
    running.wait().await;
    assert_eq!(redrive().await.unwrap().redrive_date, first, "the same token does nothing again");
    let seen = client.describe_execution().execution_arn(&arn).send().await.unwrap();
    assert_eq!((seen.status, seen.redrive_count), (ExecutionStatus::Succeeded, Some(1)));
    assert_eq!(seen.redrive_date, Some(first));
    assert_eq!(seen.output.as_deref(), Some(r#"{"v":7,"n":1}"#));
    let events = client.get_execution_history().execution_arn(&arn).send().await.unwrap().events;
    let types: Vec<&str> = events.iter().map(|event| event.r#type.as_str()).collect();
    assert_eq!(
        types[4..],
        [
            "TaskScheduled",
            "TaskStarted",
            "TaskFailed",
            "ExecutionFailed",
            "ExecutionRedriven",
            "TaskScheduled",
            "TaskStarted",
            "TaskSucceeded",
            "TaskStateExited",
            "PassStateEntered",
            "PassStateExited",
            "ExecutionSucceeded"
        ]
    );
    let of = |filter| client.list_executions().state_machine_arn(&machine).redrive_filter(filter).send();
    assert_eq!(of(ExecutionRedriveFilter::Redriven).await.unwrap().executions.len(), 1);
    assert_eq!(of(ExecutionRedriveFilter::NotRedriven).await.unwrap().executions.len(), 0);

    let again = client.redrive_execution().execution_arn(&arn).send().await;
    assert_eq!(name(again), ("ExecutionNotRedrivable".into(), "Execution is SUCCEEDED and cannot be redriven".into()));
}
