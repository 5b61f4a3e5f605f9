//! Functions that are not the host's: their calls go to a URL or to a command.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::function::{Function, FunctionError};
use super::functions::MAX_PAYLOAD;

/// The longest call: Lambda's longest timeout.
const LONGEST: Duration = Duration::from_secs(900);
/// How much of a command's messages an error quotes, in bytes.
const QUOTED: usize = 2048;

/// Where the calls of a function go that is not the host's.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum ForeignFunction {
    /// The payload is posted there, as to Lambda's Invoke or the Runtime Interface Emulator; the body of the response is
    /// the result. The function failed if the response has the header `X-Amz-Function-Error` or a status of 300 and more:
    /// redirects are not followed.
    Url(String),
    /// A program and its arguments. It gets the payload as its standard input and writes the result to its standard
    /// output. The function failed if it does not exit with 0; what it wrote is the error then, if that is an object with
    /// an `errorType`.
    Command(Vec<String>),
}

impl ForeignFunction {
    /// Returns what calls it. `name` is the function's.
    ///
    /// # Errors
    /// The URL or the command cannot be used.
    pub(crate) fn callable(&self, name: &str) -> Result<Arc<dyn Function>, String> {
        let function: Arc<dyn Function> = match self {
            Self::Url(url) => {
                let parsed = reqwest::Url::parse(url).map_err(|error| format!("{url}: {error}"))?;
                if !["http", "https"].contains(&parsed.scheme()) {
                    return Err(format!("{url}: it must be an http or https URL"));
                }
                // A redirect could lead the payload to a place that the configuration does not name.
                let redirect = reqwest::redirect::Policy::none();
                let client = reqwest::Client::builder().no_proxy().redirect(redirect).timeout(LONGEST).build();
                let client = client.map_err(|error| format!("{url}: {error}"))?;
                Arc::new(Posted { client, url: parsed })
            }
            Self::Command(words) => match words.split_first() {
                Some((program, arguments)) if !program.is_empty() => {
                    Arc::new(Spawned { name: name.to_owned(), program: program.clone(), arguments: arguments.to_vec() })
                }
                _ => return Err("the command must name a program".to_owned()),
            },
        };
        Ok(function)
    }
}

/// A function behind a URL.
struct Posted {
    client: reqwest::Client,
    url: reqwest::Url,
}

#[async_trait]
impl Function for Posted {
    async fn invoke(&self, payload: Bytes) -> Result<Bytes, FunctionError> {
        let failed = |error: reqwest::Error| {
            FunctionError::new("Lambda.SdkClientException", format!("{} cannot be called: {error}", self.url))
        };
        let request = self.client.post(self.url.clone()).header("content-type", "application/json").body(payload);
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        let failed_itself = response.headers().contains_key("x-amz-function-error");
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_PAYLOAD {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        if !failed_itself && status.as_u16() < 300 {
            return Ok(body.into());
        }
        Err(match reported(&body) {
            Some(error) => error,
            None if failed_itself => FunctionError::reported(&String::from_utf8_lossy(&body)),
            None => {
                let text = quoted(&body);
                FunctionError::new("Lambda.Unknown", format!("{} answered with {status}: {text}", self.url))
            }
        })
    }
}

/// A function that is a command.
struct Spawned {
    name: String,
    program: String,
    arguments: Vec<String>,
}

#[async_trait]
impl Function for Spawned {
    async fn invoke(&self, payload: Bytes) -> Result<Bytes, FunctionError> {
        let exited = |message: String| FunctionError::new("Runtime.ExitError", message);
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env("AWS_LAMBDA_FUNCTION_NAME", &self.name).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = command.spawn();
        let mut child = started.map_err(|error| exited(format!("{} does not start: {error}", self.program)))?;
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let work = async {
            let write = async {
                if let Some(mut input) = input {
                    // A program that does not read its input has closed it; its result still counts.
                    let _ = input.write_all(&payload).await;
                }
            };
            let ((), output, errors) = tokio::join!(write, bounded(output), bounded(errors));
            (child.wait().await, output, errors)
        };
        let Ok((status, output, errors)) = tokio::time::timeout(LONGEST, work).await else {
            return Err(FunctionError::new("Sandbox.Timedout", format!("{} took more than {LONGEST:?}", self.program)));
        };
        let status = status.map_err(|error| exited(format!("{}: {error}", self.program)))?;
        let Some(output) = output else {
            return Err(too_large());
        };
        if status.success() {
            return Ok(output.into());
        }
        Err(reported(&output).unwrap_or_else(|| {
            let said = quoted(errors.as_deref().unwrap_or_default());
            exited(format!("{} ended with {status}: {said}", self.program))
        }))
    }
}

/// Reads a stream to its end. Returns `None` if it is longer than a result may be; the rest is read and dropped, so that
/// the program does not wait.
async fn bounded(stream: Option<impl AsyncRead + Unpin>) -> Option<Vec<u8>> {
    let mut stream = stream?;
    let mut read = Vec::new();
    let most = MAX_PAYLOAD as u64 + 1;
    (&mut stream).take(most).read_to_end(&mut read).await.ok()?;
    if read.len() > MAX_PAYLOAD {
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.ok()?;
        return None;
    }
    Some(read)
}

/// Returns the error that a function reports by name in its result.
fn reported(body: &[u8]) -> Option<FunctionError> {
    let error = FunctionError::reported(std::str::from_utf8(body).ok()?);
    Some(error).filter(|error| !error.error_type.is_empty())
}

fn quoted(bytes: &[u8]) -> String {
    let from = bytes.len().saturating_sub(QUOTED);
    String::from_utf8_lossy(&bytes[from..]).trim().to_owned()
}

fn too_large() -> FunctionError {
    let message = format!("the result is longer than the maximum allowed payload size ({MAX_PAYLOAD} bytes)");
    FunctionError::new("Function.ResponseSizeTooLarge", message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::Router;
    use axum::http::StatusCode;
    use axum::response::Redirect;
    use axum::routing::post;

    use super::*;

    async fn call(function: &ForeignFunction, payload: &str) -> Result<String, FunctionError> {
        let answer = function.callable("f").unwrap().invoke(Bytes::from(payload.to_owned())).await?;
        Ok(String::from_utf8(answer.to_vec()).unwrap())
    }

    fn shell(script: &str) -> ForeignFunction {
        ForeignFunction::Command(["sh", "-c", script].map(str::to_owned).to_vec())
    }

    #[tokio::test]
    async fn a_command_gets_the_payload_and_its_output_is_the_result() {
        assert_eq!(call(&shell("cat"), "{\"a\":1}").await.unwrap(), "{\"a\":1}");
        assert_eq!(call(&shell("echo \"\\\"$AWS_LAMBDA_FUNCTION_NAME\\\"\""), "{}").await.unwrap(), "\"f\"\n");
        // Far more than a pipe holds, and nobody reads it.
        assert_eq!(call(&shell("echo 1"), &"x".repeat(1_000_000)).await.unwrap(), "1\n");
    }

    #[tokio::test]
    async fn a_command_that_fails_reports_its_own_error_or_what_it_said() {
        let payload = r#"{"errorMessage": "no", "errorType": "Mine", "stackTrace": ["here"]}"#;
        let own = call(&shell(&format!("echo '{payload}'; exit 1")), "{}").await.unwrap_err();
        assert_eq!((own.error_type.as_str(), own.error_message.as_str()), ("Mine", "no"));
        assert_eq!(own.payload(), payload);
        let said = call(&shell("echo broken >&2; exit 3"), "{}").await.unwrap_err();
        assert_eq!(said.error_type, "Runtime.ExitError");
        assert!(said.error_message.contains("exit status: 3: broken"), "{said}");
        let absent = call(&ForeignFunction::Command(vec!["/no/such/program".into()]), "{}").await.unwrap_err();
        assert!(absent.error_message.contains("/no/such/program does not start"), "{absent}");
        let long = call(&shell("head -c 7000000 /dev/zero"), "{}").await.unwrap_err();
        assert_eq!(long.error_type, "Function.ResponseSizeTooLarge");
    }

    #[tokio::test]
    async fn a_url_gets_the_payload_and_its_response_is_the_result() {
        let failed = || async { ([("x-amz-function-error", "Unhandled")], r#"{"errorType": "Theirs"}"#) };
        let nameless = || async { ([("x-amz-function-error", "Unhandled")], r#"{"errorMessage":"late"}"#) };
        let router = Router::new()
            .route("/echo", post(|body: Bytes| async move { body }))
            .route("/failed", post(failed))
            .route("/nameless", post(nameless))
            .route("/broken", post(|| async { (StatusCode::BAD_GATEWAY, "out of order") }))
            .route("/moved", post(|| async { Redirect::temporary("/echo") }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let at = |path: &str| ForeignFunction::Url(format!("{base}{path}"));
        assert_eq!(call(&at("/echo"), "[1]").await.unwrap(), "[1]");
        assert_eq!(call(&at("/failed"), "{}").await.unwrap_err().error_type, "Theirs");
        let nameless = call(&at("/nameless"), "{}").await.unwrap_err();
        assert_eq!((nameless.error_type.as_str(), nameless.payload()), ("", r#"{"errorMessage":"late"}"#.to_owned()));
        let broken = call(&at("/broken"), "{}").await.unwrap_err();
        assert_eq!(broken.error_type, "Lambda.Unknown");
        assert!(broken.error_message.ends_with("502 Bad Gateway: out of order"), "{broken}");
        let moved = call(&at("/moved"), "{\"secret\": 1}").await.unwrap_err();
        assert!(moved.error_message.contains("answered with 307 Temporary Redirect"), "{moved}");
    }

    #[test]
    fn an_unusable_target_is_refused_when_it_is_read() {
        for wrong in [
            ForeignFunction::Url("ftp://x/".into()),
            ForeignFunction::Url("nowhere".into()),
            ForeignFunction::Command(Vec::new()),
        ] {
            assert!(wrong.callable("f").is_err(), "{wrong:?}");
        }
        let read: ForeignFunction = serde_json::from_str(r#"{"command": ["a", "b"]}"#).unwrap();
        assert_eq!(read, ForeignFunction::Command(vec!["a".into(), "b".into()]));
    }
}
