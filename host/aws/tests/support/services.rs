//! The requests of Step Functions and MediaConvert that tickets need: every call is recorded, and answers can be
//! chosen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};

/// Both services. Clones share their state.
#[derive(Clone, Default)]
pub struct FakeServices(Arc<Mutex<ServiceState>>);

#[derive(Default)]
struct ServiceState {
    /// Step Functions' calls: action and body.
    calls: Vec<(String, Value)>,
    /// Tokens of states that no longer wait.
    ended: Vec<String>,
    /// Ids and bodies of CreateJob by client request token.
    jobs: BTreeMap<String, (String, Value)>,
    /// The fields of every answer of CreateJob, if not the usual ones.
    status: Option<Value>,
    /// The HTTP status with which MediaConvert refuses every call.
    refuse: Option<u16>,
}

impl FakeServices {
    /// Serves both on loopback and returns the endpoint.
    pub async fn start(&self) -> String {
        let app =
            Router::new().route("/", post(states)).route("/2017-08-29/jobs", post(create_job)).with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        url
    }

    /// Returns the bodies of all calls of `action`, in order.
    pub fn calls(&self, action: &str) -> Vec<Value> {
        let state = self.0.lock().unwrap();
        state.calls.iter().filter(|(name, _)| name == action).map(|(_, body)| body.clone()).collect()
    }

    /// Ends the state that waits with this token.
    pub fn end(&self, token: &str) {
        self.0.lock().unwrap().ended.push(token.to_owned());
    }

    /// Returns the bodies of all distinct CreateJob calls.
    pub fn jobs(&self) -> Vec<Value> {
        self.0.lock().unwrap().jobs.values().map(|(_, body)| body.clone()).collect()
    }

    /// Makes MediaConvert answer CreateJob with these fields, `{"status": …}`.
    pub fn answer_jobs_with(&self, status: Value) {
        self.0.lock().unwrap().status = Some(status);
    }

    /// Makes MediaConvert refuse every call with this HTTP status.
    pub fn refuse_jobs_with(&self, status: u16) {
        self.0.lock().unwrap().refuse = Some(status);
    }
}

async fn states(State(services): State<FakeServices>, headers: HeaderMap, body: String) -> Response {
    let target = headers["x-amz-target"].to_str().unwrap();
    let action = target.rsplit('.').next().unwrap().to_owned();
    let body: Value = serde_json::from_str(&body).unwrap();
    let token = body["taskToken"].as_str().unwrap().to_owned();
    let mut state = services.0.lock().unwrap();
    let ended = state.ended.contains(&token);
    state.calls.push((action.clone(), body));
    if ended {
        let error = json!({"__type": "com.amazonaws.swf.service.v2.model#TaskTimedOut", "message": "Task Timed Out"});
        return (StatusCode::BAD_REQUEST, error.to_string()).into_response();
    }
    if action != "SendTaskHeartbeat" {
        state.ended.push(token);
    }
    "{}".into_response()
}

async fn create_job(State(services): State<FakeServices>, body: String) -> Response {
    let body: Value = serde_json::from_str(&body).unwrap();
    let mut state = services.0.lock().unwrap();
    if let Some(status) = state.refuse {
        let status = StatusCode::from_u16(status).unwrap();
        return (status, json!({"message": "no"}).to_string()).into_response();
    }
    let mut job = state.status.clone().unwrap_or_else(|| json!({"status": "SUBMITTED"}));
    let next = format!("1700000000000-job{}", state.jobs.len());
    let token = body["clientRequestToken"].as_str().unwrap().to_owned();
    let (id, _) = state.jobs.entry(token).or_insert((next, body.clone()));
    job["id"] = json!(id.clone());
    job["role"] = body["role"].clone();
    job["settings"] = json!({});
    (StatusCode::CREATED, json!({"job": job}).to_string()).into_response()
}
