//! The service on a port, with a Lambda function that the tests control.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sfn::error::ProvideErrorMetadata;
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};
use stagehost_asl::{Pattern, Resource, Resources, TaskCall, TaskError, Unsupported};
use stagehost_states::{States, StatesOptions};

pub const ROLE: &str = "arn:aws:iam::111122223333:role/r";
pub const INVOKE: &str = "arn:aws:states:::lambda:invoke";
pub const CALLBACK: &str = "arn:aws:states:::lambda:invoke.waitForTaskToken";

/// A Lambda function that returns its payload, fails on request, and stores its tokens.
#[derive(Default)]
pub struct Echo {
    tokens: Mutex<Vec<String>>,
    /// The failures that are left; `None` for any number.
    failures: Mutex<Option<u32>>,
}

impl Echo {
    fn fails(&self) -> bool {
        let mut failures = self.failures.lock().unwrap();
        match failures.as_mut() {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }
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
            Some(error) if call.retry_count == 0 && self.fails() => Err(TaskError::new(error, "on request")),
            _ => Ok(json!({"Payload": payload, "StatusCode": 200})),
        }
    }
}

pub struct Service {
    pub client: Client,
    pub states: States,
    echo: Arc<Echo>,
}

impl Service {
    pub async fn start() -> Self {
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

    /// Lets the function fail once only, however often it is asked to.
    pub fn fail_once(&self) {
        *self.echo.failures.lock().unwrap() = Some(1);
    }

    /// Carries out an operation without the SDK, which puts `sync-` before the host of some.
    pub async fn call(&self, operation: &str, body: Value) -> Result<Value, (String, String)> {
        let request = http::Request::post("/").header("x-amz-target", format!("AWSStepFunctions.{operation}"));
        let request = request.body(bytes::Bytes::from(body.to_string())).unwrap();
        let response = self.states.handle(request).await;
        let answer: Value = serde_json::from_slice(response.body()).unwrap();
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        if response.status().is_success() { Ok(answer) } else { Err((text("__type"), text("message"))) }
    }

    pub async fn create(&self, name: &str, states: Value) -> String {
        let start_at = states.as_object().unwrap().keys().next().unwrap().clone();
        let definition = json!({"StartAt": start_at, "States": states}).to_string();
        let request = self.client.create_state_machine().name(name).definition(definition).role_arn(ROLE);
        request.send().await.unwrap().state_machine_arn
    }

    pub async fn run(&self, machine: &str, input: Value) -> (ExecutionStatus, Value) {
        let started = self.client.start_execution().state_machine_arn(machine).input(input.to_string());
        let arn = started.send().await.unwrap().execution_arn;
        self.states.execution(&arn).unwrap().wait().await;
        let seen = self.client.describe_execution().execution_arn(arn).send().await.unwrap();
        let output = seen.output.map_or(Value::Null, |output| serde_json::from_str(&output).unwrap());
        (seen.status, output)
    }

    pub async fn token(&self) -> String {
        loop {
            if let Some(token) = self.echo.tokens.lock().unwrap().pop() {
                return token;
            }
            tokio::task::yield_now().await;
        }
    }
}

/// Returns the name of the error in a response.
pub fn name<T: std::fmt::Debug, E: ProvideErrorMetadata>(
    result: Result<T, aws_sdk_sfn::error::SdkError<E>>,
) -> (String, String) {
    let error = match result {
        Ok(value) => panic!("no error but {value:?}"),
        Err(error) => error,
    };
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    (text(error.code()), text(error.message()))
}

pub fn wait_forever() -> Value {
    json!({"W": {"Type": "Wait", "Seconds": 99_999_999, "End": true}})
}
