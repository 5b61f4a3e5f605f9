//! Express workflows.

use aws_sdk_sfn::types::StateMachineType;
use serde_json::{Value, json};

use crate::support::{ROLE, Service, name};

async fn express(service: &Service, states: Value) -> String {
    let start_at = states.as_object().unwrap().keys().next().unwrap().clone();
    let definition = json!({"StartAt": start_at, "States": states}).to_string();
    let create = service.client.create_state_machine().name("e").definition(definition).role_arn(ROLE);
    create.r#type(StateMachineType::Express).send().await.unwrap().state_machine_arn
}

#[tokio::test]
async fn a_synchronous_execution_returns_its_result() {
    let service = Service::start().await;
    let machine = express(&service, json!({"S": {"Type": "Pass", "Parameters": {"c.$": "$$"}, "End": true}})).await;
    let request = json!({"stateMachineArn": machine, "name": "run-1", "input": "{\"a\": 1}"});
    let answer = service.call("StartSyncExecution", request).await.unwrap();
    let arn = answer["executionArn"].as_str().unwrap();
    assert!(arn.starts_with("arn:aws:states:eu-west-1:111122223333:express:e:run-1:"), "{arn}");
    assert_eq!(answer["billingDetails"], json!({"billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": 100}));
    assert_eq!(
        (&answer["status"], &answer["name"], &answer["input"], &answer["stateMachineArn"]),
        (&json!("SUCCEEDED"), &json!("run-1"), &json!("{\"a\": 1}"), &json!(machine))
    );
    let output: Value = serde_json::from_str(answer["output"].as_str().unwrap()).unwrap();
    let execution = &output["c"]["Execution"];
    assert_eq!((&execution["Id"], &execution["Input"]), (&json!(arn), &json!({"a": 1})));
    assert_eq!(execution.get("RedriveCount"), None);
}

#[tokio::test]
async fn a_failure_is_an_answer_and_no_error() {
    let service = Service::start().await;
    let machine = express(&service, json!({"F": {"Type": "Fail", "Error": "E", "Cause": "because"}})).await;
    let answer = service.call("StartSyncExecution", json!({"stateMachineArn": machine})).await.unwrap();
    assert_eq!(
        (&answer["status"], &answer["error"], &answer["cause"], answer.get("output")),
        (&json!("FAILED"), &json!("E"), &json!("because"), None)
    );
}

#[tokio::test]
async fn an_execution_of_an_express_workflow_cannot_be_described() {
    let service = Service::start().await;
    let machine = express(&service, json!({"S": {"Type": "Succeed"}})).await;
    let client = &service.client;
    let arn = client.start_execution().state_machine_arn(&machine).send().await.unwrap().execution_arn;
    let message = "Invalid Arn: 'Resource type not valid in this context: express'".to_owned();
    assert_eq!(
        name(client.describe_execution().execution_arn(&arn).send().await),
        ("InvalidArn".into(), message.clone())
    );
    assert_eq!(name(client.stop_execution().execution_arn(&arn).send().await).1, message);
    assert_eq!(name(client.get_execution_history().execution_arn(&arn).send().await).1, message);
    let unsupported = "This operation is not supported by this type of state machine".to_owned();
    let listed = client.list_executions().state_machine_arn(&machine).send().await;
    assert_eq!(name(listed), ("StateMachineTypeNotSupported".into(), unsupported.clone()));
    let described = client.describe_state_machine().state_machine_arn(&machine).send().await.unwrap();
    assert_eq!(described.r#type, StateMachineType::Express);

    let standard = service.create("m", json!({"S": {"Type": "Succeed"}})).await;
    let sync = service.call("StartSyncExecution", json!({"stateMachineArn": standard})).await;
    assert_eq!(sync, Err(("StateMachineTypeNotSupported".into(), unsupported)));
}
