//! Executions: started once, watched, answered by task tokens, listed and removed.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sfn::types::{ExecutionStatus, HistoryEventType};
use serde_json::{Value, json};
use stagehost_states::{NewExecution, NewMachine, States, StatesOptions};

use crate::support::{CALLBACK, Echo, INVOKE, Service, name, wait_forever};

#[tokio::test]
async fn a_machine_of_every_state_type_runs_and_its_history_can_be_read() {
    let service = Service::start().await;
    let machine = service
        .create(
            "all",
            json!({
                "Begin": {"Type": "Pass", "Parameters": {"n.$": "$.n", "id.$": "States.Format('job-{}', $.n)"}, "Next": "Work"},
                "Work": {
                    "Type": "Task", "Resource": INVOKE, "Next": "Both", "ResultPath": "$.work",
                    "Parameters": {"FunctionName": "${HostFunctionArn}", "Payload": {"fail": "Busy", "id.$": "$.id"}},
                    "ResultSelector": {"id.$": "$.Payload.id"},
                    "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 1, "JitterStrategy": "FULL"}]
                },
                "Both": {
                    "Type": "Parallel", "ResultPath": "$.both", "Next": "Each",
                    "Branches": [
                        {"StartAt": "B1", "States": {"B1": {"Type": "Pass", "Result": 1, "End": true}}},
                        {"StartAt": "B2", "States": {"B2": {"Type": "Succeed", "OutputPath": "$.n"}}}
                    ]
                },
                "Each": {
                    "Type": "Map", "ItemsPath": "$.both", "ResultPath": "$.each", "Next": "Ask",
                    "ItemSelector": {"v.$": "$$.Map.Item.Value", "n.$": "$.n"},
                    "ItemProcessor": {"StartAt": "I", "States": {"I": {
                        "Type": "Pass", "Parameters": {"sum.$": "States.MathAdd($.v, $.n)"}, "End": true
                    }}}
                },
                "Ask": {
                    "Type": "Choice", "Default": "Bad",
                    "Choices": [{"Variable": "$.each[0].sum", "NumericEquals": 5, "Next": "Rest"}]
                },
                "Rest": {"Type": "Wait", "Seconds": 0, "Next": "Refuse"},
                "Refuse": {
                    "Type": "Task", "Resource": INVOKE, "Parameters": {"Payload": {"fail": "No"}}, "Next": "Bad",
                    "Catch": [{"ErrorEquals": ["No"], "ResultPath": "$.error", "Next": "End"}]
                },
                "Bad": {"Type": "Fail", "Error": "Bad"},
                "End": {"Type": "Succeed"}
            }),
        )
        .await;
    let (status, output) = service.run(&machine, json!({"n": 4})).await;
    assert_eq!(status, ExecutionStatus::Succeeded);
    assert_eq!(
        output,
        json!({
            "n": 4, "id": "job-4", "work": {"id": "job-4"}, "both": [1, 4], "each": [{"sum": 5}, {"sum": 8}],
            "error": {"Error": "No", "Cause": "on request"}
        })
    );

    let arn = service.states.executions(Some(&machine))[0].info().arn.clone();
    let events = service.client.get_execution_history().execution_arn(&arn).send().await.unwrap().events;
    assert!(events.iter().enumerate().all(|(at, event)| event.id == at as i64 + 1));
    let scheduled = events.iter().find(|event| event.r#type == HistoryEventType::TaskScheduled).unwrap();
    let details = scheduled.task_scheduled_event_details.as_ref().unwrap();
    assert_eq!((details.resource_type.as_str(), details.resource.as_str()), ("lambda", "invoke"));
    assert_eq!(details.region, "eu-west-1");
    assert!(details.parameters.contains("arn:host"), "{}", details.parameters);
    for kind in [
        HistoryEventType::TaskFailed,
        HistoryEventType::ParallelStateSucceeded,
        HistoryEventType::MapIterationSucceeded,
        HistoryEventType::ChoiceStateExited,
        HistoryEventType::WaitStateExited,
        HistoryEventType::SucceedStateExited,
    ] {
        assert!(events.iter().any(|event| event.r#type == kind), "{kind:?}");
    }
    assert_eq!(events.last().unwrap().r#type, HistoryEventType::ExecutionSucceeded);
}

#[tokio::test]
async fn an_execution_of_one_name_runs_once() {
    let service = Service::start().await;
    let machine = service.create("m", wait_forever()).await;
    let start = |input: &str| {
        service.client.start_execution().state_machine_arn(&machine).name("job-4").input(input.to_owned()).send()
    };
    let first = start(r#"{"a": 1, "b": 2}"#).await.unwrap();
    assert_eq!(first.execution_arn, "arn:aws:states:eu-west-1:111122223333:execution:m:job-4");
    let second = start(r#"{"b":2,"a":1}"#).await.unwrap();
    assert_eq!((first.execution_arn.clone(), first.start_date), (second.execution_arn, second.start_date));
    let (code, message) = name(start("{}").await);
    assert_eq!(code, "ExecutionAlreadyExists");
    assert_eq!(message, format!("Execution Already Exists: '{}'", first.execution_arn));

    let stop = service.client.stop_execution().execution_arn(&first.execution_arn).error("Operator").cause("Enough.");
    stop.send().await.unwrap();
    assert_eq!(name(start(r#"{"a": 1, "b": 2}"#).await).0, "ExecutionAlreadyExists", "also after it has ended");
    let seen = service.client.describe_execution().execution_arn(&first.execution_arn).send().await.unwrap();
    assert_eq!(seen.status, ExecutionStatus::Aborted);
    assert_eq!((seen.error.as_deref(), seen.cause.as_deref()), (Some("Operator"), Some("Enough.")));
    assert_eq!(seen.input.as_deref(), Some(r#"{"a": 1, "b": 2}"#), "as it was given");
    assert!(seen.stop_date.is_some());
}

#[tokio::test]
async fn many_starts_at_once_with_one_name_start_one_execution() {
    let service = Service::start().await;
    let machine = service.create("m", wait_forever()).await;
    let starts =
        (0..20).map(|_| service.client.start_execution().state_machine_arn(&machine).name("once").input("{}").send());
    for started in futures_join(starts).await {
        assert!(started.is_ok(), "{started:?}");
    }
    assert_eq!(service.states.executions(Some(&machine)).len(), 1);
}

/// Awaits all futures concurrently.
async fn futures_join<F>(all: impl Iterator<Item = F>) -> Vec<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let mut tasks = tokio::task::JoinSet::new();
    all.for_each(|one| drop(tasks.spawn(one)));
    tasks.join_all().await
}

#[tokio::test]
async fn an_error_in_a_start_is_named() {
    let service = Service::start().await;
    let machine = service.create("m", wait_forever()).await;
    let start = || service.client.start_execution().state_machine_arn(&machine);
    for input in ["", "not json", "{'a': 1}", &json!("a".repeat(262_144)).to_string()] {
        assert_eq!(name(start().input(input).send().await).0, "InvalidExecutionInput", "{:.20}", input);
    }
    for input in ["2", "\"text\"", "null"] {
        start().input(input).send().await.unwrap();
    }
    assert_eq!(name(start().name("a/b").send().await).0, "InvalidName");
    let start = |arn: String| service.client.start_execution().state_machine_arn(arn).send();
    assert_eq!(name(start(format!("{machine}x")).await).0, "StateMachineDoesNotExist");
    assert_eq!(name(start("m".into()).await).0, "InvalidArn");
    let describe = |arn: &str| service.client.describe_execution().execution_arn(arn).send();
    let missing = "arn:aws:states:eu-west-1:111122223333:execution:m:none";
    let (code, message) = name(describe(missing).await);
    assert_eq!((code.as_str(), message), ("ExecutionDoesNotExist", format!("Execution Does Not Exist: '{missing}'")));
    assert_eq!(name(describe("none").await).0, "InvalidArn");
}

#[tokio::test]
async fn task_tokens_are_answered_through_the_api() {
    let service = Service::start().await;
    let waiting = json!({"W": {
        "Type": "Task", "Resource": CALLBACK, "End": true, "HeartbeatSeconds": 1_000,
        "Parameters": {"Payload": {"token.$": "$$.Task.Token"}}
    }});
    let machine = service.create("m", waiting).await;
    let start = || async {
        let started = service.client.start_execution().state_machine_arn(&machine).send().await.unwrap();
        (service.states.execution(&started.execution_arn).unwrap(), service.token().await)
    };
    let client = &service.client;

    let (execution, token) = start().await;
    client.send_task_heartbeat().task_token(&token).send().await.unwrap();
    let bad = client.send_task_success().task_token(&token).output("{").send().await;
    assert_eq!(name(bad).0, "InvalidOutput");
    client.send_task_success().task_token(&token).output(r#"{"done":1}"#).send().await.unwrap();
    assert_eq!(execution.wait().await.output, Some(json!({"done": 1})));
    let late = client.send_task_success().task_token(&token).output("1").send().await;
    assert_eq!(name(late).0, "TaskTimedOut");

    let (execution, token) = start().await;
    client.send_task_failure().task_token(token).error("Stage.Transcode").cause("no").send().await.unwrap();
    assert_eq!(execution.wait().await.error.as_deref(), Some("Stage.Transcode"));

    assert_eq!(name(client.send_task_heartbeat().task_token("nonsense").send().await).0, "InvalidToken");
    let foreign = Service::start().await;
    let machine = foreign.create("m", json!({"W": {"Type": "Task", "Resource": CALLBACK, "End": true}})).await;
    foreign.client.start_execution().state_machine_arn(machine).send().await.unwrap();
    let other = foreign.token().await;
    assert_eq!(name(client.send_task_heartbeat().task_token(other).send().await).0, "TaskDoesNotExist");
}

#[tokio::test]
async fn histories_are_paged_in_both_orders_and_without_data_if_requested() {
    let service = Service::start().await;
    let machine = service
        .create(
            "m",
            json!({"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "C"}, "C": {"Type": "Succeed"}}),
        )
        .await;
    service.run(&machine, json!({"secret": 1})).await;
    let arn = service.states.executions(None)[0].info().arn.clone();
    for reverse in [false, true] {
        let pages = service.client.get_execution_history().execution_arn(&arn).reverse_order(reverse).max_results(3);
        let mut pages = pages.include_execution_data(false).into_paginator().send();
        let (mut ids, mut count) = (Vec::new(), 0);
        while let Some(page) = pages.next().await {
            let page = page.unwrap();
            count += 1;
            for event in &page.events {
                ids.push(event.id);
                let details = event.execution_started_event_details.as_ref();
                assert!(details.is_none_or(|details| details.input.is_none()));
            }
        }
        let mut wanted: Vec<i64> = (1..=8).collect();
        if reverse {
            wanted.reverse();
        }
        assert_eq!((ids, count), (wanted, 3));
    }
    let wrong = service.client.get_execution_history().execution_arn(&arn).next_token("00").send().await;
    assert_eq!(name(wrong).0, "InvalidToken");
}

#[tokio::test]
async fn executions_are_listed_newest_first_by_status_and_in_pages() {
    let service = Service::start().await;
    let machine = service
        .create("m", json!({
            "C": {"Type": "Choice", "Choices": [{"Variable": "$.fail", "BooleanEquals": true, "Next": "F"}], "Default": "S"},
            "F": {"Type": "Fail"}, "S": {"Type": "Succeed"}
        }))
        .await;
    for at in 0..5 {
        let start = service.client.start_execution().state_machine_arn(&machine).name(format!("e{at}"));
        let started = start.input(json!({"fail": at % 2 == 0}).to_string()).send().await.unwrap();
        service.states.execution(&started.execution_arn).unwrap().wait().await;
    }
    let names = |status: Option<ExecutionStatus>| async {
        let list = service.client.list_executions().state_machine_arn(&machine).set_status_filter(status);
        let items = list.max_results(2).into_paginator().items().send().try_collect().await.unwrap();
        items.into_iter().map(|item| item.name).collect::<Vec<_>>()
    };
    assert_eq!(names(None).await, ["e4", "e3", "e2", "e1", "e0"]);
    assert_eq!(names(Some(ExecutionStatus::Failed)).await, ["e4", "e2", "e0"]);
    assert!(names(Some(ExecutionStatus::Running)).await.is_empty());
}

#[tokio::test]
async fn the_oldest_ended_executions_are_removed_and_running_ones_never() {
    let mut options = StatesOptions::new("eu-west-1", "111122223333", Arc::new(Echo::default()));
    options.keep_ended = 2;
    let states = States::new(options);
    let create = |name: &str, states_json: Value| {
        let start_at = states_json.as_object().unwrap().keys().next().unwrap().clone();
        let definition = json!({"StartAt": start_at, "States": states_json}).to_string();
        states.create_state_machine(NewMachine { name: name.into(), definition, ..NewMachine::default() }).unwrap().arn
    };
    let (forever, short) = (create("forever", wait_forever()), create("short", json!({"S": {"Type": "Succeed"}})));
    let running = states.start_execution(&forever, NewExecution::default()).unwrap();
    let mut ended = Vec::new();
    for _ in 0..4 {
        let execution = states.start_execution(&short, NewExecution::default()).unwrap();
        tokio::time::timeout(Duration::from_secs(60), execution.wait()).await.unwrap();
        ended.push(execution.info().arn.clone());
    }
    // Ended executions are removed when the next one starts.
    states.start_execution(&forever, NewExecution::default()).unwrap();
    let kept: Vec<bool> = ended.iter().map(|arn| states.execution(arn).is_ok()).collect();
    assert_eq!(kept, [false, false, true, true]);
    assert!(states.execution(&running.info().arn).is_ok());
}
