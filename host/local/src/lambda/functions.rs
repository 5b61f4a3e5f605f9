//! Invoking the function, synchronously or as an event.
//!
//! Facts: the API reference ("Invoke") and the developer guide's quotas. If the function fails, the call still
//! succeeds: 200 with `X-Amz-Function-Error` and the error as payload.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use bytes::Bytes;
use parking_lot::RwLock;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::error::InvokeError;
use super::function::{Function, FunctionError};

/// The largest request and response of a synchronous call, in bytes.
pub(super) const MAX_PAYLOAD: usize = 6 * 1024 * 1024;
/// The largest payload of an asynchronous call, in bytes.
const MAX_EVENT: usize = 1024 * 1024;
/// The delays before the two retries of an asynchronous call. Lambda waits one and two minutes; here that is too long.
const EVENT_RETRIES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];

/// The functions that can be invoked: one dispatcher under several names, and functions that run elsewhere. Cheap to
/// clone.
#[derive(Clone)]
pub struct Functions {
    inner: Arc<Inner>,
}

struct Inner {
    names: Vec<String>,
    region: String,
    account: String,
    function: RwLock<Option<Arc<dyn Function>>>,
    /// Functions that are not the host's, by name.
    foreign: BTreeMap<String, Arc<dyn Function>>,
    /// Asynchronous calls in progress.
    events: TaskTracker,
    stop: CancellationToken,
}

/// The outcome of an invocation: the function's result or its error.
pub(crate) type InvokeResult = Result<Bytes, FunctionError>;

impl Functions {
    pub(crate) fn new(
        names: Vec<String>,
        foreign: BTreeMap<String, Arc<dyn Function>>,
        region: &str,
        account: &str,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                names,
                region: region.to_owned(),
                account: account.to_owned(),
                function: RwLock::new(None),
                foreign,
                events: TaskTracker::new(),
                stop: CancellationToken::new(),
            }),
        }
    }

    /// Sets the function.
    pub(crate) fn set(&self, function: Arc<dyn Function>) {
        *self.inner.function.write() = Some(function);
    }

    /// Returns the ARN of the function of this name.
    pub(crate) fn arn(&self, name: &str) -> String {
        format!("arn:aws:lambda:{}:{}:function:{name}", self.inner.region, self.inner.account)
    }

    /// Returns the function's name for a name, a partial ARN or an ARN, with or without a version.
    ///
    /// # Errors
    /// `ResourceNotFoundException`, if there is no such function.
    pub(crate) fn find(&self, reference: &str) -> Result<&str, InvokeError> {
        let name = function_name(reference);
        let known = self.inner.names.iter().chain(self.inner.foreign.keys()).find(|known| *known == name);
        known.map(String::as_str).ok_or_else(|| InvokeError {
            code: "ResourceNotFoundException",
            status: StatusCode::NOT_FOUND,
            message: format!("Function not found: {}", self.arn(name)),
        })
    }

    /// Calls the function and waits for its result. Dropping the future stops the call.
    pub(crate) async fn invoke(&self, reference: &str, payload: Bytes) -> Result<InvokeResult, InvokeError> {
        let (name, payload) = (self.find(reference)?, checked(payload, MAX_PAYLOAD)?);
        let function = self.function(name)?;
        // In a separate task, so that a panic is an error of the function and not of this server.
        let mut call = JoinSet::new();
        call.spawn(async move { function.invoke(payload).await });
        let answer = match call.join_next().await {
            Some(Ok(answer)) => answer,
            Some(Err(error)) => Err(FunctionError::new("Runtime.ExitError", format!("the function ended: {error}"))),
            None => Err(FunctionError::new("Runtime.ExitError", "the function ended")),
        };
        Ok(answer.and_then(|payload| match payload.len() {
            0..=MAX_PAYLOAD => Ok(payload),
            length => Err(FunctionError::new(
                "Function.ResponseSizeTooLarge",
                format!(
                    "Response payload size ({length} bytes) exceeded maximum allowed payload size ({MAX_PAYLOAD} bytes)."
                ),
            )),
        }))
    }

    /// Starts an asynchronous call and returns. A failed call is retried twice.
    pub(crate) fn enqueue(&self, reference: &str, payload: Bytes) -> Result<(), InvokeError> {
        let (name, payload) = (self.find(reference)?.to_owned(), checked(payload, MAX_EVENT)?);
        self.function(&name)?;
        let functions = self.clone();
        self.inner.events.spawn(async move {
            let stop = functions.inner.stop.clone();
            let _ = stop.run_until_cancelled(functions.deliver(&name, payload)).await;
        });
        Ok(())
    }

    /// Invokes the function until it succeeds or the retries are used up. Returns whether it succeeded.
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
                    tracing::warn!(function = name, error = failed, "an event failed and will be retried");
                    tokio::time::sleep(delay).await;
                }
                None => {
                    tracing::error!(function = name, error = failed, "an event failed after its last retry");
                    return false;
                }
            }
        }
    }

    /// Stops all asynchronous calls.
    pub(crate) async fn shutdown(&self) {
        self.inner.stop.cancel();
        self.inner.events.close();
        self.inner.events.wait().await;
    }

    fn function(&self, name: &str) -> Result<Arc<dyn Function>, InvokeError> {
        if let Some(function) = self.inner.foreign.get(name) {
            return Ok(function.clone());
        }
        let function = self.inner.function.read().clone();
        function.ok_or_else(|| InvokeError {
            code: "ResourceNotFoundException",
            status: StatusCode::NOT_FOUND,
            message: format!("Function not found: {}: no function has been set yet", self.arn(name)),
        })
    }
}

/// Returns the name in `name`, `name:version`, `account:function:name[:version]` or
/// `arn:aws:lambda:region:account:function:name[:version]`.
fn function_name(reference: &str) -> &str {
    let rest = match reference.split_once("function:") {
        Some((before, rest)) if before.is_empty() || before.ends_with(':') => rest,
        _ => reference,
    };
    rest.split(':').next().unwrap_or(rest)
}

/// Checks that a payload is JSON and not too large. An empty payload is an empty object.
fn checked(payload: Bytes, largest: usize) -> Result<Bytes, InvokeError> {
    if payload.len() > largest {
        return Err(InvokeError::too_large(largest));
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Fails the given number of times, then returns the payload.
    struct Echo(AtomicU32);

    #[async_trait::async_trait]
    impl Function for Echo {
        async fn invoke(&self, payload: Bytes) -> Result<Bytes, FunctionError> {
            match self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
                Ok(_) => Err(FunctionError::new("Stage.Transient", "not yet")),
                Err(_) if payload == "\"panic\"" => panic!("on request"),
                Err(_) => Ok(payload),
            }
        }
    }

    fn functions(failures: u32) -> Functions {
        let functions = Functions::new(vec!["host".into()], BTreeMap::new(), "us-east-1", "000000000000");
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
    async fn a_panic_is_an_error_of_the_function() {
        let answer = functions(0).invoke("host", Bytes::from_static(b"\"panic\"")).await.unwrap();
        assert_eq!(answer.unwrap_err().error_type, "Runtime.ExitError");
    }

    #[tokio::test]
    async fn a_payload_that_is_not_json_or_too_large_is_refused() {
        let functions = functions(0);
        let error = functions.invoke("host", Bytes::from_static(b"{")).await.unwrap_err();
        assert_eq!(error.code, "InvalidRequestContentException");
        let error = functions.invoke("host", vec![b' '; MAX_PAYLOAD + 1].into()).await.unwrap_err();
        assert_eq!(error.code, "RequestTooLargeException");
        let error = functions.enqueue("host", vec![b' '; MAX_EVENT + 1].into()).unwrap_err();
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
