//! `TestState`. What is expected was recorded on the service.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{INVOKE, ROLE, Service};

/// Tests a state. Texts that are JSON are parsed in the answer.
async fn test(service: &Service, state: Value, input: Value, more: Value) -> Value {
    let mut request = json!({"definition": state.to_string(), "roleArn": ROLE, "input": input.to_string()});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut answer = service.call("TestState", request).await.unwrap_or_else(|error| panic!("{error:?}"));
    let parse = |value: &mut Value| {
        if let Some(Ok(parsed)) = value.as_str().map(serde_json::from_str::<Value>) {
            *value = parsed;
        }
    };
    answer.get_mut("output").into_iter().for_each(parse);
    for value in answer.get_mut("inspectionData").and_then(Value::as_object_mut).into_iter().flatten() {
        parse(value.1);
    }
    answer
}

async fn refused(service: &Service, request: Value) -> (String, String) {
    service.call("TestState", request).await.unwrap_err()
}

fn debug() -> Value {
    json!({"inspectionLevel": "DEBUG"})
}

#[tokio::test]
async fn each_type_of_state_shows_what_its_fields_compute() {
    let service = Service::start().await;
    let hello = json!({"Value": "HelloWorld"});
    let nested = json!({"initialData": {"from": "input", "other": 1}, "unrelated": {"n": 1234}});
    let modified = json!({"static": "some", "value": "input"});
    let placed = json!({"initialData": nested["initialData"], "unrelated": nested["unrelated"], "modified": modified});
    for (state, input, wanted) in [
        (
            json!({"Type": "Pass", "End": true}),
            &hello,
            json!({
                "status": "SUCCEEDED", "output": hello,
                "inspectionData": {
                    "input": hello, "afterInputPath": hello, "afterParameters": hello, "afterResultSelector": hello,
                    "afterResultPath": hello
                }
            }),
        ),
        (
            json!({"Type": "Pass", "Result": {"k": 1}, "End": true}),
            &hello,
            json!({
                "status": "SUCCEEDED", "output": {"k": 1},
                "inspectionData": {
                    "input": hello, "result": {"k": 1}, "afterResultSelector": {"k": 1}, "afterResultPath": {"k": 1}
                }
            }),
        ),
        (
            json!({
                "Type": "Pass", "InputPath": "$.initialData", "ResultPath": "$.modified",
                "Parameters": {"static": "some", "value.$": "$.from"}, "End": true
            }),
            &nested,
            json!({
                "status": "SUCCEEDED", "output": placed,
                "inspectionData": {
                    "input": nested, "afterInputPath": nested["initialData"], "afterParameters": modified,
                    "afterResultSelector": modified, "afterResultPath": placed
                }
            }),
        ),
        (
            json!({"Type": "Fail", "Error": "SomeFailure", "Cause": "It fails."}),
            &hello,
            json!({
                "status": "FAILED", "error": "SomeFailure", "cause": "It fails.",
                "inspectionData": {"input": hello, "afterInputPath": hello}
            }),
        ),
        (
            json!({"Type": "Fail", "QueryLanguage": "JSONata", "Error": "SomeFailure", "Cause": "It fails."}),
            &hello,
            json!({
                "status": "FAILED", "error": "SomeFailure", "cause": "It fails.", "inspectionData": {"input": hello}
            }),
        ),
        (
            json!({"Type": "Choice", "Choices": [{"Variable": "$.Value", "IsString": true, "Next": "Text"}], "Default": "X"}),
            &hello,
            json!({
                "status": "SUCCEEDED", "output": hello, "nextState": "Text",
                "inspectionData": {"input": hello, "afterInputPath": hello}
            }),
        ),
    ] {
        assert_eq!(test(&service, state.clone(), input.clone(), debug()).await, wanted, "{state}");
    }
}

#[tokio::test]
async fn a_task_is_called_or_mocked_and_its_failure_shows_what_handles_it() {
    let service = Service::start().await;
    let task = json!({
        "Type": "Task", "QueryLanguage": "JSONata", "Resource": INVOKE,
        "Arguments": {"FunctionName": "foo", "Payload": "bar"}, "Next": "After",
        "Retry": [{"ErrorEquals": ["Never"]}, {"ErrorEquals": ["Again"], "IntervalSeconds": 3, "MaxAttempts": 2, "BackoffRate": 2}],
        "Catch": [
            {"ErrorEquals": ["Mocked"], "Next": "OnMocked", "Output": "{% $states.errorOutput.Cause %}"},
            {"ErrorEquals": ["States.TaskFailed"], "Next": "OnFailed"}
        ]
    });
    let mock = |value: Value| json!({"inspectionLevel": "TRACE", "mock": value});
    let arguments = json!({"FunctionName": "foo", "Payload": "bar"});
    let called = test(&service, task.clone(), json!({}), debug()).await;
    assert_eq!((&called["status"], &called["output"]["Payload"]), (&json!("SUCCEEDED"), &json!("bar")));
    assert_eq!(called["inspectionData"]["result"], called["output"]);

    let mocked = test(&service, task.clone(), json!({"a": 1}), mock(json!({"result": "{\"Payload\": 5}"}))).await;
    assert_eq!(
        mocked,
        json!({
            "status": "SUCCEEDED", "output": {"Payload": 5}, "nextState": "After",
            "inspectionData": {"input": {"a": 1}, "afterArguments": arguments, "result": {"Payload": 5}}
        })
    );
    let error = |error: &str| json!({"errorOutput": {"error": error, "cause": "why"}});
    let caught = test(&service, task.clone(), json!({}), mock(error("Mocked"))).await;
    assert_eq!(
        caught,
        json!({
            "status": "CAUGHT_ERROR", "error": "Mocked", "cause": "why", "output": "why", "nextState": "OnMocked",
            "inspectionData": {"input": {}, "afterArguments": arguments, "errorDetails": {"catchIndex": 0}}
        })
    );
    let again = json!({
        "inspectionLevel": "DEBUG", "mock": error("Again"), "stateConfiguration": {"retrierRetryCount": 1}
    });
    let retried = test(&service, task.clone(), json!({}), again).await;
    assert_eq!(
        retried,
        json!({
            "status": "RETRIABLE", "error": "Again", "cause": "why",
            "inspectionData": {
                "input": {}, "afterArguments": arguments,
                "errorDetails": {"retryIndex": 1, "retryBackoffIntervalSeconds": 6}
            }
        })
    );
    let used = json!({"mock": error("Again"), "stateConfiguration": {"retrierRetryCount": 2}});
    assert_eq!(test(&service, task, json!({}), used).await["status"], "CAUGHT_ERROR");
}

#[tokio::test]
async fn a_map_state_shows_its_items_and_its_limits() {
    let service = Service::start().await;
    let processor = json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}});
    let map = json!({
        "Type": "Map", "ItemsPath": "$.Values", "MaxConcurrency": 2, "End": true,
        "ItemSelector": {"i.$": "$$.Map.Item.Index"}, "ItemProcessor": processor
    });
    let input = json!({"Values": ["a", "b"]});
    let more = json!({"inspectionLevel": "DEBUG", "mock": {"result": "[1, 2]"}});
    let seen = test(&service, map.clone(), input.clone(), more.clone()).await;
    assert_eq!(
        seen,
        json!({
            "status": "SUCCEEDED", "output": [1, 2],
            "inspectionData": {
                "input": input, "afterInputPath": input, "afterItemsPath": ["a", "b"],
                "afterItemSelector": [{"i": 0}, {"i": 1}], "maxConcurrency": 2, "afterResultSelector": [1, 2],
                "afterResultPath": [1, 2]
            }
        })
    );
    let wrong = test(&service, map, json!({"Values": 5}), more).await;
    assert_eq!(
        (&wrong["status"], &wrong["error"], &wrong["cause"]),
        (&json!("FAILED"), &json!("States.Runtime"), &json!("Reference path \"$.Values\" must point to array."))
    );

    let tolerant = json!({
        "Type": "Map", "QueryLanguage": "JSONata", "Items": "{% $states.input.Values %}", "ToleratedFailureCount": 1,
        "End": true, "ItemProcessor": processor
    });
    for (failed, status) in [(1, "SUCCEEDED"), (2, "FAILED")] {
        let more = json!({
            "inspectionLevel": "DEBUG", "mock": {"result": "[1, 2]"},
            "stateConfiguration": {"mapIterationFailureCount": failed}
        });
        let seen = test(&service, tolerant.clone(), input.clone(), more).await;
        assert_eq!(seen["status"], status);
        assert_eq!(seen["inspectionData"], json!({"input": input, "maxConcurrency": 0, "toleratedFailureCount": 1}));
    }
}

#[tokio::test]
async fn the_context_object_and_variables_can_be_given() {
    let service = Service::start().await;
    let state = json!({
        "Type": "Pass", "QueryLanguage": "JSONata", "Assign": {"w": "{% $v + 1 %}"},
        "Output": {"v": "{% $v %}", "name": "{% $states.context.State.Name %}", "all": "{% $states.context %}"}, "End": true
    });
    let more = json!({"inspectionLevel": "DEBUG", "variables": "{\"v\": 1}"});
    let seen = test(&service, state, json!({}), more).await;
    assert_eq!((&seen["output"]["v"], &seen["output"]["name"]), (&json!(1), &json!("StateName")));
    assert_eq!(seen["inspectionData"]["variables"], json!({"v": 1, "w": 2}));
    let execution: BTreeSet<&String> = seen["output"]["all"]["Execution"].as_object().unwrap().keys().collect();
    assert_eq!(execution.into_iter().collect::<Vec<_>>(), ["Id", "Input", "Name", "RoleArn", "StartTime"]);

    let task = json!({"Type": "Task", "Resource": INVOKE, "ResultSelector": {"c.$": "$$"}, "End": true});
    for context in ["{}", r#"{"Execution": {"Id": "x", "Input": {"a": 1}}, "State": {}}"#] {
        let more = json!({"context": context, "mock": {"result": "{}"}});
        let seen = test(&service, task.clone(), json!({}), more).await;
        assert_eq!(seen["output"]["c"], serde_json::from_str::<Value>(context).unwrap());
    }
}

#[tokio::test]
async fn a_state_of_a_machine_is_found_in_its_branches() {
    let service = Service::start().await;
    let inner = json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "Output": "{% 1 + 1 %}", "Next": "I2"}, "I2": {"Type": "Succeed"}}});
    let machine = json!({"QueryLanguage": "JSONata", "StartAt": "M", "States": {
        "M": {"Type": "Map", "ItemProcessor": inner, "End": true}
    }});
    let seen = test(&service, machine.clone(), json!({}), json!({"stateName": "I"})).await;
    assert_eq!(seen, json!({"status": "SUCCEEDED", "output": 2, "nextState": "I2"}));
    let request = json!({"definition": machine.to_string(), "stateName": "X"});
    assert_eq!(
        refused(&service, request).await,
        ("ValidationException".into(), "State not found in definition".into())
    );
}

#[tokio::test]
async fn what_cannot_be_tested_is_refused_in_the_service_s_words() {
    let service = Service::start().await;
    let pass = json!({"Type": "Pass", "End": true}).to_string();
    let processor = json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}});
    let map = json!({"Type": "Map", "ItemProcessor": processor, "End": true}).to_string();
    let parallel = json!({"Type": "Parallel", "Branches": [processor], "End": true}).to_string();
    let task = json!({"Type": "Task", "Resource": INVOKE, "End": true}).to_string();
    let fan_out = "TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, Pass, \
                   Succeed, Fail, Choice]";
    for (request, code, message) in [
        (
            json!({"definition": pass, "mock": {"result": "{}"}}),
            "ValidationException",
            "State type 'Pass' is not supported when a mock is specified",
        ),
        (json!({"definition": map, "roleArn": ROLE}), "InvalidDefinition", fan_out),
        (json!({"definition": parallel}), "InvalidDefinition", fan_out),
        (
            json!({"definition": task, "mock": {"result": "{}", "errorOutput": {"error": "E"}}}),
            "ValidationException",
            "A test mock should have only one of the following fields: [result, errorOutput].",
        ),
        (
            json!({"definition": task, "revealSecrets": true, "mock": {"result": "{}"}}),
            "ValidationException",
            "TestState does not support RevealSecrets when a mock is specified.",
        ),
        (
            json!({"definition": map, "mock": {"result": "{}"}}),
            "ValidationException",
            "Mocked result must be an array.",
        ),
        (
            json!({"definition": parallel, "mock": {"result": "[1, 2]"}}),
            "ValidationException",
            "Mocked result must contain the same number of items as number of Parallel branches.",
        ),
        (
            json!({"definition": task, "mock": {"result": "no"}}),
            "ValidationException",
            "Mocked result must be valid JSON",
        ),
        (
            json!({"definition": task, "mock": {"result": "{\"StatusCode\": \"200\"}"}}),
            "ValidationException",
            "Mock result schema validation error: Field 'StatusCode' must be a number",
        ),
        (json!({"definition": task}), "ValidationException", "RoleArn must be specified when testing a Task state"),
        (
            json!({"definition": task, "context": "{\"Task\": {\"Token\": \"t\"}}", "mock": {"result": "{}"}}),
            "ValidationException",
            "Invalid Context object provided: Context object contains 'Task' when state is not a Task state with a '.sync' or \
             '.waitForTaskToken' service integration pattern",
        ),
        (
            json!({"definition": "{\"Type\": \"Wait\", \"End\": true}"}),
            "InvalidDefinition",
            "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: This object should have only one of the following \
             fields: [SecondsPath, Seconds, TimestampPath, Timestamp] at /'",
        ),
    ] {
        assert_eq!(refused(&service, request.clone()).await, (code.to_owned(), message.to_owned()), "{request}");
    }
}
