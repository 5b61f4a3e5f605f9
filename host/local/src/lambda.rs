//! The Lambda API's Invoke, and the one way in which everything here invokes the function.
//!
//! Facts: the API reference ("Invoke") and the developer guide's quotas. An error of the function is a success of the
//! call: 200 with `X-Amz-Function-Error` and the error as payload.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::function::{Function, FunctionError};

/// The largest payload of a call that waits for its answer, either way, in bytes.
const LARGEST: usize = 6 * 1024 * 1024;
/// The largest payload of a call that does not, in bytes.
const LARGEST_EVENT: usize = 1024 * 1024;
/// Lambda tries an asynchronous event twice more, after one and two minutes; nobody waits so long here.
const EVENT_RETRIES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];
/// The only version that there is.
const VERSION: &str = "$LATEST";

/// The functions that can be invoked: one dispatcher under some names. Cheap to clone.
#[derive(Clone)]
pub struct Functions {
    inner: Arc<Inner>,
}

struct Inner {
    names: Vec<String>,
    region: String,
    account: String,
    function: RwLock<Option<Arc<dyn Function>>>,
    /// Asynchronous calls under way.
    events: TaskTracker,
    stop: CancellationToken,
}

/// Why a call did not reach the function.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct InvokeError {
    /// The exception's name in the API.
    pub(crate) code: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

/// What the function made of a call: its result, or its error.
pub(crate) type Answer = Result<Bytes, FunctionError>;

impl Functions {
    pub(crate) fn new(names: Vec<String>, region: &str, account: &str) -> Self {
        Self {
            inner: Arc::new(Inner {
                names,
                region: region.to_owned(),
                account: account.to_owned(),
                function: RwLock::new(None),
                events: TaskTracker::new(),
                stop: CancellationToken::new(),
            }),
        }
    }

    /// Who answers from now on.
    pub(crate) fn set(&self, function: Arc<dyn Function>) {
        *self.inner.function.write().unwrap_or_else(PoisonError::into_inner) = Some(function);
    }

    /// The ARN of the function of this name.
    pub(crate) fn arn(&self, name: &str) -> String {
        format!("arn:aws:lambda:{}:{}:function:{name}", self.inner.region, self.inner.account)
    }

    /// Whether a name, a partial or a whole ARN, with or without a version, means a function that is here.
    ///
    /// # Errors
    /// `ResourceNotFoundException`, which names it.
    pub(crate) fn find(&self, reference: &str) -> Result<&str, InvokeError> {
        let name = function_name(reference);
        let known = self.inner.names.iter().find(|known| *known == name);
        known.map(String::as_str).ok_or_else(|| InvokeError {
            code: "ResourceNotFoundException",
            status: StatusCode::NOT_FOUND,
            message: format!("Function not found: {}", self.arn(name)),
        })
    }

    /// Calls the function and waits. Dropping the future stops it.
    pub(crate) async fn invoke(&self, reference: &str, payload: Bytes) -> Result<Answer, InvokeError> {
        let (name, payload) = (self.find(reference)?, checked(payload, LARGEST)?);
        let function = self.function(name)?;
        // A task of its own: a panic in it is an error of the function, not of this server.
        let mut call = JoinSet::new();
        call.spawn(async move { function.invoke(payload).await });
        let answer = match call.join_next().await {
            Some(Ok(answer)) => answer,
            Some(Err(error)) => Err(FunctionError::new("Runtime.ExitError", format!("the function ended: {error}"))),
            None => Err(FunctionError::new("Runtime.ExitError", "the function ended")),
        };
        Ok(answer.and_then(|payload| match payload.len() {
            0..=LARGEST => Ok(payload),
            length => Err(FunctionError::new(
                "Function.ResponseSizeTooLarge",
                format!(
                    "Response payload size ({length} bytes) exceeded maximum allowed payload size ({LARGEST} bytes)."
                ),
            )),
        }))
    }

    /// Takes an event and returns at once; what fails is tried twice more.
    pub(crate) fn enqueue(&self, reference: &str, payload: Bytes) -> Result<(), InvokeError> {
        let (name, payload) = (self.find(reference)?.to_owned(), checked(payload, LARGEST_EVENT)?);
        self.function(&name)?;
        let functions = self.clone();
        self.inner.events.spawn(async move {
            let stop = functions.inner.stop.clone();
            let _ = stop.run_until_cancelled(functions.deliver(&name, payload)).await;
        });
        Ok(())
    }

    /// Invokes until the function succeeds or the tries are used up. True if it succeeded.
    pub(crate) async fn deliver(&self, name: &str, payload: Bytes) -> bool {
        let mut delays = EVENT_RETRIES.into_iter();
        loop {
            let failed = match self.invoke(name, payload.clone()).await {
                Ok(Ok(_)) => return true,
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            match delays.next() {
                Some(delay) => {
                    tracing::warn!(function = name, error = failed, "an event failed and is tried again");
                    tokio::time::sleep(delay).await;
                }
                None => {
                    tracing::error!(function = name, error = failed, "an event is given up");
                    return false;
                }
            }
        }
    }

    /// Stops the calls that nobody waits for.
    pub(crate) async fn shutdown(&self) {
        self.inner.stop.cancel();
        self.inner.events.close();
        self.inner.events.wait().await;
    }

    fn function(&self, name: &str) -> Result<Arc<dyn Function>, InvokeError> {
        let function = self.inner.function.read().unwrap_or_else(PoisonError::into_inner).clone();
        function.ok_or_else(|| InvokeError {
            code: "ResourceNotFoundException",
            status: StatusCode::NOT_FOUND,
            message: format!("Function not found: {}: nothing answers for it yet", self.arn(name)),
        })
    }
}

/// `name`, `name:version`, `account:function:name[:version]` or `arn:aws:lambda:region:account:function:name[:version]`.
fn function_name(reference: &str) -> &str {
    let rest = match reference.split_once("function:") {
        Some((before, rest)) if before.is_empty() || before.ends_with(':') => rest,
        _ => reference,
    };
    rest.split(':').next().unwrap_or(rest)
}

/// A payload that is JSON and not too large. None at all is an empty object.
fn checked(payload: Bytes, largest: usize) -> Result<Bytes, InvokeError> {
    if payload.len() > largest {
        return Err(InvokeError {
            code: "RequestTooLargeException",
            status: StatusCode::PAYLOAD_TOO_LARGE,
            message: format!("{} byte payload is too large for this call (limit {largest} bytes)", payload.len()),
        });
    }
    if payload.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(&payload) {
        Ok(_) => Ok(payload),
        Err(error) => Err(InvokeError {
            code: "InvalidRequestContentException",
            status: StatusCode::BAD_REQUEST,
            message: format!("Could not parse request body into json: {error}"),
        }),
    }
}

/// `POST /2015-03-31/functions/{name}/invocations`.
pub(crate) fn router(functions: Functions) -> Router {
    Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        // One byte more, so that the limit is answered in Lambda's words.
        .layer(DefaultBodyLimit::max(LARGEST + 1))
        .with_state(functions)
}

async fn invoke(
    State(functions): State<Functions>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, InvokeError> {
    let kind = headers.get("x-amz-invocation-type").and_then(|kind| kind.to_str().ok()).unwrap_or("RequestResponse");
    match kind {
        "RequestResponse" => Ok(match functions.invoke(&name, body).await? {
            Ok(payload) => answered(payload, None),
            Err(error) => answered(error.document().to_string().into(), Some("Unhandled")),
        }),
        "Event" => {
            functions.enqueue(&name, body)?;
            Ok(StatusCode::ACCEPTED.into_response())
        }
        "DryRun" => {
            functions.find(&name)?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        other => Err(InvokeError {
            code: "InvalidParameterValueException",
            status: StatusCode::BAD_REQUEST,
            message: format!("X-Amz-Invocation-Type: {other:?} is not RequestResponse, Event or DryRun"),
        }),
    }
}

fn answered(payload: Bytes, error: Option<&'static str>) -> Response {
    let mut response = (StatusCode::OK, [("content-type", "application/json")], payload).into_response();
    let headers = response.headers_mut();
    headers.insert("x-amz-executed-version", HeaderValue::from_static(VERSION));
    if let Some(error) = error {
        headers.insert("x-amz-function-error", HeaderValue::from_static(error));
    }
    response
}

async fn unknown(method: axum::http::Method, uri: axum::http::Uri) -> InvokeError {
    InvokeError {
        code: "ResourceNotFoundException",
        status: StatusCode::NOT_FOUND,
        message: format!("{method} {}: of the Lambda API, only Invoke is served here", uri.path()),
    }
}

impl IntoResponse for InvokeError {
    fn into_response(self) -> Response {
        let body: Value = json!({"Type": "User", "Message": self.message, "message": self.message});
        let mut response = (self.status, [("content-type", "application/json")], body.to_string()).into_response();
        response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(self.code));
        response
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Fails as often as it is told to, then echoes.
    struct Echo(AtomicU32);

    #[async_trait::async_trait]
    impl Function for Echo {
        async fn invoke(&self, payload: Bytes) -> Result<Bytes, FunctionError> {
            match self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
                Ok(_) => Err(FunctionError::new("Stage.Transient", "not yet")),
                Err(_) if payload == "\"panic\"" => panic!("as asked"),
                Err(_) => Ok(payload),
            }
        }
    }

    fn functions(failures: u32) -> Functions {
        let functions = Functions::new(vec!["host".into()], "us-east-1", "000000000000");
        functions.set(Arc::new(Echo(AtomicU32::new(failures))));
        functions
    }

    #[test]
    fn a_function_is_known_by_its_name_and_every_form_of_its_arn() {
        let functions = functions(0);
        for reference in [
            "host",
            "host:$LATEST",
            "000000000000:function:host",
            "arn:aws:lambda:us-east-1:000000000000:function:host",
            "arn:aws:lambda:us-east-1:000000000000:function:host:live",
        ] {
            assert_eq!(functions.find(reference).unwrap(), "host", "{reference}");
        }
        let error = functions.find("arn:aws:lambda:us-east-1:000000000000:function:other").unwrap_err();
        assert_eq!(error.code, "ResourceNotFoundException");
        assert!(error.message.ends_with("function:other"));
    }

    #[tokio::test]
    async fn a_panic_is_the_functions_error() {
        let answer = functions(0).invoke("host", Bytes::from_static(b"\"panic\"")).await.unwrap();
        assert_eq!(answer.unwrap_err().error_type, "Runtime.ExitError");
    }

    #[tokio::test]
    async fn a_payload_that_is_no_json_or_too_large_is_refused() {
        let functions = functions(0);
        let error = functions.invoke("host", Bytes::from_static(b"{")).await.unwrap_err();
        assert_eq!(error.code, "InvalidRequestContentException");
        let error = functions.invoke("host", vec![b' '; LARGEST + 1].into()).await.unwrap_err();
        assert_eq!(error.code, "RequestTooLargeException");
        let error = functions.enqueue("host", vec![b' '; LARGEST_EVENT + 1].into()).unwrap_err();
        assert_eq!(error.code, "RequestTooLargeException");
        assert_eq!(functions.invoke("host", Bytes::new()).await.unwrap().unwrap(), "{}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_is_tried_three_times() {
        assert!(functions(2).deliver("host", Bytes::new()).await);
        assert!(!functions(3).deliver("host", Bytes::new()).await);
    }

    proptest::proptest! {
        #[test]
        fn no_reference_panics(reference in "\\PC{0,60}") {
            let name = function_name(&reference);
            proptest::prop_assert!(!name.contains(':'));
        }
    }
}
