//! The proxy between one process of the function and all that it calls.
//!
//! It reads a request whole, asks the plan, and answers, breaks or passes on. Every process has a proxy of its own, so each
//! request belongs to an invocation, and a kill meets the right process.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HeaderValue, TRANSFER_ENCODING};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::bite::Bite;
use super::canned;
use super::context::Context;
use super::door::{Door, Doorkeeper};
use super::fault::FaultKind;
use super::plan::Action;
use super::request::{Called, Seen};
use super::shared::Shared;

/// The largest request and answer, in bytes: a part of an upload has 8 MiB, and a file of the listings is smaller than this.
const LARGEST: usize = 64 << 20;

/// An answer's body, which may break off.
pub(super) struct Answer {
    bytes: Option<Bytes>,
    breaks: bool,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(bytes) = self.bytes.take().filter(|bytes| !bytes.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        Poll::Ready(std::mem::take(&mut self.breaks).then(|| Err(broken())))
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "broken on purpose")
}

pub(super) fn answer(response: Response<Bytes>) -> Response<Answer> {
    response.map(|bytes| Answer { bytes: Some(bytes), breaks: false })
}

/// The proxy of one process. It ends when this is dropped.
pub(super) struct Proxy {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Proxy {
    pub(super) fn start(shared: Arc<Shared>, context: Arc<Context>) -> Result<Self> {
        let mut door = Door::open()?;
        let (address, keeper) = (door.address(), door.keeper());
        let accepting = tokio::spawn(async move {
            while let Ok(stream) = door.accept().await {
                let _ = stream.set_nodelay(true);
                // A connection that is closed while the host still waits is reset.
                let _ = stream.set_zero_linger();
                let (shared, context, keeper) = (shared.clone(), context.clone(), keeper.clone());
                let upstream = Arc::new(Mutex::new(None));
                let service = service_fn(move |request| {
                    let connection = Connection {
                        shared: shared.clone(),
                        context: context.clone(),
                        keeper: keeper.clone(),
                        upstream: upstream.clone(),
                    };
                    async move { connection.handle(request).await }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Ok(Self { address, accepting })
    }

    /// Returns the endpoint of everything that the host calls.
    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

type Upstream = Arc<Mutex<Option<(SocketAddr, SendRequest<Full<Bytes>>)>>>;

/// One connection of the host.
struct Connection {
    shared: Arc<Shared>,
    context: Arc<Context>,
    keeper: Doorkeeper,
    upstream: Upstream,
}

impl Connection {
    /// Answers one request. An error closes the connection without an answer.
    async fn handle(self, request: Request<Incoming>) -> io::Result<Response<Answer>> {
        let (parts, body) = request.into_parts();
        let limited = http_body_util::Limited::new(body, LARGEST);
        let body = limited.collect().await.map_err(|_| broken())?.to_bytes();
        let seen = Seen::new(&parts.method, &parts.uri, &parts.headers, &body);
        let work = self.context.work();
        let action = self.shared.plan.request(&seen, work.as_ref());
        let number = self.shared.log.request(self.context.number, work, seen.clone(), action.map(|action| action.kind));
        let call = Call { connection: &self, parts, body, seen, number };
        match action {
            None => call.pass_on().await.map(answer),
            Some(action) => call.disturbed(action).await,
        }
    }
}

/// A request in progress.
struct Call<'a> {
    connection: &'a Connection,
    parts: hyper::http::request::Parts,
    body: Bytes,
    seen: Seen,
    /// Its number in the log.
    number: usize,
}

impl Call<'_> {
    async fn disturbed(&self, action: Action) -> io::Result<Response<Answer>> {
        let wait = |longest: u64| tokio::time::sleep(Duration::from_millis(20 + action.detail % longest));
        match action.kind {
            FaultKind::Refused => {
                self.connection.keeper.shut(Duration::from_millis(40));
                Err(broken())
            }
            FaultKind::Reset => Err(broken()),
            FaultKind::Slow => {
                let early = action.detail & 1 == 0;
                if early {
                    wait(400).await;
                }
                let response = self.pass_on().await?;
                if !early {
                    wait(400).await;
                }
                Ok(answer(response))
            }
            FaultKind::Cut => {
                let (parts, bytes) = self.pass_on().await?.into_parts();
                let half = bytes.slice(..bytes.len() / 2);
                Ok(Response::from_parts(parts, Answer { bytes: Some(half), breaks: true }))
            }
            FaultKind::AnswerLost => {
                self.pass_on().await?;
                Err(broken())
            }
            FaultKind::InternalError | FaultKind::SlowDown | FaultKind::Throttled => {
                Ok(answer(canned::refusal(self.seen.service, action.kind)))
            }
            FaultKind::Conflict if action.detail & 1 == 0 => Ok(answer(canned::conflict())),
            FaultKind::Conflict => {
                // As if a retry below the SDK had reached the service second.
                self.pass_on().await?;
                self.pass_on().await.map(answer)
            }
            FaultKind::Kill => {
                if let Some(delay) = action.after {
                    self.pass_on().await?;
                    tokio::time::sleep(delay).await;
                }
                self.connection.context.kill(&self.connection.shared.log);
                Err(broken())
            }
            // They do not happen to requests.
            FaultKind::Events | FaultKind::GivenUp => self.pass_on().await.map(answer),
        }
    }

    /// Sends the request on and notes the answer.
    async fn pass_on(&self) -> io::Result<Response<Bytes>> {
        let shared = &self.connection.shared;
        if shared.bite == Some(Bite::AbortsAreLost) && self.seen.operation == "AbortMultipartUpload" {
            shared.log.answered(self.number, 204);
            return Ok(canned::empty(StatusCode::NO_CONTENT));
        }
        let to = match self.seen.service {
            Called::S3 | Called::States | Called::Backend => shared.local,
            _ => shared.stand_ins,
        };
        let response = self.send(to).await?;
        shared.log.answered(self.number, response.status().as_u16());
        Ok(response)
    }

    async fn send(&self, to: SocketAddr) -> io::Result<Response<Bytes>> {
        let failed = |error: hyper::Error| io::Error::other(error);
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.parts.method.clone();
        // The server needs the path only.
        *request.uri_mut() = self.parts.uri.clone();
        *request.headers_mut() = self.parts.headers.clone();
        for name in [EXPECT, CONNECTION, TRANSFER_ENCODING] {
            request.headers_mut().remove(name);
        }
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        let mut upstream = self.connection.upstream.lock().await;
        let usable = upstream.as_ref().is_some_and(|(address, sender)| *address == to && !sender.is_closed());
        if !usable {
            *upstream = Some((to, connected(to).await?));
        }
        let Some((_, sender)) = upstream.as_mut() else { return Err(broken()) };
        sender.ready().await.map_err(failed)?;
        let (mut parts, body) = sender.send_request(request).await.map_err(failed)?.into_parts();
        let bytes = body.collect().await.map_err(failed)?.to_bytes();
        parts.headers.remove(CONNECTION);
        if parts.headers.remove(TRANSFER_ENCODING).is_some() && self.parts.method != Method::HEAD {
            parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        }
        Ok(Response::from_parts(parts, bytes))
    }
}

async fn connected(to: SocketAddr) -> io::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // It ends with the sender.
    tokio::spawn(connection);
    Ok(sender)
}
