//! The four paths of the API.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::{Deadline, FunctionError};

const VERSION: &str = "/2018-06-01/runtime/";
/// The largest answer that Lambda accepts, in bytes.
const LARGEST_ANSWER: usize = 6_291_556;
const FUNCTION_ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:listing-media-processing-host-test";
const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

type Answer = Result<Bytes, FunctionError>;

struct Invocation {
    id: String,
    payload: Bytes,
    deadline: Option<String>,
    trace: String,
}

/// State that both sides of the API share.
pub(super) struct Shared {
    submit: mpsc::UnboundedSender<Invocation>,
    waiting: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    answers: Mutex<HashMap<String, oneshot::Sender<Answer>>>,
    count: AtomicU64,
    asked: Notify,
    ready: OnceLock<Instant>,
    answered: OnceLock<Instant>,
    init_error: OnceLock<FunctionError>,
}

impl Shared {
    pub(super) fn new() -> Self {
        let (submit, waiting) = mpsc::unbounded_channel();
        Self {
            submit,
            waiting: tokio::sync::Mutex::new(waiting),
            answers: Mutex::default(),
            count: AtomicU64::new(0),
            asked: Notify::new(),
            ready: OnceLock::new(),
            answered: OnceLock::new(),
            init_error: OnceLock::new(),
        }
    }

    /// `trace` is the trace header; without one, it is that of a trace which nobody else is in.
    pub(super) fn submit(&self, payload: Bytes, deadline: Deadline, trace: Option<&str>) -> oneshot::Receiver<Answer> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let id = format!("5ca1ab1e-0000-4000-8000-{number:012x}");
        let (sender, receiver) = oneshot::channel();
        self.answers().insert(id.clone(), sender);
        // It fails only if `waiting` is dropped, which lives as long as this.
        let _ = self.submit.send(Invocation {
            id,
            payload,
            deadline: deadline.header(),
            trace: trace.unwrap_or(TRACE).to_owned(),
        });
        receiver
    }

    pub(super) async fn ready(&self) {
        let asked = self.asked.notified();
        if self.ready.get().is_none() {
            asked.await;
        }
    }

    pub(super) fn ready_at(&self) -> Option<Instant> {
        self.ready.get().copied()
    }

    pub(super) fn answered_at(&self) -> Option<Instant> {
        self.answered.get().copied()
    }

    pub(super) fn init_error(&self) -> Option<FunctionError> {
        self.init_error.get().cloned()
    }

    fn answers(&self) -> std::sync::MutexGuard<'_, HashMap<String, oneshot::Sender<Answer>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        if self.ready.set(Instant::now()).is_ok() {
            self.asked.notify_waiters();
        }
        let Some(invocation) = self.waiting.lock().await.recv().await else {
            return refusal(StatusCode::INTERNAL_SERVER_ERROR, "Emulator.Stopped", "no more invocations");
        };
        let mut response = Response::new(Full::new(invocation.payload));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("lambda-runtime-invoked-function-arn", HeaderValue::from_static(FUNCTION_ARN));
        if let Ok(trace) = HeaderValue::from_str(&invocation.trace) {
            headers.insert("lambda-runtime-trace-id", trace);
        }
        if let Ok(id) = HeaderValue::from_str(&invocation.id) {
            headers.insert("lambda-runtime-aws-request-id", id);
        }
        if let Some(deadline) = invocation.deadline.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert("lambda-runtime-deadline-ms", deadline);
        }
        response
    }

    fn answer(&self, id: &str, answer: Answer) -> Response<Full<Bytes>> {
        let Some(sender) = self.answers().remove(id) else {
            return refusal(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID");
        };
        let _ = self.answered.set(Instant::now());
        // Whoever invoked may have given up.
        let too_large = matches!(&answer, Ok(bytes) if bytes.len() > LARGEST_ANSWER);
        if too_large {
            let message =
                format!("Response payload size exceeded maximum allowed payload size ({LARGEST_ANSWER} bytes).");
            let _ = sender.send(Err(FunctionError::new("Function.ResponseSizeTooLarge", message)));
            return refusal(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                "Exceeded maximum allowed payload size",
            );
        }
        let _ = sender.send(answer);
        accepted()
    }
}

fn accepted() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"{\"status\":\"OK\"}\n")));
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

fn refusal(status: StatusCode, error_type: &str, message: &str) -> Response<Full<Bytes>> {
    let body = json!({"errorType": error_type, "errorMessage": message}).to_string();
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
}

/// Reads an error that a runtime reports: from the body, with its type in a header too.
fn reported(header: Option<&HeaderValue>, body: &[u8]) -> FunctionError {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |field: &str| body[field].as_str().map(str::to_owned);
    let in_header = || header.and_then(|value| value.to_str().ok()).map(str::to_owned);
    FunctionError::new(
        text("errorType").or_else(in_header).unwrap_or_else(|| "Unknown".to_owned()),
        text("errorMessage").unwrap_or_default(),
    )
}

async fn serve(shared: Arc<Shared>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let error_type = parts.headers.get("lambda-runtime-function-error-type");
    let path = parts.uri.path().strip_prefix(VERSION).unwrap_or_default();
    if (&parts.method, path) == (&Method::GET, "invocation/next") {
        return shared.next().await;
    }
    let Ok(body) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
        return refusal(StatusCode::BAD_REQUEST, "Emulator.CutOff", "the body was cut off");
    };
    let steps: Vec<&str> = path.split('/').collect();
    match (&parts.method, steps.as_slice()) {
        (&Method::POST, ["invocation", id, "response"]) => shared.answer(id, Ok(body)),
        (&Method::POST, ["invocation", id, "error"]) => shared.answer(id, Err(reported(error_type, &body))),
        (&Method::POST, ["init", "error"]) => {
            let _ = shared.init_error.set(reported(error_type, &body));
            accepted()
        }
        _ => refusal(StatusCode::NOT_FOUND, "Emulator.NoSuchPath", &format!("{} {}", parts.method, parts.uri)),
    }
}

/// The listening side. It ends when this is dropped.
pub(super) struct Api {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Api {
    pub(super) async fn start(shared: Arc<Shared>) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Without it, small answers wait for acknowledgements, 40 ms each.
                let _ = stream.set_nodelay(true);
                let shared = shared.clone();
                let service = service_fn(move |request| {
                    let shared = shared.clone();
                    async move { Ok::<_, Infallible>(serve(shared, request).await) }
                });
                // A connection ends with its process.
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Ok(Self { address, accepting })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
