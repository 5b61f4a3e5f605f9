//! One request to an AWS service that speaks JSON, signed with the SDK's own signer and credentials.
//!
//! Used for services of which the host needs a single operation, because an SDK crate is the largest part of what a
//! function loads. The JSON protocols 1.0 and 1.1 are a POST to `/` with the operation in `X-Amz-Target`; errors have
//! their name in `__type` (<https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>).

use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use reqwest::Client;
use serde::Deserialize;
use serde_json::Value;
use stagehost_batch::{Case, Failure};
use zeroize::Zeroizing;

use crate::error::ConfigError;
use crate::outside::client::{self, causes};

/// How often a call is tried in all.
const ATTEMPTS: u32 = 3;
/// How long to wait before the second attempt. Each further wait is four times as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest time for one attempt; these services answer in milliseconds.
const TIMEOUT: Duration = Duration::from_secs(4);

/// The longest response that is read, in bytes. The operations used here answer with less.
const MAX_RESPONSE: usize = 256 << 10;

/// The operation to call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation<'a> {
    /// The service's endpoint.
    pub(crate) endpoint: &'a str,
    /// The service's name and region, as the signature needs them.
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    /// `X-Amz-Target`: the service's prefix and the operation.
    pub(crate) target: &'a str,
    /// The content type, which names the version of the protocol.
    pub(crate) content_type: &'a str,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("no credentials: {why}; run the host with a role or with AWS credentials")]
    NoCredentials { transient: bool, why: String },
    #[error("no response: {0}")]
    NoResponse(String),
    #[error("the response is longer than {MAX_RESPONSE} bytes")]
    TooLong,
    #[error("{0}")]
    Refused(ServiceError),
    /// The endpoint is invalid, or this machine cannot use HTTPS.
    #[error("{0}")]
    CannotSend(String),
}

impl CallError {
    /// Returns the case of the failure for a service without rules of its own.
    pub(crate) fn case(&self) -> Case {
        match self {
            CallError::NoCredentials { transient: true, .. } | CallError::NoResponse(_) => Case::Transient,
            CallError::Refused(error) if error.is_transient() => Case::Transient,
            CallError::NoCredentials { .. } | CallError::Refused(_) => Case::Denied,
            CallError::TooLong | CallError::CannotSend(_) => Case::Internal,
        }
    }
}

/// An error that a service answered with.
#[derive(Debug)]
pub(crate) struct ServiceError {
    pub(crate) status: u16,
    /// The error code without its namespace; empty if the answer has no code.
    pub(crate) code: String,
    pub(crate) message: String,
}

impl ServiceError {
    /// Reads the body of an error answer.
    pub(crate) fn read(status: u16, body: &[u8]) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct ErrorBody {
            #[serde(rename = "__type")]
            kind: String,
            #[serde(alias = "Message")]
            message: String,
        }
        let body: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
        let code = body.kind.rsplit('#').next().unwrap_or_default().to_owned();
        Self { status, code, message: body.message }
    }

    /// Returns whether the same request may succeed soon.
    pub(crate) fn is_transient(&self) -> bool {
        let transient_codes = [
            "ThrottlingException",
            "Throttling",
            "RequestThrottled",
            "KmsThrottled",
            "TooManyUpdates",
            "ExpiredTokenException",
            "RequestExpired",
            "InternalServiceError",
            "InternalServerError",
            "RequestTimeoutException",
        ];
        transient_codes.contains(&self.code.as_str()) || self.status == 429 || self.status >= 500
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = if self.message.is_empty() { "no message" } else { &self.message };
        match self.code.as_str() {
            "" => write!(f, "{message} (HTTP {})", self.status),
            code => write!(f, "{message} ({code}, HTTP {})", self.status),
        }
    }
}

/// Repeats an attempt while it fails with `Transient`: three times in all, within some seconds.
pub(crate) async fn with_retries<T, F>(attempt: impl Fn() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match attempt().await {
            Err(failure) if failure.case == Case::Transient => tokio::time::sleep(pause).await,
            answer => return answer,
        }
        pause *= 4;
    }
    attempt().await
}

/// Sends requests with the host's credentials.
#[derive(Debug)]
pub(crate) struct SignedJson {
    credentials: Option<SharedCredentialsProvider>,
    /// Made on the first request, because most invocations send none.
    client: OnceLock<Client>,
}

impl SignedJson {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self { credentials: config.credentials_provider(), client: OnceLock::new() }
    }

    /// Sends one request. Returns the body of a 200, which may be a secret.
    pub(crate) async fn call(&self, to: &Operation<'_>, body: &Value) -> Result<Zeroizing<Vec<u8>>, CallError> {
        let request = self.signed(to, body).await?;
        let request = reqwest::Request::try_from(request).map_err(cannot_send)?;
        let mut response = self.client()?.execute(request).await.map_err(no_response)?;
        let status = response.status().as_u16();
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(no_response)? {
            if body.len() + chunk.len() > MAX_RESPONSE {
                return Err(CallError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        if status == 200 { Ok(body) } else { Err(CallError::Refused(ServiceError::read(status, &body))) }
    }

    /// Returns the signed request.
    async fn signed(&self, to: &Operation<'_>, body: &Value) -> Result<http::Request<Vec<u8>>, CallError> {
        let no_credentials = |transient, why: &str| CallError::NoCredentials { transient, why: why.to_owned() };
        let provider = self
            .credentials
            .as_ref()
            .ok_or_else(|| no_credentials(false, "the SDK's configuration has no provider of them"))?;
        let credentials = provider.provide_credentials().await.map_err(|error| {
            let permanent =
                matches!(error, CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_));
            no_credentials(!permanent, &error.to_string())
        })?;
        let body = body.to_string().into_bytes();
        let headers = [("content-type", to.content_type), ("x-amz-target", to.target)];

        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(to.region)
            .name(to.service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(cannot_send)?
            .into();
        let invalid_endpoint = |error: &dyn fmt::Display| {
            CallError::CannotSend(format!("the endpoint {:?} is invalid: {error}", to.endpoint))
        };
        let signable = SignableRequest::new("POST", to.endpoint, headers.into_iter(), SignableBody::Bytes(&body))
            .map_err(|error| invalid_endpoint(&error))?;
        let (instructions, _) = sign(signable, &parameters).map_err(cannot_send)?.into_parts();
        let mut request = http::Request::post(to.endpoint)
            .header(headers[0].0, headers[0].1)
            .header(headers[1].0, headers[1].1)
            .body(body)
            .map_err(|error| invalid_endpoint(&error))?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }

    fn client(&self) -> Result<&Client, CallError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = client::builder(Duration::from_secs(2))
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| cannot_send(ConfigError::Tls(error.to_string())))?;
        Ok(self.client.get_or_init(|| client))
    }
}

fn cannot_send(error: impl fmt::Display) -> CallError {
    CallError::CannotSend(error.to_string())
}

fn no_response(error: reqwest::Error) -> CallError {
    let cause = causes(&error).next().map(|cause| format!(": {cause}")).unwrap_or_default();
    CallError::NoResponse(format!("{}{cause}", error.without_url()))
}
