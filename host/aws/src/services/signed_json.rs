//! One request to an AWS service that speaks JSON, signed with the SDK's own signer and credentials.
//!
//! For services of which a single operation is needed: their SDK crates are the largest part of what a function would
//! load. The JSON protocols 1.0 and 1.1 are one POST to `/`, with the operation in `X-Amz-Target`; errors have their name
//! in `__type` (<https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>).

use std::error::Error as _;
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

use crate::clients::ConfigError;

/// How often a call is tried, and how long it pauses before the second try; the pause grows fourfold.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(100);

/// How long one try may take: these services answer in milliseconds.
const TIMEOUT: Duration = Duration::from_secs(4);

/// No operation that is called here answers with more.
const LONGEST_ANSWER: usize = 256 << 10;

/// What is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation<'a> {
    /// Where the service is.
    pub(crate) endpoint: &'a str,
    /// The service's name and region in signatures.
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    /// `X-Amz-Target`: the service's prefix and the operation.
    pub(crate) target: &'a str,
    /// Which version of the protocol it is.
    pub(crate) content_type: &'a str,
}

/// The endpoint of a service, as the SDK has it: the options', then the service's variable, then `AWS_ENDPOINT_URL`.
/// `None` is AWS itself.
pub(crate) fn configured_endpoint(config: &SdkConfig, option: Option<&String>, variable: &str) -> Option<String> {
    option
        .cloned()
        .or_else(|| std::env::var(variable).ok().filter(|url| !url.trim().is_empty()))
        .or_else(|| config.endpoint_url().map(str::to_owned))
}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("no credentials: {why}; run the host with a role or with AWS credentials")]
    NoCredentials { passing: bool, why: String },
    #[error("no answer: {0}")]
    NoAnswer(String),
    #[error("the answer is longer than {LONGEST_ANSWER} bytes")]
    TooLong,
    #[error("{0}")]
    Refused(Refusal),
    /// The endpoint is none, or this machine cannot do HTTPS.
    #[error("{0}")]
    Broken(String),
}

impl CallError {
    /// What it is to a caller who knows no more of the service.
    pub(crate) fn case(&self) -> Case {
        match self {
            CallError::NoCredentials { passing: true, .. } | CallError::NoAnswer(_) => Case::Transient,
            CallError::Refused(refusal) if refusal.passes() => Case::Transient,
            CallError::NoCredentials { .. } | CallError::Refused(_) => Case::Denied,
            CallError::TooLong | CallError::Broken(_) => Case::Internal,
        }
    }
}

/// A service's answer that is an error.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// Without the namespace in front of it; empty if there is none.
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn read(status: u16, body: &[u8]) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Body {
            #[serde(rename = "__type")]
            kind: String,
            #[serde(alias = "Message")]
            message: String,
        }
        let body: Body = serde_json::from_slice(body).unwrap_or_default();
        let code = body.kind.rsplit('#').next().unwrap_or_default().to_owned();
        Self { status, code, message: body.message }
    }

    /// Whether the same request may be granted soon.
    pub(crate) fn passes(&self) -> bool {
        let passing_codes = [
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
        passing_codes.contains(&self.code.as_str()) || self.status == 429 || self.status >= 500
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = if self.message.is_empty() { "no message" } else { &self.message };
        match self.code.as_str() {
            "" => write!(f, "{said} (HTTP {})", self.status),
            code => write!(f, "{said} ({code}, HTTP {})", self.status),
        }
    }
}

/// Makes an attempt again while it fails with a passing fault, for some seconds in all.
pub(crate) async fn patiently<T, F>(attempt: impl Fn() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut pause = PAUSE;
    for _ in 1..ATTEMPTS {
        match attempt().await {
            Err(failure) if failure.case == Case::Transient => tokio::time::sleep(pause).await,
            answer => return answer,
        }
        pause *= 4;
    }
    attempt().await
}

/// Calls services with the host's credentials.
#[derive(Debug)]
pub(crate) struct SignedJson {
    credentials: Option<SharedCredentialsProvider>,
    /// Made when it is first needed: most invocations call nothing here.
    client: OnceLock<Client>,
}

impl SignedJson {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self { credentials: config.credentials_provider(), client: OnceLock::new() }
    }

    /// One try. Gives the body of a 200, which may be a secret.
    pub(crate) async fn call(&self, to: &Operation<'_>, body: &Value) -> Result<Zeroizing<Vec<u8>>, CallError> {
        let request = self.signed(to, body).await?;
        let request = reqwest::Request::try_from(request).map_err(broken)?;
        let mut response = self.client()?.execute(request).await.map_err(no_answer)?;
        let status = response.status().as_u16();
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
            if body.len() + chunk.len() > LONGEST_ANSWER {
                return Err(CallError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        if status == 200 { Ok(body) } else { Err(CallError::Refused(Refusal::read(status, &body))) }
    }

    async fn signed(&self, to: &Operation<'_>, body: &Value) -> Result<http::Request<Vec<u8>>, CallError> {
        let no_credentials = |passing, why: &str| CallError::NoCredentials { passing, why: why.to_owned() };
        let provider = self.credentials.as_ref().ok_or_else(|| no_credentials(false, "none are configured"))?;
        let credentials = provider.provide_credentials().await.map_err(|error| {
            let for_good =
                matches!(error, CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_));
            no_credentials(!for_good, &error.to_string())
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
            .map_err(broken)?
            .into();
        let no_endpoint =
            |error: &dyn fmt::Display| CallError::Broken(format!("the endpoint {:?}: {error}", to.endpoint));
        let signable = SignableRequest::new("POST", to.endpoint, headers.into_iter(), SignableBody::Bytes(&body))
            .map_err(|error| no_endpoint(&error))?;
        let (instructions, _) = sign(signable, &parameters).map_err(broken)?.into_parts();
        let mut request = http::Request::post(to.endpoint)
            .header(headers[0].0, headers[0].1)
            .header(headers[1].0, headers[1].1)
            .body(body)
            .map_err(|error| no_endpoint(&error))?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }

    fn client(&self) -> Result<&Client, CallError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = crate::outside::http::client(Duration::from_secs(2))
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| broken(ConfigError::Tls(error.to_string())))?;
        Ok(self.client.get_or_init(|| client))
    }
}

fn broken(error: impl fmt::Display) -> CallError {
    CallError::Broken(error.to_string())
}

fn no_answer(error: reqwest::Error) -> CallError {
    let source = error.source().map(|inner| format!(": {inner}")).unwrap_or_default();
    CallError::NoAnswer(format!("{}{source}", error.without_url()))
}
