//! Requests that no SDK sends.

use serde_json::Value;

use crate::support::Service;

#[tokio::test]
async fn an_invalid_request_is_refused_and_the_service_continues() {
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
        (Some("AWSStepFunctions.StartSyncExecutions"), "{}", "UnknownOperationException"),
        (Some("DynamoDB.GetItem"), "{}", "UnknownOperationException"),
        (Some("AWSStepFunctions.StartExecution"), "{}", "ValidationException"),
        (Some("AWSStepFunctions.StartExecution"), r#"{"stateMachineArn": 5}"#, "ValidationException"),
        (Some("AWSStepFunctions.StartExecution"), "{", "SerializationException"),
    ] {
        assert_eq!(send(target, body).await, (400, error.to_owned()), "{target:?} {body}");
    }
    assert_eq!(send(Some("AWSStepFunctions.ListStateMachines"), "").await.0, 200);
    let long = format!(r#"{{"definition": "{}"}}"#, "x".repeat(5 * 1024 * 1024));
    let refused = send(Some("AWSStepFunctions.CreateStateMachine"), &long).await;
    assert_eq!(refused, (413, "RequestEntityTooLargeException".to_owned()));
}
