//! Reads the callback's secret, and the stages' secrets, from Secrets Manager or from SSM's Parameter Store.

use std::fmt;

use aws_config::SdkConfig;
use serde::Deserialize;
use serde_json::{Value, json};
use stagehost_batch::{Case, Failure};
use zeroize::Zeroizing;

use crate::callback::secret::Secret;
use crate::error::ConfigError;
use crate::services::arn::Arn;
use crate::services::endpoints::{Endpoints, configured_endpoint};
use crate::services::signed_json::{CallError, Operation, ServiceError, SignedJson, with_retries};

/// The ARN of a secret in Secrets Manager or of a parameter in Parameter Store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretArn {
    arn: Arn,
    service: SecretService,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SecretService {
    SecretsManager,
    ParameterStore,
}

impl SecretArn {
    /// Reads `arn:…:secretsmanager:REGION:ACCOUNT:secret:…` or `arn:…:ssm:REGION:ACCOUNT:parameter/…`.
    ///
    /// # Errors
    /// [`ConfigError::SecretArn`] for any other text. It shows the text only if it begins like an ARN, because somebody
    /// may have given the secret itself.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        Self::of_variable("CALLBACK_SECRET_ARN", text)
    }

    /// Returns the same for the variable of another secret, which the error names.
    pub(crate) fn of_variable(variable: &'static str, text: &str) -> Result<Self, ConfigError> {
        Self::read(text).ok_or_else(|| {
            let shown = if text.starts_with("arn:") { format!("{text:?}") } else { "not an ARN".to_owned() };
            ConfigError::SecretArn(variable, shown)
        })
    }

    fn read(text: &str) -> Option<Self> {
        let arn = Arn::parse(text)?;
        let (service, name) = match arn.service.as_str() {
            "secretsmanager" => (SecretService::SecretsManager, arn.resource.strip_prefix("secret:")?),
            "ssm" => (SecretService::ParameterStore, arn.resource.strip_prefix("parameter/")?),
            _ => return None,
        };
        (!name.is_empty()).then_some(Self { service, arn })
    }
}

impl fmt::Display for SecretArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.arn.fmt(f)
    }
}

impl SecretService {
    /// Returns the operation, for `X-Amz-Target`.
    fn target(self) -> &'static str {
        match self {
            SecretService::SecretsManager => "secretsmanager.GetSecretValue",
            SecretService::ParameterStore => "AmazonSSM.GetParameter",
        }
    }

    /// Returns the permission that the operation needs.
    fn permission(self) -> &'static str {
        match self {
            SecretService::SecretsManager => "secretsmanager:GetSecretValue",
            SecretService::ParameterStore => "ssm:GetParameter",
        }
    }

    fn endpoint_variable(self) -> &'static str {
        match self {
            SecretService::SecretsManager => "AWS_ENDPOINT_URL_SECRETS_MANAGER",
            SecretService::ParameterStore => "AWS_ENDPOINT_URL_SSM",
        }
    }
}

/// What a secret is for: its name in messages, and the variable that has its ARN.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purpose {
    pub(crate) name: &'static str,
    pub(crate) variable: &'static str,
}

/// The secret that signs callbacks.
pub(crate) const CALLBACK: Purpose = Purpose { name: "the callback secret", variable: "CALLBACK_SECRET_ARN" };

/// A secret in its service.
pub(crate) struct SecretStore {
    purpose: Purpose,
    arn: SecretArn,
    endpoint: String,
    json: SignedJson,
}

impl SecretStore {
    pub(crate) fn new(config: &SdkConfig, purpose: Purpose, arn: SecretArn, endpoints: &Endpoints) -> Self {
        let option = match arn.service {
            SecretService::SecretsManager => &endpoints.secrets_manager,
            SecretService::ParameterStore => &endpoints.ssm,
        };
        let endpoint = configured_endpoint(config, option.as_ref(), arn.service.endpoint_variable())
            .unwrap_or_else(|| arn.arn.aws_endpoint(config.use_fips().unwrap_or_default()));
        Self { purpose, arn, endpoint, json: SignedJson::new(config) }
    }

    pub(crate) fn arn(&self) -> &SecretArn {
        &self.arn
    }

    /// Returns the secret that signs. A transient failure is retried for some seconds.
    pub(crate) async fn fetch(&self) -> Result<Secret, Failure> {
        let value = self.fetch_value().await?;
        let text = secret_text(&value).map_err(|why| self.unusable(why))?;
        Secret::new(text.as_str()).map_err(|error| self.unusable(&error.to_string()))
    }

    /// Returns the present value as it is stored. A transient failure is retried for some seconds.
    pub(crate) async fn fetch_value(&self) -> Result<Zeroizing<String>, Failure> {
        with_retries(|| self.attempt()).await
    }

    async fn attempt(&self) -> Result<Zeroizing<String>, Failure> {
        let SecretArn { arn, service } = &self.arn;
        let operation = Operation {
            endpoint: &self.endpoint,
            service: &arn.service,
            region: &arn.region,
            target: service.target(),
            content_type: "application/x-amz-json-1.1",
        };
        let body = match service {
            SecretService::SecretsManager => json!({"SecretId": arn.to_string()}),
            SecretService::ParameterStore => json!({"Name": arn.to_string(), "WithDecryption": true}),
        };
        match self.json.call(&operation, &body).await {
            Ok(answer) => self.read(&answer),
            Err(CallError::Refused(error)) => Err(self.refused(&error)),
            Err(error) => Err(self.failure(error.case(), &error.to_string(), "")),
        }
    }

    /// Returns the value in a response. No message here may quote the response.
    fn read(&self, body: &[u8]) -> Result<Zeroizing<String>, Failure> {
        let answer: SecretResponse = serde_json::from_slice(body)
            .map_err(|_| self.failure(Case::Internal, "the response cannot be read", ""))?;
        let value = match (answer.secret_string, answer.parameter) {
            (Some(value), _) => value,
            (None, Some(parameter)) if parameter.kind.as_deref() == Some("SecureString") => parameter.value,
            (None, Some(_)) => return Err(self.unusable("it is not encrypted; store it as a SecureString")),
            (None, None) => return Err(self.unusable("it has no text; store it as text, not as binary data")),
        };
        Ok(Zeroizing::new(value))
    }

    fn refused(&self, error: &ServiceError) -> Failure {
        let (service, region) = (self.arn.service, &self.arn.arn.region);
        let (case, hint) = match error.code.as_str() {
            _ if error.is_transient() => (Case::Transient, String::new()),
            "ResourceNotFoundException" | "ParameterNotFound" | "ParameterVersionNotFound" => {
                (Case::Denied, format!("; create it in {region}, or correct {}", self.purpose.variable))
            }
            "AccessDeniedException" | "AccessDenied" | "DecryptionFailure" | "InvalidKeyId" => (
                Case::Denied,
                format!(
                    "; allow the host's role {} on the secret, and kms:Decrypt on its key if that is not AWS's own",
                    service.permission()
                ),
            ),
            _ => (Case::Denied, format!("; check {} and the role's access in {region}", self.purpose.variable)),
        };
        self.failure(case, &error.to_string(), &hint)
    }

    fn failure(&self, case: Case, why: &str, hint: &str) -> Failure {
        Failure::new(case, format!("cannot read {} {}: {why}{hint}", self.purpose.name, self.arn))
    }

    pub(crate) fn unusable(&self, why: &str) -> Failure {
        Failure::new(Case::Denied, format!("{} {} cannot be used: {why}", self.purpose.name, self.arn))
    }
}

#[derive(Deserialize)]
struct SecretResponse {
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

/// Returns the secret in a value: the whole text, or the field `secret` or `callbackSecret` of a JSON object. Other
/// text in braces is refused here, because the backend would refuse its signatures later without a reason.
fn secret_text(value: &str) -> Result<Zeroizing<String>, &'static str> {
    let text = value.trim();
    if !(text.starts_with('{') && text.ends_with('}')) {
        return Ok(Zeroizing::new(text.to_owned()));
    }
    let Ok(Value::Object(mut fields)) = serde_json::from_str(text) else {
        return Err("its text looks like JSON, but is not valid JSON");
    };
    match (fields.remove("secret"), fields.remove("callbackSecret")) {
        (Some(Value::String(secret)), None) | (None, Some(Value::String(secret))) => Ok(Zeroizing::new(secret)),
        (Some(_), Some(_)) => Err("its JSON has both \"secret\" and \"callbackSecret\"; keep one"),
        _ => Err("its JSON has no text field \"secret\" or \"callbackSecret\""),
    }
}

#[cfg(test)]
#[path = "secret_store_tests.rs"]
mod tests;
