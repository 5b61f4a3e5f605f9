#![allow(clippy::unwrap_used)]
//! Requests to SQS, and how its answers are read.

use std::collections::VecDeque;
use std::sync::{Arc as Shared, Mutex};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::Router;
use axum::extract::State;
use http::{HeaderMap, Method, StatusCode, Uri};

use super::*;

const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:listing-media-processing-staging";

/// An SQS with prepared answers that records its requests.
#[derive(Default)]
struct FakeSqs {
    answers: Mutex<VecDeque<(u16, Value)>>,
    requests: Mutex<Vec<(Method, Uri, HeaderMap, Value)>>,
}

async fn service(answers: impl IntoIterator<Item = (u16, Value)>) -> (Shared<FakeSqs>, Queues) {
    let service = Shared::new(FakeSqs { answers: Mutex::new(answers.into_iter().collect()), ..FakeSqs::default() });
    let answer = |State(service): State<Shared<FakeSqs>>,
                  method: Method,
                  uri: Uri,
                  headers: HeaderMap,
                  body: String| async move {
        service.requests.lock().unwrap().push((method, uri, headers, serde_json::from_str(&body).unwrap()));
        let (status, answer) = service.answers.lock().unwrap().pop_front().unwrap();
        (StatusCode::from_u16(status).unwrap(), answer.to_string())
    };
    let app = Router::new().fallback(answer).with_state(service.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (service, queues(Some(url)))
}

fn queues(endpoint: Option<String>) -> Queues {
    let credentials = Credentials::new("AKIDEXAMPLE", "key", Some("token".into()), None, "test");
    let config = SdkConfig::builder().credentials_provider(SharedCredentialsProvider::new(credentials)).build();
    Queues::new(&config, &Endpoints { sqs: endpoint, ..Endpoints::default() })
}

fn message(id: &str, after_seconds: u32) -> Redelivery {
    Redelivery { message_id: id.into(), receipt_handle: format!("handle+/= of {id}"), after_seconds }
}

fn changed() -> (u16, Value) {
    (200, json!({"Successful": [{"Id": "0"}, {"Id": "1"}], "Failed": []}))
}

#[tokio::test]
async fn one_signed_request_names_the_queues_url_and_the_receipt_handles() {
    let (service, queues) = service([changed()]).await;
    queues.redeliver(QUEUE, &[message("a", 30), message("b", 1)]).await.unwrap();
    let (method, uri, headers, body) = service.requests.lock().unwrap().remove(0);
    assert_eq!((method, uri.path()), (Method::POST, "/"));
    assert_eq!(headers["x-amz-target"], "AmazonSQS.ChangeMessageVisibilityBatch");
    assert_eq!(headers["content-type"], "application/x-amz-json-1.0");
    assert_eq!(headers["x-amz-security-token"], "token");
    let authorization = headers["authorization"].to_str().unwrap();
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{authorization}");
    assert!(authorization.contains("/eu-west-1/sqs/aws4_request"), "{authorization}");
    let signed = authorization.split("SignedHeaders=").nth(1).unwrap().split(',').next().unwrap();
    assert_eq!(signed, "content-type;host;x-amz-date;x-amz-security-token;x-amz-target");

    let endpoint = queues.endpoint.as_ref().unwrap();
    let expected = json!({
        "QueueUrl": format!("{endpoint}/123456789012/listing-media-processing-staging"),
        "Entries": [
            {"Id": "0", "ReceiptHandle": "handle+/= of a", "VisibilityTimeout": 30},
            {"Id": "1", "ReceiptHandle": "handle+/= of b", "VisibilityTimeout": 1},
        ],
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_throttled_request_is_repeated() {
    let throttled = json!({"__type": "com.amazonaws.sqs#RequestThrottled", "message": "slow down"});
    let (service, queues) = service([(400, throttled), changed()]).await;
    queues.redeliver(QUEUE, &[message("a", 30)]).await.unwrap();
    assert_eq!(service.requests.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_refusal_names_the_queue_the_reason_and_the_missing_permission() {
    let refusal = json!({"__type": "com.amazonaws.sqs#AccessDeniedException", "Message": "not authorized"});
    let (service, queues) = service([(403, refusal)]).await;
    let failure = queues.redeliver(QUEUE, &[message("a", 30)]).await.unwrap_err();
    assert_eq!(failure.case, Case::Denied);
    for part in [QUEUE, "not authorized", "AccessDeniedException", "sqs:ChangeMessageVisibility on it"] {
        assert!(failure.message.contains(part), "{part}: {}", failure.message);
    }
    assert_eq!(service.requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_message_that_could_not_be_changed_is_named_although_the_status_is_200() {
    let failed = json!({"Id": "1", "Code": "ReceiptHandleIsInvalid", "Message": "expired", "SenderFault": true});
    let (_, queues) = service([(200, json!({"Successful": [{"Id": "0"}], "Failed": [failed]}))]).await;
    let failure = queues.redeliver(QUEUE, &[message("a", 30), message("b", 30)]).await.unwrap_err();
    assert!(failure.message.contains("message b: expired (ReceiptHandleIsInvalid)"), "{}", failure.message);
    assert!(!failure.message.contains("message a"), "{}", failure.message);
}

#[tokio::test]
async fn no_request_is_sent_for_an_arn_that_is_not_a_queues() {
    let (service, queues) = service([]).await;
    for arn in [
        "",
        "jobs",
        "arn:aws:sns:eu-west-1:123456789012:jobs",
        "arn:aws:sqs:eu-west-1:123456789012:../../other",
        "arn:aws:sqs:evil.example/:123456789012:jobs",
    ] {
        let failure = queues.redeliver(arn, &[message("a", 30)]).await.unwrap_err();
        assert!(failure.message.contains(&format!("{arn:?} is not the ARN of a queue")), "{}", failure.message);
    }
    assert!(service.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_message_is_sent_again_with_its_attributes_and_a_delay() {
    let (service, queues) = service([(200, json!({"MessageId": "2", "MD5OfMessageBody": "0"}))]).await;
    let attributes = json!({"Traceparent": {"stringValue": "00-0a", "dataType": "String", "binaryListValues": []}});
    queues.send_again(QUEUE, "{\"listingId\": 51}", &attributes, 45).await.unwrap();
    let requests = service.requests.lock().unwrap();
    let (_, _, headers, body) = &requests[0];
    assert_eq!(headers["x-amz-target"], "AmazonSQS.SendMessage");
    assert_eq!((&body["MessageBody"], &body["DelaySeconds"]), (&json!("{\"listingId\": 51}"), &json!(45)));
    assert_eq!(body["MessageAttributes"], json!({"Traceparent": {"StringValue": "00-0a", "DataType": "String"}}));
    assert!(body["QueueUrl"].as_str().unwrap().ends_with("/123456789012/listing-media-processing-staging"));
}

const MESSAGE: &str =
    r#"{"Messages": [{"MessageId": "m", "ReceiptHandle": "h+/=", "MD5OfBody": "x", "Body": "{oops"}]}"#;

#[tokio::test]
async fn a_kept_message_is_received_alone_and_deleted_by_its_handle() {
    let answers = [(200, serde_json::from_str(MESSAGE).unwrap()), (200, json!({})), (200, json!({}))];
    let (service, queues) = service(answers).await;
    let kept = KeptMessage { body: "{oops".into(), receipt_handle: "h+/=".into() };
    assert_eq!(queues.receive(QUEUE, 30).await.unwrap(), std::slice::from_ref(&kept));
    assert_eq!(queues.receive(QUEUE, 30).await.unwrap(), [], "an empty queue");
    queues.delete(QUEUE, &kept.receipt_handle).await.unwrap();
    let requests = service.requests.lock().unwrap();
    let asked: Vec<_> = requests.iter().map(|(_, _, headers, _)| headers["x-amz-target"].to_str().unwrap()).collect();
    assert_eq!(asked, ["AmazonSQS.ReceiveMessage", "AmazonSQS.ReceiveMessage", "AmazonSQS.DeleteMessage"]);
    let (_, _, _, first) = &requests[0];
    assert_eq!((&first["MaxNumberOfMessages"], &first["VisibilityTimeout"]), (&json!(1), &json!(30)));
    let (_, _, _, last) = &requests[2];
    assert_eq!(last["ReceiptHandle"], "h+/=");
    assert!(last["QueueUrl"].as_str().unwrap().ends_with("/123456789012/listing-media-processing-staging"), "{last}");
}
