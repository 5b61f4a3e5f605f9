//! The service as the AWS SDK sees it, over a real connection.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sfn::error::ProvideErrorMetadata;
use aws_sdk_sfn::types::{
    ExecutionStatus, HistoryEventType, Tag, ValidateStateMachineDefinitionResultCode,
    ValidateStateMachineDefinitionSeverity,
};
use serde_json::{Value, json};
use stagehost_asl::{Pattern, Resource, Resources, TaskCall, TaskError, Unsupported};
use stagehost_states::{NewExecution, NewMachine, States, StatesOptions};

const ROLE: &str = "arn:aws:iam::111122223333:role/r";
const INVOKE: &str = "arn:aws:states:::lambda:invoke";
const CALLBACK: &str = "arn:aws:states:::lambda:invoke.waitForTaskToken";

/// A Lambda that gives its payload back, fails when it is told to, and keeps the tokens that it gets.
#[derive(Default)]
struct Echo {
    tokens: Mutex<Vec<String>>,
}

#[async_trait]
impl Resources for Echo {
    fn supports(&self, resource: &Resource) -> Result<(), Unsupported> {
        match resource.resource_type() {
            "lambda" | "sqs" => Ok(()),
            other => Err(Unsupported { reason: format!("there is no '{other}' here, only lambda and sqs") }),
        }
    }

    async fn call(&self, call: TaskCall) -> Result<Value, TaskError> {
        if call.resource.pattern() == Pattern::WaitForTaskToken {
            self.tokens.lock().unwrap().extend(call.task_token);
        }
        let payload = call.parameters.get("Payload").cloned().unwrap_or_default();
        match payload.get("fail").and_then(Value::as_str) {
            Some(error) if call.retry_count == 0 => Err(TaskError::new(error, "as it was told")),
            _ => Ok(json!({"Payload": payload, "StatusCode": 200})),
        }
    }
}

struct Service {
    client: Client,
    states: States,
    echo: Arc<Echo>,
}

impl Service {
    async fn start() -> Self {
        let echo = Arc::new(Echo::default());
        let mut options = StatesOptions::new("eu-west-1", "111122223333", echo.clone());
        options.substitutions = BTreeMap::from([("HostFunctionArn".to_owned(), "arn:host".to_owned())]);
        let states = States::new(options);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = states.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let config = aws_sdk_sfn::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::for_tests())
            .endpoint_url(format!("http://{address}"))
            .build();
        Self { client: Client::from_conf(config), states, echo }
    }

    async fn create(&self, name: &str, states: Value) -> String {
        let start_at = states.as_object().unwrap().keys().next().unwrap().clone();
        let definition = json!({"StartAt": start_at, "States": states}).to_string();
        let request = self.client.create_state_machine().name(name).definition(definition).role_arn(ROLE);
        request.send().await.unwrap().state_machine_arn
    }

    async fn run(&self, machine: &str, input: Value) -> (ExecutionStatus, Value) {
        let started = self.client.start_execution().state_machine_arn(machine).input(input.to_string());
        let arn = started.send().await.unwrap().execution_arn;
        self.states.execution(&arn).unwrap().wait().await;
        let seen = self.client.describe_execution().execution_arn(arn).send().await.unwrap();
        let output = seen.output.map_or(Value::Null, |output| serde_json::from_str(&output).unwrap());
        (seen.status, output)
    }

    async fn token(&self) -> String {
        loop {
            if let Some(token) = self.echo.tokens.lock().unwrap().pop() {
                return token;
            }
            tokio::task::yield_now().await;
        }
    }
}

/// The name of the error that the service gave.
fn name<T: std::fmt::Debug, E: ProvideErrorMetadata>(
    result: Result<T, aws_sdk_sfn::error::SdkError<E>>,
) -> (String, String) {
    let error = match result {
        Ok(value) => panic!("no error but {value:?}"),
        Err(error) => error,
    };
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    (text(error.code()), text(error.message()))
}

fn wait_forever() -> Value {
    json!({"W": {"Type": "Wait", "Seconds": 99_999_999, "End": true}})
}

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
            "error": {"Error": "No", "Cause": "as it was told"}
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
async fn the_machine_that_is_deployed_is_created_unchanged() {
    let service = Service::start().await;
    let definition = include_str!("../../../../statemachine/media-processing.asl.json");
    let new = NewMachine { name: "media".into(), definition: definition.into(), ..NewMachine::default() };
    assert_eq!(service.states.create_state_machine(new).unwrap().warnings(), []);
}

#[tokio::test]
async fn creating_the_same_machine_again_is_no_error_and_another_one_is() {
    let service = Service::start().await;
    let arn = service.create("m", wait_forever()).await;
    assert_eq!(arn, "arn:aws:states:eu-west-1:111122223333:stateMachine:m");
    assert_eq!(service.create("m", wait_forever()).await, arn);
    let other = json!({"StartAt": "S", "States": {"S": {"Type": "Succeed"}}}).to_string();
    let again = service.client.create_state_machine().name("m").definition(&other).role_arn(ROLE).send().await;
    assert_eq!(name(again).0, "StateMachineAlreadyExists");
    let express = service.client.create_state_machine().name("e").definition(&other).role_arn(ROLE);
    let express = express.r#type(aws_sdk_sfn::types::StateMachineType::Express).send().await;
    assert_eq!(name(express).0, "StateMachineTypeNotSupported");
    let named = service.client.create_state_machine().name("a b").definition(&other).role_arn(ROLE).send().await;
    assert_eq!(name(named).0, "InvalidName");
}

#[tokio::test]
async fn a_definition_that_cannot_run_is_refused_with_every_state_at_fault() {
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
    assert_eq!(all.diagnostics[0].code, "CHOICE_STATE_MISSING_DEFAULT");
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

/// Awaits all at once.
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
async fn what_is_wrong_with_a_start_is_named() {
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
async fn histories_come_in_pages_from_either_end_and_without_data_if_wanted() {
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
async fn an_update_changes_what_starts_later_and_a_deletion_leaves_what_runs() {
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
async fn what_is_no_request_of_this_service_is_refused_and_not_fatal() {
    let service = Service::start().await;
    let send = |target: Option<&str>, body: &str| {
        let mut request = http::Request::post("/");
        if let Some(target) = target {
            request = request.header("x-amz-target", target);
        }
        let request = request.body(bytes::Bytes::from(body.to_owned())).unwrap();
        let states = service.states.clone();
        async move {
            let response = states.handle(request).await;
            assert_eq!(response.headers()["content-type"], "application/x-amz-json-1.0");
            let body: Value = serde_json::from_slice(response.body()).unwrap();
            (response.status().as_u16(), body["__type"].as_str().unwrap_or_default().to_owned())
        }
    };
    for (target, body, error) in [
        (None, "{}", "UnknownOperationException"),
        (Some("AWSStepFunctions.StartSyncExecution"), "{}", "UnknownOperationException"),
        (Some("DynamoDB.GetItem"), "{}", "UnknownOperationException"),
        (Some("AWSStepFunctions.StartExecution"), "{}", "ValidationException"),
        (Some("AWSStepFunctions.StartExecution"), r#"{"stateMachineArn": 5}"#, "ValidationException"),
        (Some("AWSStepFunctions.StartExecution"), "{", "SerializationException"),
    ] {
        assert_eq!(send(target, body).await, (400, error.to_owned()), "{target:?} {body}");
    }
    assert_eq!(send(Some("AWSStepFunctions.ListStateMachines"), "").await.0, 200);
}

#[tokio::test]
async fn the_oldest_ended_executions_are_forgotten_and_running_ones_never() {
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
    // What ended is looked at when the next one starts.
    states.start_execution(&forever, NewExecution::default()).unwrap();
    let kept: Vec<bool> = ended.iter().map(|arn| states.execution(arn).is_ok()).collect();
    assert_eq!(kept, [false, false, true, true]);
    assert!(states.execution(&running.info().arn).is_ok());
}
