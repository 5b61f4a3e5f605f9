//! The requests of Step Functions and MediaConvert that tickets need: every call is recorded, and answers can be
//! chosen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
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
    /// The jobs, oldest first.
    jobs: Vec<FakeJob>,
    /// Request tokens that are remembered: token and id.
    tokens: BTreeMap<String, String>,
    /// How many of the next answers of CreateJob are lost. The jobs are made.
    lose_answers: usize,
    /// The status of executions that do not run, by ARN.
    over: BTreeMap<String, String>,
    /// The fields of every answer of CreateJob, if not the usual ones.
    status: Option<Value>,
    /// The HTTP status with which MediaConvert refuses every request for a job.
    refuse: Option<u16>,
}

/// A job of MediaConvert.
struct FakeJob {
    id: String,
    /// The body of CreateJob.
    wanted: Value,
    /// The fields of the answer that tell its state, `{"status": …}`.
    state: Value,
}

impl FakeJob {
    fn answer(&self) -> Value {
        let mut job = self.state.clone();
        job["id"] = json!(self.id);
        job["role"] = self.wanted["role"].clone();
        job["userMetadata"] = self.wanted["userMetadata"].clone();
        job["settings"] = json!({});
        job
    }
}

impl FakeServices {
    /// Serves both on loopback and returns the endpoint.
    pub async fn start(&self) -> String {
        let app = Router::new()
            .route("/", post(states))
            .route("/2017-08-29/jobs", post(create_job).get(list_jobs))
            .route("/2017-08-29/jobs/{id}", get(get_job).delete(cancel_job))
            .with_state(self.clone());
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

    /// Returns the requests of all jobs that were made.
    pub fn jobs(&self) -> Vec<Value> {
        self.0.lock().unwrap().jobs.iter().map(|job| job.wanted.clone()).collect()
    }

    /// Returns the status of every job, in the order of their requests.
    pub fn statuses(&self) -> Vec<String> {
        let state = self.0.lock().unwrap();
        state.jobs.iter().map(|job| job.state["status"].as_str().unwrap().to_owned()).collect()
    }

    /// Changes a job to `{"status": …}`.
    pub fn change_job(&self, id: &str, to: Value) {
        let mut state = self.0.lock().unwrap();
        state.jobs.iter_mut().find(|job| job.id == id).unwrap().state = to;
    }

    /// Forgets all request tokens, as MediaConvert does after a minute.
    pub fn forget_tokens(&self) {
        self.0.lock().unwrap().tokens.clear();
    }

    /// Makes the jobs of the next requests, and loses the answers.
    pub fn lose_answers(&self, count: usize) {
        self.0.lock().unwrap().lose_answers = count;
    }

    /// Makes an execution one that has ended with this status.
    pub fn end_execution(&self, arn: &str, status: &str) {
        self.0.lock().unwrap().over.insert(arn.to_owned(), status.to_owned());
    }

    /// Makes MediaConvert answer CreateJob with these fields, `{"status": …}`.
    pub fn answer_jobs_with(&self, status: Value) {
        self.0.lock().unwrap().status = Some(status);
    }

    /// Makes MediaConvert refuse every request for a job with this HTTP status, or none.
    pub fn refuse_jobs_with(&self, status: Option<u16>) {
        self.0.lock().unwrap().refuse = status;
    }
}

async fn states(State(services): State<FakeServices>, headers: HeaderMap, body: String) -> Response {
    let target = headers["x-amz-target"].to_str().unwrap();
    let action = target.rsplit('.').next().unwrap().to_owned();
    let body: Value = serde_json::from_str(&body).unwrap();
    let mut state = services.0.lock().unwrap();
    if action == "DescribeExecution" {
        let arn = body["executionArn"].as_str().unwrap();
        let status = state.over.get(arn).map_or("RUNNING", String::as_str);
        let answer = json!({"executionArn": arn, "stateMachineArn": "arn:m", "startDate": 1.0, "status": status});
        return answer.to_string().into_response();
    }
    let token = body["taskToken"].as_str().unwrap().to_owned();
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
    let made = state.status.clone().unwrap_or_else(|| json!({"status": "SUBMITTED"}));
    let token = body["clientRequestToken"].as_str().unwrap().to_owned();
    let id = state.tokens.get(&token).cloned().unwrap_or_else(|| {
        let id = format!("1700000000000-job{}", state.jobs.len());
        state.jobs.push(FakeJob { id: id.clone(), wanted: body.clone(), state: made });
        state.tokens.insert(token, id.clone());
        id
    });
    if state.lose_answers > 0 {
        state.lose_answers -= 1;
        return (StatusCode::BAD_GATEWAY, "").into_response();
    }
    let job = state.jobs.iter().find(|job| job.id == id).unwrap();
    (StatusCode::CREATED, json!({"job": job.answer()}).to_string()).into_response()
}

async fn get_job(State(services): State<FakeServices>, Path(id): Path<String>) -> Response {
    let state = services.0.lock().unwrap();
    match state.jobs.iter().find(|job| job.id == id) {
        Some(job) => json!({"job": job.answer()}).to_string().into_response(),
        None => (StatusCode::NOT_FOUND, json!({"message": "no such job"}).to_string()).into_response(),
    }
}

async fn list_jobs(State(services): State<FakeServices>) -> Response {
    let state = services.0.lock().unwrap();
    let jobs: Vec<Value> = state.jobs.iter().rev().map(FakeJob::answer).collect();
    json!({"jobs": jobs}).to_string().into_response()
}

/// MediaConvert cancels a job only as long as it waits.
async fn cancel_job(State(services): State<FakeServices>, Path(id): Path<String>) -> Response {
    let mut state = services.0.lock().unwrap();
    let job = state.jobs.iter_mut().find(|job| job.id == id).unwrap();
    if job.state["status"] != "SUBMITTED" {
        let error = json!({"message": "the job has begun"});
        let answer = (StatusCode::CONFLICT, [("x-amzn-errortype", "ConflictException")], error.to_string());
        return answer.into_response();
    }
    job.state = json!({"status": "CANCELED"});
    (StatusCode::ACCEPTED, "{}").into_response()
}
