//! The emulated Runtime API with the smallest possible function: a test of the emulation that the other tests rely on.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use stagehost_tests::file;
use stagehost_tests::runtime_api::{Deadline, Function, Stream};

const NONE: [(&str, &str); 0] = [];

fn tiny() -> Command {
    let mut command = Command::new("python3");
    command.arg("-B").arg(file("tests/python/tiny_function.py"));
    command
}

async fn started() -> Function {
    Function::start(tiny(), NONE).await.unwrap()
}

async fn echo(function: &Function, deadline: Deadline) -> Value {
    function.invoke(&json!({"do": "echo", "n": 1}), deadline).await.unwrap()
}

#[tokio::test]
async fn an_invocation_carries_its_payload_and_what_lambda_says_of_it() {
    let function = started().await;
    let answer = echo(&function, Deadline::USUAL).await;
    assert_eq!(answer["event"], json!({"do": "echo", "n": 1}));
    let header = |name: &str| answer["headers"][name].as_str().unwrap_or_default().to_owned();
    assert!(header("lambda-runtime-aws-request-id").len() == 36);
    assert!(header("lambda-runtime-invoked-function-arn").starts_with("arn:aws:lambda:"));
    assert!(header("lambda-runtime-trace-id").starts_with("Root=1-"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let left = header("lambda-runtime-deadline-ms").parse::<u64>().unwrap() - now;
    assert!((290_000..=300_000).contains(&left), "{left} ms");
    let again = echo(&function, Deadline::USUAL).await;
    assert_ne!(again["headers"]["lambda-runtime-aws-request-id"], header("lambda-runtime-aws-request-id"));
}

#[tokio::test]
async fn nothing_of_the_tests_environment_reaches_the_function() {
    let function = Function::start(tiny(), [("MEDIA_BUCKET", "b")]).await.unwrap();
    let answer = echo(&function, Deadline::USUAL).await;
    let has = |name: &str| answer["variables"].as_array().unwrap().iter().any(|variable| variable == name);
    assert!(has("AWS_LAMBDA_RUNTIME_API") && has("MEDIA_BUCKET"));
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some() && !has("CARGO_MANIFEST_DIR"));
}

#[tokio::test]
async fn a_deadline_may_be_odd() {
    let function = started().await;
    for (deadline, expected) in [
        (Deadline::In1970, json!("1000")),
        (Deadline::FarFuture, json!("253402300799000")),
        (Deadline::Absent, Value::Null),
        (Deadline::Text("soon"), json!("soon")),
    ] {
        assert_eq!(echo(&function, deadline).await["headers"]["lambda-runtime-deadline-ms"], expected);
    }
}

#[tokio::test]
async fn an_error_has_its_type_and_message_and_the_function_serves_on() {
    let function = started().await;
    let error = function.invoke(&json!({"do": "fail"}), Deadline::USUAL).await.unwrap_err();
    assert_eq!((error.error_type.as_str(), error.error_message.as_str()), ("Tiny.Failed", "told to"));
    let error = function.invoke_bytes("{", Deadline::USUAL).await.unwrap_err();
    assert_eq!(error.error_type, "Tiny.NotJson");
    echo(&function, Deadline::USUAL).await;
}

#[tokio::test]
async fn an_end_instead_of_an_answer_is_an_error_that_says_how_it_ended() {
    let function = started().await;
    let error = function.invoke(&json!({"do": "exit"}), Deadline::USUAL).await.unwrap_err();
    assert_eq!(error.error_type, "Runtime.ExitError");
    assert!(error.error_message.contains("exit status: 7"), "{error}");
    assert!(function.line(|line| line == "about to end").await.is_some());
    let error = function.invoke(&json!({"do": "echo"}), Deadline::USUAL).await.unwrap_err();
    assert_eq!(error.error_type, "Runtime.ExitError");
    assert!(function.terminate().await.is_err(), "there is nothing to end any more");
}

#[tokio::test]
async fn a_late_answer_is_an_error_and_ends_the_function() {
    let function = started().await;
    function.ready().await.unwrap();
    let soon = Deadline::In(Duration::from_millis(200));
    let error = function.invoke(&json!({"do": "nothing", "seconds": 60}), soon).await.unwrap_err();
    assert_eq!(error.error_type, "Sandbox.Timedout");
    let error = function.invoke(&json!({"do": "echo"}), Deadline::USUAL).await.unwrap_err();
    assert_eq!(error.error_type, "Runtime.ExitError");
}

#[tokio::test]
async fn an_invocation_fails_with_the_error_of_a_failed_initialisation() {
    let function = Function::start(tiny(), [("FAIL_INIT", "1")]).await.unwrap();
    assert_eq!(function.ready().await.unwrap_err().error_type, "Tiny.Init");
    assert_eq!(function.invoke(&json!({}), Deadline::USUAL).await.unwrap_err().error_type, "Tiny.Init");
    assert_eq!(function.time_to_ready(), None);
}

#[tokio::test]
async fn an_answer_is_accepted_once_and_only_up_to_lambdas_size() {
    let function = started().await;
    assert_eq!(function.invoke(&json!({"do": "twice"}), Deadline::USUAL).await.unwrap(), 1);
    let second = function.line(|line| line.starts_with("second answer")).await.unwrap();
    assert!(second.contains("400") && second.contains("InvalidRequestID"), "{second}");

    let large = |bytes: usize| json!({"do": "large", "bytes": bytes});
    let answer = function.invoke(&large(6_291_556), Deadline::USUAL).await.unwrap();
    assert_eq!(answer.as_str().unwrap().len(), 6_291_554);
    let error = function.invoke(&large(6_291_557), Deadline::USUAL).await.unwrap_err();
    assert_eq!(error.error_type, "Function.ResponseSizeTooLarge");
}

#[tokio::test]
async fn its_output_is_kept_line_by_line() {
    let function = started().await;
    function.invoke(&json!({"do": "say"}), Deadline::USUAL).await.unwrap();
    function.line(|line| line == "said on standard error").await.unwrap();
    function.line(|line| line == "said on standard output").await.unwrap();
    let streams: Vec<_> = function.lines().iter().map(|line| (line.stream, line.text.clone())).collect();
    assert!(streams.contains(&(Stream::Out, "said on standard output".to_owned())));
    assert!(streams.contains(&(Stream::Err, "said on standard error".to_owned())));
    function.forget_lines();
    assert!(function.lines().is_empty());
}

#[tokio::test]
async fn a_frozen_function_does_nothing_until_it_is_thawed() {
    let function = started().await;
    echo(&function, Deadline::USUAL).await;
    function.freeze().await.unwrap();
    let payload = json!({"do": "echo"});
    let mut invocation = Box::pin(function.invoke(&payload, Deadline::USUAL));
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut invocation).await.is_err(), "it answered, frozen");
    function.thaw().unwrap();
    assert_eq!(invocation.await.unwrap()["event"], payload);
}

#[tokio::test]
async fn it_ends_by_sigterm_or_when_it_is_dropped_even_frozen() {
    let function = started().await;
    function.ready().await.unwrap();
    assert!(function.terminate().await.unwrap().success());
    assert!(function.exit_status().is_some());

    let function = started().await;
    function.ready().await.unwrap();
    let folder = format!("/proc/{}/fd/0", function.pid());
    function.freeze().await.unwrap();
    drop(function);
    let gone = async {
        while std::fs::read_link(&folder).is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
}

#[tokio::test]
async fn memory_and_descriptors_are_measured_on_the_process() {
    let function = started().await;
    echo(&function, Deadline::USUAL).await;
    let (memory, descriptors) = (function.resident_bytes().unwrap(), function.descriptors().unwrap());
    for _ in 0..10 {
        function.invoke(&json!({"do": "leak"}), Deadline::USUAL).await.unwrap();
        function.invoke(&json!({"do": "grow", "bytes": 1 << 20}), Deadline::USUAL).await.unwrap();
    }
    assert_eq!(function.descriptors().unwrap(), descriptors + 10);
    let grown = function.resident_bytes().unwrap() - memory;
    assert!(grown >= 10 << 20, "{grown} bytes more");
}

#[tokio::test]
async fn the_time_to_the_first_answer_counts_from_the_start_and_does_not_change() {
    let function = started().await;
    assert_eq!(function.time_to_first_answer(), None);
    echo(&function, Deadline::USUAL).await;
    let (ready, answered) = (function.time_to_ready().unwrap(), function.time_to_first_answer().unwrap());
    assert!(ready > Duration::ZERO && ready < answered);
    echo(&function, Deadline::USUAL).await;
    assert_eq!(function.time_to_first_answer(), Some(answered));
}

#[tokio::test]
async fn ten_thousand_invocations_are_answered() {
    let function = started().await;
    for n in 0..10_000u32 {
        let payload = format!("{{\"n\":{n}}}");
        assert_eq!(function.invoke_bytes(payload.clone(), Deadline::USUAL).await.unwrap(), payload);
    }
}
