//! All services on one port of loopback, called by the AWS SDKs and by plain HTTP.
#![allow(clippy::unwrap_used, missing_docs)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use serde_json::{Value, json};
use stagehost_local::{CREDENTIALS, Function, FunctionError, LocalAws, LocalOptions, StartError};
use tokio::sync::mpsc;

/// Doubles a number, fails without one, and stores events.
struct Host {
    events: Mutex<Vec<Value>>,
    arrived: mpsc::UnboundedSender<Value>,
}

#[async_trait::async_trait]
impl Function for Host {
    async fn invoke(&self, payload: Bytes) -> Result<Bytes, FunctionError> {
        let payload: Value = serde_json::from_slice(&payload).unwrap();
        if payload["detail-type"].is_string() {
            self.events.lock().unwrap().push(payload.clone());
            let _ = self.arrived.send(payload);
            return Ok(Bytes::from_static(b"null"));
        }
        match payload["number"].as_i64() {
            Some(number) => Ok(json!({"number": number * 2}).to_string().into()),
            None => Err(FunctionError::new("Stage.InvalidInput", "there is no number")),
        }
    }
}

struct Bench {
    aws: LocalAws,
    events: mpsc::UnboundedReceiver<Value>,
    _folder: tempfile::TempDir,
}

async fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let mut options = LocalOptions::new(folder.path().join("out"));
    options.bucket = "media".into();
    options.functions = vec!["host".into()];
    let aws = LocalAws::start(options).await.unwrap();
    let (arrived, events) = mpsc::unbounded_channel();
    aws.set_function(Arc::new(Host { events: Mutex::default(), arrived }));
    Bench { aws, events, _folder: folder }
}

fn credentials() -> Credentials {
    Credentials::new(CREDENTIALS.0, CREDENTIALS.1, None, None, "test")
}

fn s3(aws: &LocalAws) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(
        aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials())
            .endpoint_url(aws.endpoint())
            .force_path_style(true)
            .build(),
    )
}

fn sfn(aws: &LocalAws) -> aws_sdk_sfn::Client {
    aws_sdk_sfn::Client::from_conf(
        aws_sdk_sfn::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials())
            .endpoint_url(aws.endpoint())
            .build(),
    )
}

/// Creates a machine of one Task state and runs it to its end.
async fn run(
    aws: &LocalAws,
    name: &str,
    task: Value,
    input: Value,
) -> aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput {
    let mut state = task;
    state["Type"] = json!("Task");
    state["End"] = json!(true);
    let definition = json!({"StartAt": "Work", "States": {"Work": state}});
    let client = sfn(aws);
    let machine = client
        .create_state_machine()
        .name(name)
        .definition(definition.to_string())
        .role_arn("arn:aws:iam::000000000000:role/sm")
        .send()
        .await
        .unwrap();
    let started = client
        .start_execution()
        .state_machine_arn(machine.state_machine_arn())
        .input(input.to_string())
        .send()
        .await
        .unwrap();
    let execution = aws.states().execution(started.execution_arn()).unwrap();
    tokio::time::timeout(Duration::from_secs(120), execution.wait()).await.unwrap();
    client.describe_execution().execution_arn(started.execution_arn()).send().await.unwrap()
}

#[tokio::test]
async fn a_task_state_invokes_the_function_and_gets_the_result_in_the_form_of_the_service() {
    let bench = bench().await;
    let task = json!({
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": bench.aws.function_arn(), "Payload.$": "$"},
    });
    let ended = run(&bench.aws, "invoke", task, json!({"number": 21})).await;
    assert_eq!(ended.status().as_str(), "SUCCEEDED", "{ended:?}");
    let output: Value = serde_json::from_str(ended.output().unwrap()).unwrap();
    assert_eq!((&output["Payload"], &output["StatusCode"]), (&json!({"number": 42}), &json!(200)));
    assert_eq!(output["ExecutedVersion"], "$LATEST");

    let bare = json!({"Resource": bench.aws.function_arn()});
    let ended = run(&bench.aws, "bare", bare, json!({"number": 4})).await;
    assert_eq!(ended.output(), Some("{\"number\":8}"));
    bench.aws.shutdown().await;
}

#[tokio::test]
async fn an_error_of_the_function_is_the_error_of_the_state() {
    let bench = bench().await;
    let task = json!({
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "host", "Payload": {}},
    });
    let ended = run(&bench.aws, "fails", task, json!({})).await;
    assert_eq!((ended.status().as_str(), ended.error()), ("FAILED", Some("Stage.InvalidInput")));
    let cause: Value = serde_json::from_str(ended.cause().unwrap()).unwrap();
    assert_eq!(cause, json!({"errorType": "Stage.InvalidInput", "errorMessage": "there is no number"}));
    bench.aws.shutdown().await;
}

#[tokio::test]
async fn a_message_to_a_queue_is_stored() {
    let bench = bench().await;
    let task = json!({
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Parameters": {"QueueUrl": "https://sqs/dlq", "MessageBody.$": "$"},
    });
    let ended = run(&bench.aws, "queue", task, json!({"lost": true})).await;
    assert_eq!(ended.status().as_str(), "SUCCEEDED", "{ended:?}");
    let output: Value = serde_json::from_str(ended.output().unwrap()).unwrap();
    let kept = bench.aws.receiver().dead_letters().await.unwrap();
    assert_eq!((&kept[0]["message_id"], &kept[0]["body"]), (&output["MessageId"], &json!("{\"lost\":true}")));
    bench.aws.shutdown().await;
}

#[tokio::test]
async fn a_machine_with_an_unsupported_resource_is_refused_when_it_is_created() {
    let bench = bench().await;
    for resource in [
        "arn:aws:states:::dynamodb:putItem",
        "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "arn:aws:lambda:us-east-1:000000000000:function:another",
    ] {
        let definition =
            json!({"StartAt": "Work", "States": {"Work": {"Type": "Task", "Resource": resource, "End": true}}});
        let error = sfn(&bench.aws)
            .create_state_machine()
            .name("refused")
            .definition(definition.to_string())
            .role_arn("arn:aws:iam::000000000000:role/sm")
            .send()
            .await
            .unwrap_err()
            .into_service_error();
        assert!(error.is_invalid_definition(), "{resource}: {error:?}");
    }
    bench.aws.shutdown().await;
}

#[tokio::test]
async fn the_deployed_state_machine_is_accepted_unchanged() {
    let definition =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../statemachine/media-processing.asl.json"));
    let bench = bench().await;
    sfn(&bench.aws)
        .create_state_machine()
        .name("media-processing")
        .definition(definition.unwrap())
        .role_arn("arn:aws:iam::000000000000:role/sm")
        .send()
        .await
        .unwrap();
    bench.aws.shutdown().await;
}

#[tokio::test]
async fn a_stored_object_is_a_file_in_the_folder() {
    let bench = bench().await;
    let client = s3(&bench.aws);
    client
        .put_object()
        .bucket("media")
        .key("51/raw/a.txt")
        .body(ByteStream::from_static(b"text"))
        .send()
        .await
        .unwrap();
    let file = bench.aws.options().root.join("media/51/raw/a.txt");
    assert_eq!(std::fs::read(file).unwrap(), b"text");
    let url = format!("{}/media/51/raw/a.txt", bench.aws.endpoint());
    assert_eq!(reqwest::get(url).await.unwrap().text().await.unwrap(), "text", "also without a signature");
    bench.aws.shutdown().await;
}

/// Sends the bytes of a request and returns the response up to the end of the connection.
async fn until_closed(aws: &LocalAws, request: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let address = aws.endpoint().trim_start_matches("http://").to_owned();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_write_that_is_refused_before_its_body_announces_the_end_of_the_connection() {
    let bench = bench().await;
    let put = s3(&bench.aws).put_object().bucket("media").key("a.txt");
    put.body(ByteStream::from_static(b"text")).send().await.unwrap();
    let asked = "PUT /media/a.txt HTTP/1.1\r\nhost: 127.0.0.1\r\nif-none-match: *\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";
    let answer = until_closed(&bench.aws, asked).await;
    assert!(answer.starts_with("HTTP/1.1 412 ") && answer.contains("PreconditionFailed"), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    bench.aws.shutdown().await;
}

#[tokio::test]
async fn a_video_is_transcoded_in_the_bucket_and_the_function_gets_the_event() {
    if !stagehost_needs::ffmpeg() {
        return;
    }
    let film = |path: &std::path::Path| {
        std::process::Command::new("ffmpeg")
            .args([
                "-loglevel",
                "error",
                "-f",
                "lavfi",
                "-i",
                "testsrc=size=128x72:rate=10:duration=1",
                "-c:v",
                "libx264",
                "-pix_fmt",
                "yuv420p",
            ])
            .arg(path)
            .status()
    };
    let mut bench = bench().await;
    let folder = bench.aws.options().root.join("media/51/raw");
    std::fs::create_dir_all(&folder).unwrap();
    assert!(film(&folder.join("clip.mp4")).unwrap().success());
    let job = json!({
        "role": "r",
        "userMetadata": {"ticket": "t"},
        "settings": {
            "inputs": [{"fileInput": "s3://media/51/raw/clip.mp4", "videoSelector": {"rotate": "AUTO"}}],
            "outputGroups": [{
                "outputGroupSettings": {"type": "FILE_GROUP_SETTINGS", "fileGroupSettings": {"destination": "s3://media/51/processed/clip"}},
                "outputs": [{
                    "nameModifier": "_s",
                    "containerSettings": {"container": "MP4"},
                    "videoDescription": {"width": 64, "height": 36, "codecSettings": {"codec": "H_264", "h264Settings": {"rateControlMode": "QVBR", "maxBitrate": 100_000}}},
                }],
            }],
        },
    });
    let reply = reqwest::Client::new()
        .post(format!("{}/2017-08-29/jobs", bench.aws.endpoint()))
        .body(job.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), 201);
    let event = loop {
        let event = tokio::time::timeout(Duration::from_secs(300), bench.events.recv()).await.unwrap().unwrap();
        if event["detail"]["status"] != "STATUS_UPDATE" {
            break event;
        }
    };
    assert_eq!(event["detail"]["status"], "COMPLETE", "{event}");
    assert_eq!(event["detail"]["userMetadata"]["ticket"], "t");
    let made = s3(&bench.aws).head_object().bucket("media").key("51/processed/clip_s.mp4").send().await.unwrap();
    assert_eq!(made.content_type(), Some("video/mp4"));
    bench.aws.shutdown().await;
}

#[tokio::test]
async fn the_lambda_api_answers_as_lambda_does() {
    let bench = bench().await;
    let client = reqwest::Client::new();
    let url = |name: &str| format!("{}/2015-03-31/functions/{name}/invocations", bench.aws.endpoint());
    let done = client.post(url("host")).body("{\"number\": 2}").send().await.unwrap();
    assert_eq!((done.status().as_u16(), done.text().await.unwrap().as_str()), (200, "{\"number\":4}"));
    for bytes in [6_291_457, 7_000_000] {
        let refused = client.post(url("host")).body(vec![b' '; bytes]).send().await.unwrap();
        assert_eq!(refused.status(), 413, "{bytes}");
        assert_eq!(refused.headers()["x-amzn-errortype"], "RequestTooLargeException", "{bytes}");
    }

    let failed = client.post(url("host")).body("{}").send().await.unwrap();
    assert_eq!(
        (failed.status().as_u16(), failed.headers()["x-amz-function-error"].as_bytes()),
        (200, &b"Unhandled"[..])
    );
    assert!(failed.text().await.unwrap().contains("Stage.InvalidInput"));

    let event =
        client.post(url("host")).header("x-amz-invocation-type", "Event").body("{\"number\": 1}").send().await.unwrap();
    assert_eq!(event.status(), 202);
    let dry = client.post(url("host")).header("x-amz-invocation-type", "DryRun").send().await.unwrap();
    assert_eq!(dry.status(), 204);
    let unknown = client.post(url("other")).body("{}").send().await.unwrap();
    assert_eq!(
        (unknown.status().as_u16(), unknown.headers()["x-amzn-errortype"].as_bytes()),
        (404, &b"ResourceNotFoundException"[..])
    );
    bench.aws.shutdown().await;
}

#[tokio::test]
async fn a_web_page_of_another_host_is_refused() {
    let bench = bench().await;
    let client = reqwest::Client::new();
    let request = || client.get(format!("{}/_stagehost/health", bench.aws.endpoint()));
    assert_eq!(request().send().await.unwrap().status(), 200);
    assert_eq!(request().header("origin", "https://evil.example").send().await.unwrap().status(), 403);
    assert_eq!(request().header("host", "evil.example").send().await.unwrap().status(), 403);
    bench.aws.shutdown().await;
}

#[tokio::test]
async fn an_address_that_other_machines_reach_must_be_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = LocalOptions::new(folder.path());
    options.bind = SocketAddr::from(([0, 0, 0, 0], 0));
    let error = LocalAws::start(options.clone()).await.err().unwrap();
    assert!(matches!(error, StartError::NotLoopback(_)), "{error}");
    options.allow_remote = true;
    let aws = LocalAws::start(options).await.unwrap();
    assert!(aws.endpoint().starts_with("http://127.0.0.1:"));
    aws.shutdown().await;
}

#[tokio::test]
async fn a_port_in_use_is_named_with_a_remedy() {
    let bench = bench().await;
    let folder = tempfile::tempdir().unwrap();
    let mut options = LocalOptions::new(folder.path());
    options.bind = bench.aws.address();
    let error = LocalAws::start(options).await.err().unwrap().to_string();
    assert!(error.contains(&bench.aws.address().port().to_string()) && error.contains("choose another"), "{error}");
    bench.aws.shutdown().await;
}

#[tokio::test]
async fn after_the_shutdown_the_port_and_the_folder_are_free() {
    let bench = bench().await;
    let mut options = bench.aws.options().clone();
    options.bind = bench.aws.address();
    bench.aws.shutdown().await;
    let again = LocalAws::start(options).await.unwrap();
    again.shutdown().await;
}

#[tokio::test]
async fn an_empty_secret_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = LocalOptions::new(folder.path());
    options.webhook_secret = Some(" ".into());
    assert!(matches!(LocalAws::start(options).await.err().unwrap(), StartError::Secret(_)));
}
