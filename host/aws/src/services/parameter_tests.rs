#![allow(clippy::unwrap_used)]
//! A number in a Parameter Store that answers as AWS does: it numbers every value and keeps all.

use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};

use super::*;

const ARN: &str = "arn:aws:ssm:eu-west-1:123456789012:parameter/toq/pins-floor";

/// What the service keeps, and what happens before its next write.
#[derive(Default)]
struct Service {
    /// All values; the version of the first one is 1.
    values: Vec<String>,
    /// What somebody else writes just before the next write.
    other: Vec<String>,
    denied: bool,
    names: Vec<String>,
}

impl Service {
    fn answer(&mut self, target: &str, body: &Value) -> (StatusCode, Value) {
        let refused = |code: &str| (StatusCode::BAD_REQUEST, json!({"__type": code, "message": "no"}));
        let name = body["Name"].as_str().unwrap().to_owned();
        self.names.push(name.clone());
        if self.denied {
            return refused("AccessDeniedException");
        }
        match target {
            "AmazonSSM.GetParameter" => {
                let version = name.split(':').nth(1).map_or(self.values.len(), |version| version.parse().unwrap());
                match version.checked_sub(1).and_then(|at| self.values.get(at)) {
                    Some(value) => (StatusCode::OK, json!({"Parameter": {"Value": value, "Version": version}})),
                    None => refused("ParameterNotFound"),
                }
            }
            "AmazonSSM.PutParameter" => {
                assert_eq!((&body["Type"], &body["Overwrite"]), (&json!("String"), &json!(true)));
                self.values.append(&mut self.other);
                self.values.push(body["Value"].as_str().unwrap().to_owned());
                (StatusCode::OK, json!({"Version": self.values.len(), "Tier": "Standard"}))
            }
            other => panic!("{other}"),
        }
    }
}

async fn number(service: Service) -> (ParameterNumber, Arc<Mutex<Service>>) {
    let service = Arc::new(Mutex::new(service));
    let shared = service.clone();
    let app = Router::new().route(
        "/",
        post(move |headers: HeaderMap, body: String| async move {
            let target = headers["x-amz-target"].to_str().unwrap();
            let (status, answer) = shared.lock().unwrap().answer(target, &serde_json::from_str(&body).unwrap());
            (status, Json(answer))
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoints =
        Endpoints { ssm: Some(format!("http://{}/", listener.local_addr().unwrap())), ..Endpoints::default() };
    tokio::spawn(async move { axum::serve(listener, app).await });
    let credentials = Credentials::new("test", "test-secret", None, None, "test");
    let config = SdkConfig::builder().credentials_provider(SharedCredentialsProvider::new(credentials)).build();
    (ParameterNumber::new(&config, ParameterArn::parse(ARN).unwrap(), &endpoints), service)
}

fn values(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

#[tokio::test]
async fn a_number_that_was_never_set_is_absent_and_then_only_grows() {
    let (number, service) = number(Service::default()).await;
    assert_eq!(number.read().await.unwrap(), None);
    assert_eq!(number.raise(7).await.unwrap(), 7);
    assert_eq!(number.raise(5).await.unwrap(), 7);
    assert_eq!(number.raise(7).await.unwrap(), 7);
    assert_eq!(number.read().await.unwrap(), Some(7));
    assert_eq!(service.lock().unwrap().values, ["7"], "nothing is written needlessly");
    assert!(service.lock().unwrap().names.iter().all(|name| name == "/toq/pins-floor"), "a name and no ARN");
}

#[tokio::test]
async fn a_higher_number_that_was_written_meanwhile_is_restored() {
    let other = values(&["9", "8"]);
    let (number, service) = number(Service { values: values(&["6"]), other, ..Service::default() }).await;
    assert_eq!(number.raise(7).await.unwrap(), 9);
    assert_eq!(service.lock().unwrap().values, ["6", "9", "8", "7", "9"]);
    assert_eq!(number.read().await.unwrap(), Some(9));
}

#[tokio::test]
async fn what_is_not_a_number_or_may_not_be_read_is_an_error_that_names_the_parameter() {
    let (number, service) = number(Service { values: values(&["latest"]), ..Service::default() }).await;
    let said = number.read().await.unwrap_err().to_string();
    assert!(said.contains(ARN) && said.contains("\"latest\" is not a whole number"), "{said}");
    service.lock().unwrap().denied = true;
    let said = number.read().await.unwrap_err().to_string();
    assert!(said.contains(ARN) && said.contains("needs ssm:GetParameter"), "{said}");
}

#[test]
fn only_the_arn_of_a_parameter_is_accepted() {
    let name = |arn: &str| ParameterArn::parse(arn).unwrap().name();
    assert_eq!(name(ARN), "/toq/pins-floor");
    assert_eq!(name("arn:aws:ssm:eu-west-1:123456789012:parameter/floor"), "floor");
    for text in [
        "/toq/pins-floor",
        "arn:aws:ssm:eu-west-1:123456789012:parameter/",
        "arn:aws:ssm:eu-west-1:123456789012:document/floor",
        "arn:aws:ssm:eu-west-1:123456789012:parameter/floor:3",
        "arn:aws:s3:eu-west-1:123456789012:parameter/floor",
    ] {
        let error = ParameterArn::parse(text).unwrap_err().to_string();
        assert!(error.contains(text) && error.contains("PINS_FLOOR"), "{error}");
    }
}
