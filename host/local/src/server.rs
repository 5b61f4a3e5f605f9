//! One port for every service.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt as _;
use http::{HeaderValue, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::guard;
use crate::pick::{Service, pick};

/// How long requests under way may take after the server was told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// What a request can be handed to.
pub(crate) struct Services {
    pub(crate) s3: Router,
    pub(crate) states: Router,
    pub(crate) lambda: Router,
    pub(crate) mediaconvert: Router,
    pub(crate) receiver: Router,
    /// Other machines are served, too.
    pub(crate) remote: bool,
}

/// A running server.
pub(crate) struct Server {
    stop: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl Server {
    pub(crate) fn start(listener: TcpListener, services: Services) -> Self {
        let app = Router::new().fallback(dispatch).with_state(Arc::new(services));
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        // Without it the second packet of an answer waits for the acknowledgement of the first, some 40 ms.
        let listener = listener.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });
        let task = tokio::spawn(async move { axum::serve(listener, app).with_graceful_shutdown(stopped).await });
        Self { stop, task }
    }

    /// Takes no more requests, gives those under way a moment, then cuts them off.
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

/// Binds the port.
pub(crate) async fn bind(address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn dispatch(State(services): State<Arc<Services>>, request: Request) -> Response {
    if let Err(foreign) = guard::check(request.headers(), services.remote) {
        tracing::warn!(%foreign, "a request was turned away");
        return error(StatusCode::FORBIDDEN, "AccessDeniedException", &foreign.to_string());
    }
    let router = match pick(request.method(), request.uri(), request.headers()) {
        Service::S3 => &services.s3,
        Service::States => &services.states,
        Service::Lambda => &services.lambda,
        Service::MediaConvert => &services.mediaconvert,
        Service::Receiver => &services.receiver,
        Service::Health => return health(),
        Service::Absent(name) => {
            return error(
                StatusCode::NOT_IMPLEMENTED,
                "UnknownOperationException",
                &format!("{name:?} is not served here; there are s3, states, lambda and mediaconvert"),
            );
        }
    };
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

/// An error as JSON services of AWS write it; `__type` and the header say the same to different SDKs.
fn error(status: StatusCode, code: &'static str, message: &str) -> Response {
    let body = json!({"__type": code, "message": message});
    let mut response = (status, [("content-type", "application/json")], body.to_string()).into_response();
    response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(code));
    response
}
