//! The server: one port for all services.

mod caller;
mod cors;
mod service;
mod unread;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::serve::ListenerExt as _;
use http::{HeaderValue, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use cors::CrossOrigin;
use service::Service;
use unread::BodyWatch;

/// How long open requests may continue after the server begins to stop.
const GRACE: Duration = Duration::from_secs(5);

/// The routers of the services.
pub(crate) struct Services {
    pub(crate) s3: Router,
    pub(crate) states: Router,
    pub(crate) lambda: Router,
    pub(crate) mediaconvert: Router,
    pub(crate) receiver: Router,
    /// Pages for a person's browser, once there are some. They check their callers by themselves, and more strictly.
    pub(crate) pages: Arc<OnceLock<Router>>,
    /// Other machines may send requests.
    pub(crate) remote: bool,
}

/// A running server.
pub(crate) struct Server {
    stop: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// Starts to answer requests.
    pub(crate) fn start(listener: TcpListener, services: Services) -> Self {
        let app = Router::new().fallback(respond).with_state(Arc::new(services));
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        // Otherwise the second packet of a response waits some 40 ms for the acknowledgement of the first.
        let listener = listener.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });
        let task = tokio::spawn(async move { axum::serve(listener, app).with_graceful_shutdown(stopped).await });
        Self { stop, task }
    }

    /// Accepts no more requests, waits a short time for open ones, then aborts them.
    pub(crate) async fn stop(&mut self) {
        self.stop.cancel();
        if tokio::time::timeout(GRACE, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        self.task.abort();
    }
}

/// Binds the port. Returns the listener and the bound address.
pub(crate) async fn bind(address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Answers a request, and announces the end of a connection that cannot be used again.
async fn respond(State(services): State<Arc<Services>>, request: Request) -> Response {
    let (request, watch) = BodyWatch::begin(request);
    let mut response = dispatch(&services, request).await;
    watch.announce(&mut response);
    response
}

/// Passes a request to the router of its service.
async fn dispatch(services: &Services, request: Request) -> Response {
    if let Err(refused) = caller::check(request.headers(), services.remote) {
        tracing::warn!(%refused, "a request was refused");
        return error(StatusCode::FORBIDDEN, "AccessDeniedException", &refused.to_string());
    }
    let service = Service::of(request.method(), request.uri(), request.headers());
    let page = match service {
        // Nobody else reads or embeds the pages, not even another page of this machine.
        Service::Pages => None,
        _ => CrossOrigin::of(request.method(), request.headers()),
    };
    if let Some(answer) = page.as_ref().and_then(CrossOrigin::preflight) {
        return answer;
    }
    let mut response = answer(services, service, request).await;
    if let Some(page) = page {
        page.allow(&mut response);
    }
    response
}

/// Lets the service of a request answer it.
async fn answer(services: &Services, service: Service, request: Request) -> Response {
    let router = match service {
        Service::S3 => &services.s3,
        Service::States => &services.states,
        Service::Lambda => &services.lambda,
        Service::MediaConvert => &services.mediaconvert,
        Service::Receiver => &services.receiver,
        Service::Health => return health(),
        Service::Pages => return pages(services, request).await,
        Service::Unknown(name) => {
            return error(
                StatusCode::NOT_IMPLEMENTED,
                "UnknownOperationException",
                &format!("the service {name:?} is not available here; use s3, states, lambda or mediaconvert"),
            );
        }
    };
    match router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Answers a person's browser.
async fn pages(services: &Services, request: Request) -> Response {
    let Some(router) = services.pages.get() else {
        return error(StatusCode::NOT_FOUND, "NotFound", "there are no pages here; the AWS CLI and SDKs use this port");
    };
    if request.uri().path() == "/" {
        return Redirect::to("/console").into_response();
    }
    match router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn health() -> Response {
    let body = json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "services": ["s3", "states", "lambda", "mediaconvert", "receiver"],
    });
    ([("content-type", "application/json")], body.to_string()).into_response()
}

/// Returns an error in the form of AWS's JSON services. Some SDKs read the code in `__type`, others in the header.
fn error(status: StatusCode, code: &'static str, message: &str) -> Response {
    let body = json!({"__type": code, "message": message});
    let mut response = (status, [("content-type", "application/json")], body.to_string()).into_response();
    response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(code));
    response
}
