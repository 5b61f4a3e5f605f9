//! Step Functions and MediaConvert as far as the tickets speak with them: every call is kept, answers can be chosen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};

/// What the two services were asked, and what they know.
#[derive(Clone, Default)]
pub struct Services(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    /// Step Functions' calls: action and body.
    calls: Vec<(String, Value)>,
    /// Tokens that nobody waits for any more.
    ended: Vec<String>,
    /// CreateJob's bodies by client request token, with the id given.
    jobs: BTreeMap<String, (String, Value)>,
    /// The status that the next answer of CreateJob has.
    status: Option<Value>,
    /// Answer the next so many calls of MediaConvert with this status.
    refuse: Option<u16>,
}

impl Services {
    /// Serves both on loopback; gives the endpoint.
    pub async fn start(&self) -> String {
        let app =
            Router::new().route("/", post(states)).route("/2017-08-29/jobs", post(create_job)).with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        url
    }

    /// Bodies of all calls of `action`, in order.
    pub fn calls(&self, action: &str) -> Vec<Value> {
        let known = self.0.lock().unwrap();
        known.calls.iter().filter(|(name, _)| name == action).map(|(_, body)| body.clone()).collect()
    }

    /// From now on nobody waits with this token.
    pub fn end(&self, token: &str) {
        self.0.lock().unwrap().ended.push(token.to_owned());
    }

    /// Every distinct CreateJob so far.
    pub fn jobs(&self) -> Vec<Value> {
        self.0.lock().unwrap().jobs.values().map(|(_, body)| body.clone()).collect()
    }

    /// Jobs are told to be in this state, `{"status": …}`.
    pub fn answer_jobs_with(&self, status: Value) {
        self.0.lock().unwrap().status = Some(status);
    }

    /// MediaConvert refuses everything with this HTTP status.
    pub fn refuse_jobs_with(&self, status: u16) {
        self.0.lock().unwrap().refuse = Some(status);
    }
}

async fn states(State(services): State<Services>, headers: HeaderMap, body: String) -> Response {
    let target = headers["x-amz-target"].to_str().unwrap();
    let action = target.rsplit('.').next().unwrap().to_owned();
    let body: Value = serde_json::from_str(&body).unwrap();
    let token = body["taskToken"].as_str().unwrap().to_owned();
    let mut known = services.0.lock().unwrap();
    let ended = known.ended.contains(&token);
    known.calls.push((action.clone(), body));
    if ended {
        let error = json!({"__type": "com.amazonaws.swf.service.v2.model#TaskTimedOut", "message": "Task Timed Out"});
        return (StatusCode::BAD_REQUEST, error.to_string()).into_response();
    }
    if action != "SendTaskHeartbeat" {
        known.ended.push(token);
    }
    "{}".into_response()
}

async fn create_job(State(services): State<Services>, body: String) -> Response {
    let body: Value = serde_json::from_str(&body).unwrap();
    let mut known = services.0.lock().unwrap();
    if let Some(status) = known.refuse {
        let status = StatusCode::from_u16(status).unwrap();
        return (status, json!({"message": "no"}).to_string()).into_response();
    }
    let mut job = known.status.clone().unwrap_or_else(|| json!({"status": "SUBMITTED"}));
    let next = format!("1700000000000-job{}", known.jobs.len());
    let token = body["clientRequestToken"].as_str().unwrap().to_owned();
    let (id, _) = known.jobs.entry(token).or_insert((next, body.clone()));
    job["id"] = json!(id.clone());
    job["role"] = body["role"].clone();
    job["settings"] = json!({});
    (StatusCode::CREATED, json!({"job": job}).to_string()).into_response()
}
