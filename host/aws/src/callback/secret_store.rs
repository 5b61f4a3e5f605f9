//! The two services that keep secrets, by the one request that is needed of each.

use std::fmt;

use aws_config::SdkConfig;
use serde::Deserialize;
use serde_json::{Value, json};
use stagehost_batch::{Case, Failure};
use zeroize::Zeroizing;

use crate::callback::secret::Secret;
use crate::clients::ConfigError;
use crate::options::Endpoints;
use crate::services::arn::Arn;
use crate::services::signed_json::{CallError, Operation, Refusal, SignedJson, configured_endpoint, patiently};

/// The ARN of a secret, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretArn {
    arn: Arn,
    service: Service,
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
        let arn = Arn::parse(text)?;
        let (service, name) = match arn.service.as_str() {
            "secretsmanager" => (Service::SecretsManager, arn.resource.strip_prefix("secret:")?),
            "ssm" => (Service::ParameterStore, arn.resource.strip_prefix("parameter/")?),
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

impl Service {
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
    json: SignedJson,
}

impl SecretStore {
    pub(crate) fn new(config: &SdkConfig, arn: SecretArn, endpoints: &Endpoints) -> Self {
        let option = match arn.service {
            Service::SecretsManager => &endpoints.secrets_manager,
            Service::ParameterStore => &endpoints.ssm,
        };
        let endpoint = configured_endpoint(config, option.as_ref(), arn.service.endpoint_variable())
            .unwrap_or_else(|| arn.arn.aws_endpoint(config.use_fips().unwrap_or_default()));
        Self { arn, endpoint, json: SignedJson::new(config) }
    }

    pub(crate) fn arn(&self) -> &SecretArn {
        &self.arn
    }

    /// The secret's value as it is now. A passing fault is tried again, for some seconds in all.
    pub(crate) async fn fetch(&self) -> Result<Secret, Failure> {
        patiently(|| self.attempt()).await
    }

    async fn attempt(&self) -> Result<Secret, Failure> {
        let SecretArn { arn, service } = &self.arn;
        let operation = Operation {
            endpoint: &self.endpoint,
            service: &arn.service,
            region: &arn.region,
            target: service.target(),
            content_type: "application/x-amz-json-1.1",
        };
        let body = match service {
            Service::SecretsManager => json!({"SecretId": arn.to_string()}),
            Service::ParameterStore => json!({"Name": arn.to_string(), "WithDecryption": true}),
        };
        match self.json.call(&operation, &body).await {
            Ok(answer) => self.read(&answer),
            Err(CallError::Refused(refusal)) => Err(self.refusal(&refusal)),
            Err(error) => Err(self.failure(error.case(), &error.to_string(), "")),
        }
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

    fn refusal(&self, refusal: &Refusal) -> Failure {
        let (service, region) = (self.arn.service, &self.arn.arn.region);
        let (case, hint) = match refusal.code.as_str() {
            _ if refusal.passes() => (Case::Transient, String::new()),
            "ResourceNotFoundException" | "ParameterNotFound" | "ParameterVersionNotFound" => {
                (Case::Denied, format!("; create it in {region}, or correct CALLBACK_SECRET_ARN"))
            }
            "AccessDeniedException" | "AccessDenied" | "DecryptionFailure" | "InvalidKeyId" => (
                Case::Denied,
                format!(
                    "; allow the host's role {} on it, and kms:Decrypt on its key if that is not AWS's own",
                    service.grant()
                ),
            ),
            _ => (Case::Denied, format!("; check CALLBACK_SECRET_ARN and the role's access in {region}")),
        };
        self.failure(case, &refusal.to_string(), &hint)
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
