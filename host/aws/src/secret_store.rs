//! The two services that keep secrets, by the one request that is needed of each.
//!
//! Their SDK crates are the largest part of what a function would load and are used for nothing else, so the request
//! is signed here, with the SDK's own signer and credentials.

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
use serde_json::{Value, json};
use stagehost_batch::{Case, Failure};
use zeroize::Zeroizing;

use crate::clients::ConfigError;
use crate::options::Endpoints;
use crate::secret::Secret;

/// How often one fetch tries, and how long it pauses before the second try; the pause grows fourfold.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(100);

/// How long one try may take: both services answer in milliseconds.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Secrets are at most 64 KiB; an answer that is longer than this is none.
const LONGEST_ANSWER: usize = 256 << 10;

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// The ARN of a secret, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretArn {
    text: String,
    service: Service,
    partition: String,
    region: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    SecretsManager,
    ParameterStore,
}

impl SecretArn {
    /// Takes `arn:…:secretsmanager:REGION:ACCOUNT:secret:…` or `arn:…:ssm:REGION:ACCOUNT:parameter/…`.
    ///
    /// # Errors
    /// [`ConfigError::SecretArn`] for any other text. It shows the text only if it begins like an ARN: somebody may
    /// have put the secret itself there.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        Self::read(text).ok_or_else(|| {
            let shown = if text.starts_with("arn:") { format!("{text:?}") } else { "no ARN".to_owned() };
            ConfigError::SecretArn(shown)
        })
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let (arn, partition, service, region) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let (account, resource) = (parts.next()?, parts.next()?);
        let (service, name) = match service {
            "secretsmanager" => (Service::SecretsManager, resource.strip_prefix("secret:")?),
            "ssm" => (Service::ParameterStore, resource.strip_prefix("parameter/")?),
            _ => return None,
        };
        // The region becomes a part of a host name.
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let whole = arn == "arn" && plain(partition) && plain(region) && plain(account) && !name.is_empty();
        whole.then(|| Self { text: text.to_owned(), service, partition: partition.into(), region: region.into() })
    }

    /// Where AWS itself keeps it.
    fn aws_endpoint(&self, fips: bool) -> String {
        let suffix = match self.partition.as_str() {
            "aws-cn" => "amazonaws.com.cn",
            "aws-eusc" => "amazonaws.eu",
            "aws-iso" => "c2s.ic.gov",
            "aws-iso-b" => "sc2s.sgov.gov",
            _ => "amazonaws.com",
        };
        let fips = if fips { "-fips" } else { "" };
        format!("https://{}{fips}.{}.{suffix}/", self.service.name(), self.region)
    }
}

impl fmt::Display for SecretArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Service {
    /// In host names and in signatures.
    fn name(self) -> &'static str {
        match self {
            Service::SecretsManager => "secretsmanager",
            Service::ParameterStore => "ssm",
        }
    }

    fn target(self) -> &'static str {
        match self {
            Service::SecretsManager => "secretsmanager.GetSecretValue",
            Service::ParameterStore => "AmazonSSM.GetParameter",
        }
    }

    fn grant(self) -> &'static str {
        match self {
            Service::SecretsManager => "secretsmanager:GetSecretValue",
            Service::ParameterStore => "ssm:GetParameter",
        }
    }

    fn endpoint_variable(self) -> &'static str {
        match self {
            Service::SecretsManager => "AWS_ENDPOINT_URL_SECRETS_MANAGER",
            Service::ParameterStore => "AWS_ENDPOINT_URL_SSM",
        }
    }
}

/// One secret in its service.
pub(crate) struct SecretStore {
    arn: SecretArn,
    endpoint: String,
    credentials: Option<SharedCredentialsProvider>,
    /// Made when it is first needed: most invocations send no callback.
    client: OnceLock<Client>,
}

impl SecretStore {
    /// Endpoints as the SDK has them: the options', then the service's variable, then `AWS_ENDPOINT_URL`, then AWS.
    pub(crate) fn new(config: &SdkConfig, arn: SecretArn, endpoints: &Endpoints) -> Self {
        let chosen = match arn.service {
            Service::SecretsManager => endpoints.secrets_manager.clone(),
            Service::ParameterStore => endpoints.ssm.clone(),
        };
        let endpoint = chosen
            .or_else(|| std::env::var(arn.service.endpoint_variable()).ok().filter(|url| !url.trim().is_empty()))
            .or_else(|| config.endpoint_url().map(str::to_owned))
            .unwrap_or_else(|| arn.aws_endpoint(config.use_fips().unwrap_or_default()));
        Self { arn, endpoint, credentials: config.credentials_provider(), client: OnceLock::new() }
    }

    pub(crate) fn arn(&self) -> &SecretArn {
        &self.arn
    }

    /// The secret's value as it is now. A passing fault is tried again, for some seconds in all.
    pub(crate) async fn fetch(&self) -> Result<Secret, Failure> {
        let mut pause = PAUSE;
        for _ in 1..ATTEMPTS {
            match self.attempt().await {
                Err(failure) if failure.case == Case::Transient => tokio::time::sleep(pause).await,
                answer => return answer,
            }
            pause *= 4;
        }
        self.attempt().await
    }

    async fn attempt(&self) -> Result<Secret, Failure> {
        let request = self.signed().await?;
        let request = reqwest::Request::try_from(request).map_err(|error| self.wrong(&error.to_string()))?;
        let no_answer = |error: reqwest::Error| {
            let source = error.source().map(|inner| format!(": {inner}")).unwrap_or_default();
            self.failure(Case::Transient, &format!("no answer: {}{source}", error.without_url()), "")
        };
        let mut response = self.client()?.execute(request).await.map_err(no_answer)?;
        let status = response.status().as_u16();
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
            if body.len() + chunk.len() > LONGEST_ANSWER {
                return Err(self.wrong("the answer is longer than any secret"));
            }
            body.extend_from_slice(&chunk);
        }
        if status == 200 { self.read(&body) } else { Err(self.refusal(status, &body)) }
    }

    async fn signed(&self) -> Result<http::Request<Vec<u8>>, Failure> {
        let no_credentials = |case, why: &str| {
            self.failure(case, &format!("no credentials: {why}"), "; run the host with a role or with AWS credentials")
        };
        let provider = self.credentials.as_ref().ok_or_else(|| no_credentials(Case::Denied, "none are configured"))?;
        let credentials = provider.provide_credentials().await.map_err(|error| {
            let case = match error {
                CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => Case::Denied,
                _ => Case::Transient,
            };
            no_credentials(case, &error.to_string())
        })?;
        let body = match self.arn.service {
            Service::SecretsManager => json!({"SecretId": self.arn.text}),
            Service::ParameterStore => json!({"Name": self.arn.text, "WithDecryption": true}),
        };
        let body = body.to_string().into_bytes();
        let headers = [("content-type", CONTENT_TYPE), ("x-amz-target", self.arn.service.target())];

        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.arn.region)
            .name(self.arn.service.name())
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| self.wrong(&error.to_string()))?
            .into();
        let signable = SignableRequest::new("POST", &*self.endpoint, headers.into_iter(), SignableBody::Bytes(&body))
            .map_err(|error| self.wrong(&format!("the endpoint {:?}: {error}", self.endpoint)))?;
        let (instructions, _) = sign(signable, &parameters).map_err(|e| self.wrong(&e.to_string()))?.into_parts();
        let mut request = http::Request::post(&self.endpoint)
            .header(headers[0].0, headers[0].1)
            .header(headers[1].0, headers[1].1)
            .body(body)
            .map_err(|error| self.wrong(&format!("the endpoint {:?}: {error}", self.endpoint)))?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }

    fn client(&self) -> Result<&Client, Failure> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = crate::http::client(Duration::from_secs(2))
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| self.wrong(&ConfigError::Tls(error.to_string()).to_string()))?;
        Ok(self.client.get_or_init(|| client))
    }

    /// The secret in an answer. No message here may quote the answer.
    fn read(&self, body: &[u8]) -> Result<Secret, Failure> {
        let answer: Answer = serde_json::from_slice(body).map_err(|_| self.wrong("the answer is not understood"))?;
        let value = match (answer.secret_string, answer.parameter) {
            (Some(value), _) => value,
            (None, Some(parameter)) if parameter.kind.as_deref() == Some("SecureString") => parameter.value,
            (None, Some(_)) => return Err(self.unusable("it is not encrypted; make it a SecureString")),
            (None, None) => return Err(self.unusable("it has no text; store it as text, not as binary")),
        };
        let value = Zeroizing::new(value);
        let text = chosen(&value).map_err(|why| self.unusable(why))?;
        Secret::new(text.as_str()).map_err(|error| self.unusable(&error.to_string()))
    }

    fn refusal(&self, status: u16, body: &[u8]) -> Failure {
        let answer: Refusal = serde_json::from_slice(body).unwrap_or_default();
        let code = answer.code.rsplit('#').next().unwrap_or_default();
        let said = if answer.message.is_empty() { "no message" } else { &answer.message };
        let (case, hint) = match code {
            "ThrottlingException"
            | "Throttling"
            | "TooManyUpdates"
            | "ExpiredTokenException"
            | "RequestExpired"
            | "InternalServiceError"
            | "InternalServerError"
            | "RequestTimeoutException" => (Case::Transient, String::new()),
            "ResourceNotFoundException" | "ParameterNotFound" | "ParameterVersionNotFound" => {
                (Case::Denied, format!("; create it in {}, or correct CALLBACK_SECRET_ARN", self.arn.region))
            }
            "AccessDeniedException" | "AccessDenied" | "DecryptionFailure" | "InvalidKeyId" => (
                Case::Denied,
                format!(
                    "; allow the host's role {} on it, and kms:Decrypt on its key if that is not AWS's own",
                    self.arn.service.grant()
                ),
            ),
            _ if status == 429 || status >= 500 => (Case::Transient, String::new()),
            _ => (Case::Denied, format!("; check CALLBACK_SECRET_ARN and the role's access in {}", self.arn.region)),
        };
        let code = if code.is_empty() { format!("HTTP {status}") } else { format!("{code}, HTTP {status}") };
        self.failure(case, &format!("{said} ({code})"), &hint)
    }

    fn failure(&self, case: Case, why: &str, hint: &str) -> Failure {
        Failure::new(case, format!("cannot read the callback secret {}: {why}{hint}", self.arn))
    }

    fn unusable(&self, why: &str) -> Failure {
        Failure::new(Case::Denied, format!("the callback secret {} cannot be used: {why}", self.arn))
    }

    fn wrong(&self, why: &str) -> Failure {
        self.failure(Case::Internal, why, "")
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "SecretString")]
    secret_string: Option<String>,
    #[serde(rename = "Parameter")]
    parameter: Option<Parameter>,
}

#[derive(Deserialize)]
struct Parameter {
    #[serde(rename = "Type")]
    kind: Option<String>,
    #[serde(rename = "Value")]
    value: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    #[serde(rename = "__type")]
    code: String,
    #[serde(alias = "Message")]
    message: String,
}

/// What of a value is the secret: all of it, or the one field of a JSON object that says so. Text in braces that is
/// no such object is refused: signing with it would be refused later, by a backend that cannot say why.
fn chosen(value: &str) -> Result<Zeroizing<String>, &'static str> {
    let text = value.trim();
    if !(text.starts_with('{') && text.ends_with('}')) {
        return Ok(Zeroizing::new(text.to_owned()));
    }
    let Ok(Value::Object(mut fields)) = serde_json::from_str(text) else {
        return Err("its text looks like JSON and is not");
    };
    match (fields.remove("secret"), fields.remove("callbackSecret")) {
        (Some(Value::String(secret)), None) | (None, Some(Value::String(secret))) => Ok(Zeroizing::new(secret)),
        (Some(_), Some(_)) => Err("its JSON has both \"secret\" and \"callbackSecret\"; keep one"),
        _ => Err("its JSON has no text \"secret\" or \"callbackSecret\""),
    }
}

#[cfg(test)]
#[path = "secret_store_tests.rs"]
mod tests;
