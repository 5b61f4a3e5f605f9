//! State machines: created, refused, changed, tagged and deleted.

use aws_sdk_sfn::types::{
    EncryptionType, ExecutionStatus, Tag, ValidateStateMachineDefinitionResultCode,
    ValidateStateMachineDefinitionSeverity,
};
use serde_json::json;
use stagehost_states::NewMachine;

use crate::support::{ROLE, Service, name, wait_forever};

#[tokio::test]
async fn the_machine_that_is_deployed_is_created_unchanged() {
    let service = Service::start().await;
    let definition = include_str!("../../../../../statemachine/media-processing.asl.json");
    let new = NewMachine { name: "media".into(), definition: definition.into(), ..NewMachine::default() };
    assert_eq!(service.states.create_state_machine(new).unwrap().warnings(), []);
}

#[tokio::test]
async fn creating_the_same_machine_again_succeeds_and_a_different_one_fails() {
    let service = Service::start().await;
    let arn = service.create("m", wait_forever()).await;
    assert_eq!(arn, "arn:aws:states:eu-west-1:111122223333:stateMachine:m");
    assert_eq!(service.create("m", wait_forever()).await, arn);
    let other = json!({"StartAt": "S", "States": {"S": {"Type": "Succeed"}}}).to_string();
    let again = service.client.create_state_machine().name("m").definition(&other).role_arn(ROLE).send().await;
    assert_eq!(name(again).0, "StateMachineAlreadyExists");
    let named = service.client.create_state_machine().name("a b").definition(&other).role_arn(ROLE).send().await;
    assert_eq!(name(named).0, "InvalidName");
}

#[tokio::test]
async fn an_invalid_definition_is_refused_with_every_faulty_state() {
    let service = Service::start().await;
    let definition = json!({
        "StartAt": "A",
        "States": {
            "A": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Next": "B"},
            "B": {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "End": true}
        }
    });
    let create = service.client.create_state_machine().name("m").role_arn(ROLE);
    let (code, message) = name(create.definition(definition.to_string()).send().await);
    assert_eq!(code, "InvalidDefinition");
    assert_eq!(
        message,
        "Invalid State Machine Definition: 'UNSUPPORTED_FEATURE: state 'A': the resource 'arn:aws:states:::sns:publish' \
         is not supported: there is no 'sns' here, only lambda and sqs at /States/A/Resource, UNSUPPORTED_FEATURE: state 'B': \
         the resource 'arn:aws:states:::ecs:runTask.sync' is not supported: there is no 'ecs' here, only lambda and sqs at \
         /States/B/Resource'"
    );

    let validate = service.client.validate_state_machine_definition().definition("{}").send().await.unwrap();
    assert_eq!(validate.result, ValidateStateMachineDefinitionResultCode::Fail);
    assert_eq!(validate.diagnostics[0].message, "These fields are required: [States, StartAt]");
    let questionable = json!({"StartAt": "C", "States": {
        "C": {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": true, "Next": "S"}]}, "S": {"Type": "Succeed"}
    }});
    let validate = service.client.validate_state_machine_definition().definition(questionable.to_string());
    let errors = validate.clone().send().await.unwrap();
    assert_eq!((errors.result, errors.diagnostics.len()), (ValidateStateMachineDefinitionResultCode::Ok, 0));
    let all = validate.severity(ValidateStateMachineDefinitionSeverity::Warning).send().await.unwrap();
    assert_eq!(all.diagnostics.len(), 0);
}

#[tokio::test]
async fn an_update_affects_later_executions_and_a_deletion_leaves_running_ones() {
    let service = Service::start().await;
    let machine = service.create("m", wait_forever()).await;
    let client = &service.client;
    let first = client.start_execution().state_machine_arn(&machine).send().await.unwrap().execution_arn;
    let definition = json!({"StartAt": "S", "States": {"S": {"Type": "Succeed"}}}).to_string();
    client.update_state_machine().state_machine_arn(&machine).definition(&definition).send().await.unwrap();
    assert_eq!(service.run(&machine, json!({})).await.0, ExecutionStatus::Succeeded);
    let of_first = client.describe_state_machine_for_execution().execution_arn(&first).send().await.unwrap();
    assert!(of_first.definition.contains("Wait"));
    let now = client.describe_state_machine().state_machine_arn(&machine).send().await.unwrap();
    assert_eq!((now.definition, now.role_arn.as_str()), (definition, ROLE));
    let nothing = client.update_state_machine().state_machine_arn(&machine).send().await;
    assert_eq!(name(nothing).0, "MissingRequiredParameter");

    for _ in 0..2 {
        client.delete_state_machine().state_machine_arn(&machine).send().await.unwrap();
    }
    let gone = client.describe_state_machine().state_machine_arn(&machine).send().await;
    assert_eq!(name(gone).0, "StateMachineDoesNotExist");
    let running = client.describe_execution().execution_arn(&first).send().await.unwrap();
    assert_eq!(running.status, ExecutionStatus::Running);
    assert!(client.list_state_machines().send().await.unwrap().state_machines.is_empty());
}

#[tokio::test]
async fn tags_are_kept() {
    let service = Service::start().await;
    let arn = service.create("m", wait_forever()).await;
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let client = &service.client;
    client.tag_resource().resource_arn(&arn).tags(tag("a", "1")).tags(tag("b", "2")).send().await.unwrap();
    client.untag_resource().resource_arn(&arn).tag_keys("a").send().await.unwrap();
    let tags = client.list_tags_for_resource().resource_arn(&arn).send().await.unwrap().tags.unwrap();
    assert_eq!(tags, [tag("b", "2")]);
}

#[tokio::test]
async fn variables_are_in_the_description_and_in_the_history() {
    let service = Service::start().await;
    let states = json!({
        "A": {"Type": "Pass", "Assign": {"x": {"y": 1}}, "Next": "B"},
        "B": {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $x.y + $states.input.n %}", "End": true}
    });
    let machine = service.create("m", states).await;
    let client = &service.client;
    let described = client.describe_state_machine().state_machine_arn(&machine).send().await.unwrap();
    assert_eq!(described.variable_references.unwrap()["B"], ["x"]);
    assert_eq!(described.encryption_configuration.unwrap().r#type, EncryptionType::AwsOwnedKey);
    assert_eq!(service.run(&machine, json!({"n": 2})).await, (ExecutionStatus::Succeeded, json!(3)));

    let (status, _) = service.run(&machine, json!({})).await;
    assert_eq!(status, ExecutionStatus::Failed);
    let failed = client.list_executions().state_machine_arn(&machine).status_filter(ExecutionStatus::Failed);
    let arn = failed.send().await.unwrap().executions[0].execution_arn.clone();
    let events = client.get_execution_history().execution_arn(arn).send().await.unwrap().events;
    let assigned = events[2].state_exited_event_details.as_ref().unwrap().assigned_variables.as_ref().unwrap();
    assert_eq!(assigned["x"], "{\"y\":1}");
    let evaluation = events[4].evaluation_failed_event_details.as_ref().unwrap();
    assert_eq!((evaluation.state.as_str(), evaluation.location.as_deref()), ("B", Some("Output")));
    assert_eq!(evaluation.error.as_deref(), Some("States.QueryEvaluationError"));
}

#[tokio::test]
async fn only_an_update_that_changes_something_makes_a_new_revision() {
    let service = Service::start().await;
    let machine = service.create("m", wait_forever()).await;
    let client = &service.client;
    let before = client.describe_state_machine().state_machine_arn(&machine).send().await.unwrap();
    let update = |role: &str| client.update_state_machine().state_machine_arn(&machine).role_arn(role);
    let same = update(ROLE).definition(&before.definition).send().await.unwrap();
    assert_eq!(same.revision_id, before.revision_id);
    let other = update("arn:aws:iam::111122223333:role/other").send().await.unwrap();
    assert_ne!(other.revision_id, before.revision_id);
}

#[tokio::test]
async fn an_execution_says_whether_it_can_be_redriven_as_the_service_does() {
    let service = Service::start().await;
    for (state, status, reason) in [
        (json!({"Type": "Succeed"}), "NOT_REDRIVABLE", Some("Execution is SUCCEEDED and cannot be redriven")),
        (json!({"Type": "Fail"}), "REDRIVABLE", None),
    ] {
        let machine = service.create(&format!("m-{}", status.len()), json!({"S": state})).await;
        service.run(&machine, json!({})).await;
        let executions = service.client.list_executions().state_machine_arn(&machine).send().await.unwrap().executions;
        let arn = &executions.first().unwrap().execution_arn;
        let found = service.client.describe_execution().execution_arn(arn).send().await.unwrap();
        assert_eq!(found.redrive_status.unwrap().as_str(), status);
        assert_eq!(found.redrive_status_reason.as_deref(), reason);
    }
}

#[tokio::test]
async fn diagnostics_have_the_service_s_codes_places_and_words() {
    let service = Service::start().await;
    let pass = json!({"Type": "Pass", "End": true});
    for (definition, kind, code, location, message) in [
        (
            json!("x").to_string(),
            "STANDARD",
            "SCHEMA_VALIDATION_FAILED",
            None,
            "Definition must be a valid JSON object",
        ),
        (
            json!({"QueryLanguage": "JSONata", "StartAt": "P", "States": {
                "P": {"Type": "Pass", "QueryLanguage": "JSONPath", "End": true}
            }})
            .to_string(),
            "STANDARD",
            "SCHEMA_VALIDATION_FAILED",
            Some("/States/P"),
            "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine",
        ),
        (
            json!({"StartAt": "W", "States": {"W": {
                "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": true
            }}})
            .to_string(),
            "EXPRESS",
            "SCHEMA_VALIDATION_FAILED",
            Some("/States/W/Resource"),
            "Express state machine does not support '.waitForTaskToken' service integration ",
        ),
        (
            json!({"StartAt": "M", "States": {"M": {"Type": "Map", "End": true, "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
                "StartAt": "P", "States": {"P": pass}
            }}}})
            .to_string(),
            "EXPRESS",
            "SCHEMA_VALIDATION_FAILED",
            Some("/States/M/ItemProcessor/ProcessorConfig/Mode"),
            "The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state machines",
        ),
        (
            json!({"StartAt": "A", "States": {
                "A": {"Type": "Choice", "Default": "B", "Choices": [{"Variable": "$.a", "IsNull": true, "Next": "C"}]},
                "B": pass
            }})
            .to_string(),
            "STANDARD",
            "MISSING_TRANSITION_TARGET",
            Some("/States/A/Choices[0]/Next"),
            "Missing 'Next' target: C",
        ),
        (
            json!({"StartAt": "A", "States": {"A": pass, "B": pass}}).to_string(),
            "STANDARD",
            "MISSING_TRANSITION_TARGET",
            Some("/States/B"),
            "State \"B\" is not reachable.",
        ),
        (
            "not a definition".to_owned(),
            "STANDARD",
            "INVALID_JSON_DESCRIPTION",
            Some("[Source: (String)\"not a definition\"; line: 1, column: 4]"),
            "Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or \
             'false')\n at [Source: (String)\"not a definition\"; line: 1, column: 4]",
        ),
    ] {
        let request = json!({"definition": definition, "type": kind});
        let answer = service.call("ValidateStateMachineDefinition", request).await.unwrap();
        let mut wanted = json!({"severity": "ERROR", "code": code, "message": message});
        if let Some(location) = location {
            wanted["location"] = location.into();
        }
        assert_eq!(answer, json!({"result": "FAIL", "truncated": false, "diagnostics": [wanted]}), "{definition}");
    }
}

#[tokio::test]
async fn warnings_are_shown_when_they_are_asked_for_and_the_list_is_cut() {
    let service = Service::start().await;
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Result": {"a.$": "$.x"}, "Next": "B"},
        "B": {"Type": "Pass", "Parameters": {"a": "$.x", "b": {"c": "States.UUID()"}}, "Next": "C"},
        "C": {"Type": "Fail", "Error": "$.error"}
    }})
    .to_string();
    let validate = async |most: usize, severity: &str| {
        let request = json!({"definition": definition, "severity": severity, "maxResults": most});
        service.call("ValidateStateMachineDefinition", request).await.unwrap()
    };
    let all = validate(100, "WARNING").await;
    let found: Vec<(&str, &str)> = all["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| (found["code"].as_str().unwrap(), found["location"].as_str().unwrap()))
        .collect();
    assert_eq!(
        found,
        [
            ("PASS_RESULT_IS_STATIC", "/States/A/Result"),
            ("NO_DOLLAR", "/States/B/Parameters/a"),
            ("NO_DOLLAR", "/States/B/Parameters/b/c"),
            ("NO_PATH", "/States/C/Error")
        ]
    );
    assert_eq!((all["result"].as_str(), &all["truncated"]), (Some("OK"), &json!(false)));
    let cut = validate(2, "WARNING").await;
    assert_eq!((cut["diagnostics"].as_array().unwrap().len(), &cut["truncated"]), (2, &json!(true)));
    assert_eq!(validate(100, "ERROR").await["diagnostics"], json!([]));
}
