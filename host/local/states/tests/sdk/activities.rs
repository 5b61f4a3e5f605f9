//! Activities: a worker asks for tasks and answers their tokens.

use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};

use crate::support::{Service, name};

#[tokio::test]
async fn a_worker_gets_the_task_and_its_answer_is_the_result() {
    let service = Service::start().await;
    let client = &service.client;
    let activity = client.create_activity().name("work").send().await.unwrap().activity_arn;
    assert_eq!(activity, "arn:aws:states:eu-west-1:111122223333:activity:work");
    assert_eq!(client.create_activity().name("work").send().await.unwrap().activity_arn, activity);
    let listed = client.list_activities().send().await.unwrap().activities;
    assert_eq!(listed.iter().map(|activity| activity.name.as_str()).collect::<Vec<_>>(), ["work"]);

    let task =
        json!({"Type": "Task", "Resource": activity, "HeartbeatSeconds": 60, "TimeoutSeconds": 600, "End": true});
    let machine = service.create("m", json!({"Work": task})).await;
    let start = client.start_execution().state_machine_arn(&machine).input(r#"{"a":1}"#);
    let execution = start.send().await.unwrap().execution_arn;
    let got = client.get_activity_task().activity_arn(&activity).worker_name("w-1").send().await.unwrap();
    assert_eq!(got.input.as_deref(), Some(r#"{"a":1}"#));
    let token = got.task_token.unwrap();
    client.send_task_heartbeat().task_token(&token).send().await.unwrap();
    client.send_task_success().task_token(&token).output("[2]").send().await.unwrap();
    service.states.execution(&execution).unwrap().wait().await;
    let seen = client.describe_execution().execution_arn(&execution).send().await.unwrap();
    assert_eq!((seen.status, seen.output.as_deref()), (ExecutionStatus::Succeeded, Some("[2]")));

    let history = service.call("GetExecutionHistory", json!({"executionArn": execution})).await.unwrap();
    let events: Vec<&Value> = history["events"].as_array().unwrap().iter().collect();
    let types: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        types,
        [
            "ExecutionStarted",
            "TaskStateEntered",
            "ActivityScheduled",
            "ActivityStarted",
            "ActivitySucceeded",
            "TaskStateExited",
            "ExecutionSucceeded"
        ]
    );
    assert_eq!(
        events[2]["activityScheduledEventDetails"],
        json!({
            "resource": activity, "input": r#"{"a":1}"#, "inputDetails": {"truncated": false}, "heartbeatInSeconds": 60,
            "timeoutInSeconds": 600
        })
    );
    assert_eq!(events[3]["activityStartedEventDetails"], json!({"workerName": "w-1"}));
    assert_eq!(
        events[4]["activitySucceededEventDetails"],
        json!({"output": "[2]", "outputDetails": {"truncated": false}})
    );
}

#[tokio::test]
async fn an_activity_that_was_deleted_fails_the_execution() {
    let service = Service::start().await;
    let client = &service.client;
    let activity = client.create_activity().name("work").send().await.unwrap().activity_arn;
    let machine = service.create("m", json!({"W": {"Type": "Task", "Resource": activity, "End": true}})).await;
    for _ in 0..2 {
        client.delete_activity().activity_arn(&activity).send().await.unwrap();
    }
    let started = client.start_execution().state_machine_arn(&machine).send().await.unwrap().execution_arn;
    let outcome = service.states.execution(&started).unwrap().wait().await;
    assert_eq!(outcome.error.as_deref(), Some("States.Runtime"));
    assert_eq!(
        outcome.cause.unwrap(),
        format!(
            "An error occurred while executing the state 'W' (entered at the event id #2). The activity {activity} does not exist."
        )
    );
    let gone = client.get_activity_task().activity_arn(&activity).send().await;
    assert_eq!(name(gone), ("ActivityDoesNotExist".into(), format!("Activity Does Not Exist: '{activity}'")));
    let invalid = client.create_activity().name("a b").send().await;
    assert_eq!(name(invalid), ("InvalidName".into(), "Invalid Name: 'a b'".into()));
}
