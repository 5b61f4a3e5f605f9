//! The services that no other part of the project serves quickly: MediaConvert without an encoder, one operation of SQS and
//! one of Secrets Manager.
//!
//! A job's files are functions of its source's bytes and of the output's name: a small video with a box that has the digest
//! of both, or a captured frame with stripes of it. So it is known which bytes a rendition must have, and programs accept it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::bite::Bite;
use super::listing::{frame_of, video_of};
use super::plan::EventOrder;
use super::pool::Pool;
use super::random::draw;
use super::shared::Shared;

/// How often an event is delivered before it is given up: EventBridge and Lambda together try much longer.
const TRIES: u32 = 8;

/// A job that was accepted, and will be paid.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) id: String,
    /// The ticket of the state that submitted it.
    pub(super) ticket: String,
    /// The key of its source.
    pub(super) source: String,
    answer: Value,
}

/// The services.
#[derive(Clone)]
pub(super) struct StandIns(Arc<Inner>);

struct Inner {
    secret: String,
    jobs: Mutex<Vec<Job>>,
    by_token: Mutex<HashMap<String, usize>>,
    /// Set once everything has been started.
    world: OnceLock<World>,
    /// Jobs and deliveries in progress.
    working: tokio::sync::RwLock<()>,
}

struct World {
    shared: Arc<Shared>,
    pool: Pool,
    s3: aws_sdk_s3::Client,
    bucket: String,
}

/// The listening side. It ends when this is dropped.
pub(super) struct Listening {
    pub(super) address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl StandIns {
    /// Returns the services, with the secret of callbacks.
    pub(super) fn new(secret: String) -> Self {
        Self(Arc::new(Inner {
            secret,
            jobs: Mutex::default(),
            by_token: Mutex::default(),
            world: OnceLock::new(),
            working: tokio::sync::RwLock::default(),
        }))
    }

    pub(super) async fn listen(&self) -> Result<Listening> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let services = self.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let services = services.clone();
                let service = service_fn(move |request| {
                    let services = services.clone();
                    async move { Ok::<_, hyper::Error>(services.answer(request).await?.map(Full::new)) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Ok(Listening { address, accepting })
    }

    /// Connects the jobs with the bucket and with the function that gets their events.
    pub(super) fn connect(&self, shared: Arc<Shared>, pool: Pool, s3: aws_sdk_s3::Client, bucket: String) {
        // Called once.
        let _ = self.0.world.set(World { shared, pool, s3, bucket });
    }

    /// Returns the jobs that were accepted.
    pub(super) fn jobs(&self) -> Vec<Job> {
        self.0.jobs().clone()
    }

    /// Waits until all jobs have ended and all events are delivered.
    pub(super) async fn rest(&self) {
        let _all = self.0.working.write().await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Bytes>, hyper::Error> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let path = parts.uri.path().trim_end_matches('/');
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let (status, answer) = match (&parts.method, target, path.strip_prefix("/2017-08-29/jobs")) {
            (_, "secretsmanager.GetSecretValue", _) => (200, json!({"SecretString": self.0.secret})),
            (_, "AmazonSQS.ChangeMessageVisibilityBatch", _) => {
                let ids = body["Entries"].as_array().into_iter().flatten().map(|entry| json!({"Id": entry["Id"]}));
                (200, json!({"Successful": ids.collect::<Vec<_>>(), "Failed": []}))
            }
            (&Method::POST, _, Some("")) => (201, json!({"job": self.create(&body)})),
            // ListJobs: the newest first, all on one page.
            (&Method::GET, _, Some("")) => {
                let jobs: Vec<Value> = self.jobs().into_iter().rev().map(|job| job.answer).collect();
                (200, json!({"jobs": jobs}))
            }
            (&Method::GET, _, Some(id)) => {
                let found = self.jobs().into_iter().find(|job| id.strip_prefix('/') == Some(job.id.as_str()));
                found.map_or((404, json!({"message": "no such job"})), |job| (200, json!({"job": job.answer})))
            }
            _ => (404, json!({"message": format!("{} {} {target}", parts.method, parts.uri)})),
        };
        let mut response = Response::new(Bytes::from(answer.to_string()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
        Ok(response)
    }

    /// Accepts a job, or returns the one that was accepted under the same token.
    fn create(&self, body: &Value) -> Value {
        let token = body["clientRequestToken"].as_str().unwrap_or_default().to_owned();
        let mut by_token = self.0.by_token.lock().unwrap_or_else(PoisonError::into_inner);
        let mut jobs = self.0.jobs();
        let forgets = self.0.world.get().is_some_and(|world| world.shared.bite == Some(Bite::TokensForgotten));
        if let Some(job) = by_token.get(&token).and_then(|at| jobs.get(*at)).filter(|_| !forgets) {
            return job.answer.clone();
        }
        let id = format!("1767312000000-{:06x}{}", draw(0, &[&token]) & 0xff_ffff, jobs.len());
        let file = body.pointer("/settings/inputs/0/fileInput").and_then(Value::as_str).unwrap_or_default();
        let source = file.splitn(4, '/').nth(3).unwrap_or_default().to_owned();
        let answer = json!({
            "id": id,
            "arn": format!("arn:aws:mediaconvert:us-east-1:000000000000:jobs/{id}"),
            "status": "SUBMITTED",
            "role": body["role"],
            "settings": body["settings"],
            "userMetadata": body["userMetadata"],
        });
        let ticket = body.pointer("/userMetadata/ticket").and_then(Value::as_str).unwrap_or_default().to_owned();
        let job = Job { id, ticket, source, answer: answer.clone() };
        by_token.insert(token, jobs.len());
        jobs.push(job.clone());
        let services = self.clone();
        tokio::spawn(async move {
            let _working = services.0.working.read().await;
            let Some(world) = services.0.world.get() else { return };
            let order = world.shared.plan.events(&job.source);
            let status = match world.transcode(&job, order).await {
                Ok(()) => "COMPLETE",
                Err(error) => {
                    world.shared.log.note(0, None, format!("job {}: {error:#}", job.id));
                    "ERROR"
                }
            };
            services.0.ended(&job.id, status);
            world.report(&job, status, order).await;
        });
        answer
    }
}

impl Inner {
    /// Notes how a job ended, so that a repeated request gets this status.
    fn ended(&self, id: &str, status: &str) {
        if let Some(job) = self.jobs().iter_mut().find(|job| job.id == id) {
            job.answer["status"] = json!(status);
        }
    }

    fn jobs(&self) -> MutexGuard<'_, Vec<Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    /// Writes a job's files.
    async fn transcode(&self, job: &Job, order: EventOrder) -> Result<()> {
        if order != EventOrder::AtOnce {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let source = self.s3.get_object().bucket(&self.bucket).key(&job.source).send().await?.body.collect().await?;
        let source = source.into_bytes();
        for (key, name) in outputs(&job.answer["settings"], &self.bucket).context("the outputs of a job")? {
            let salt = if self.shared.bite == Some(Bite::OutputsDiffer) { job.id.as_str() } else { "" };
            let output = format!("{name}{salt}");
            let (body, kind) = match key.ends_with(".jpg") {
                true => (frame_of(&source, &output)?, "image/jpeg"),
                false => (video_of(&source, &output), "video/mp4"),
            };
            let put = self.s3.put_object().bucket(&self.bucket).key(&key).content_type(kind);
            put.body(ByteStream::from(body)).send().await?;
        }
        Ok(())
    }

    /// Delivers a job's events.
    async fn report(&self, job: &Job, status: &str, order: EventOrder) {
        let (progress, last) = (event(job, "STATUS_UPDATE"), event(job, status));
        let events: &[&Value] = match order {
            EventOrder::InOrder => &[&progress, &last],
            EventOrder::Twice => &[&progress, &last, &last],
            EventOrder::FinalFirst => &[&last, &progress],
            EventOrder::AtOnce => &[&last, &progress, &last],
        };
        for event in events {
            self.deliver(job, event).await;
        }
    }

    /// Delivers an event as EventBridge does: again, if the function failed.
    async fn deliver(&self, job: &Job, event: &Value) {
        let payload = Bytes::from(event.to_string());
        for _ in 0..TRIES {
            let answer = stagehost_local::Function::invoke(&self.pool, payload.clone()).await;
            let Err(error) = answer else { return };
            self.shared.log.note(0, None, format!("an event of {} failed: {}", job.id, error.error_type));
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        self.shared.log.note(0, None, format!("an event of {} was given up", job.id));
    }
}

/// Returns the key of each file of the outputs, and what distinguishes it from the others.
fn outputs(settings: &Value, bucket: &str) -> Option<Vec<(String, String)>> {
    let mut keys = Vec::new();
    for group in settings["outputGroups"].as_array()? {
        let destination = group.pointer("/outputGroupSettings/fileGroupSettings/destination")?.as_str()?;
        let base = destination.strip_prefix(&format!("s3://{bucket}/"))?;
        for output in group["outputs"].as_array()? {
            let modifier = output["nameModifier"].as_str().unwrap_or_default();
            let extension = output["extension"].as_str()?;
            // The service numbers the frames that it captures; a job asks for two.
            if output.pointer("/videoDescription/codecSettings/frameCaptureSettings").is_some() {
                let size = base.rsplit('_').next().unwrap_or_default();
                let frame = |number| (format!("{base}{modifier}.{number:07}.{extension}"), format!("{size}.{number}"));
                keys.extend([frame(0), frame(1)]);
                continue;
            }
            keys.push((format!("{base}{modifier}.{extension}"), modifier.to_owned()));
        }
    }
    Some(keys)
}

fn event(job: &Job, status: &str) -> Value {
    json!({
        "version": "0", "id": "1", "detail-type": "MediaConvert Job State Change", "source": "aws.mediaconvert",
        "account": "000000000000", "time": "2026-01-02T03:04:05Z", "region": "us-east-1", "resources": [],
        "detail": {
            "timestamp": 1_767_312_000_000_u64, "accountId": "000000000000", "jobId": job.id, "status": status,
            "userMetadata": job.answer["userMetadata"], "jobProgress": {"jobPercentComplete": 50},
        },
    })
}
