//! A number in SSM's Parameter Store that only grows.
//!
//! `PutParameter` has no condition, but it numbers every value that is written (Systems Manager User Guide, "Working
//! with parameter versions"). So a process that has written a lower number over a higher one sees that from the
//! versions in between, and raises it again. The operations need `ssm:GetParameter`, and `ssm:PutParameter` to raise
//! it.

use async_trait::async_trait;
use aws_config::SdkConfig;
use serde::Deserialize;
use serde_json::{Value, json};
use stagehost_batch::{Case, Failure};
use stagehost_storage::{GrowingNumber, StorageError};
use zeroize::Zeroizing;

use crate::error::ConfigError;
use crate::services::arn::Arn;
use crate::services::endpoints::{Endpoints, configured_endpoint};
use crate::services::signed_json::{CallError, Operation, SignedJson, with_retries};

/// How often a number is written that somebody else writes at the same time.
const TRIES: usize = 4;

/// The most versions by others between a read and the write after it that are looked at.
const MOST_BETWEEN: usize = 16;

/// What values the service itself accepts: numbers.
const PATTERN: &str = "^[0-9]{1,19}$";

/// The ARN of a parameter that holds a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterArn(Arn);

impl ParameterArn {
    /// Reads `arn:…:ssm:REGION:ACCOUNT:parameter/NAME`.
    ///
    /// # Errors
    /// [`ConfigError::FloorArn`] for any other text.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-/".contains(&b);
        let valid = |arn: &Arn| {
            let name = arn.resource.strip_prefix("parameter/").filter(|name| !name.is_empty());
            arn.service == "ssm" && name.is_some_and(|name| name.bytes().all(plain))
        };
        let arn = Arn::parse(text).filter(valid);
        arn.map(Self).ok_or_else(|| ConfigError::FloorArn(text.to_owned()))
    }

    /// Returns the environment that the parameter belongs to, if it has the template's name
    /// `/listing-media-processing/ENVIRONMENT/pins-floor`.
    pub fn environment(&self) -> Option<&str> {
        self.0.resource.strip_prefix("parameter/listing-media-processing/")?.strip_suffix("/pins-floor")
    }

    /// Returns the parameter's name, because `PutParameter` takes no ARN. In an ARN, the slash at the beginning of a path is
    /// the one after `parameter`.
    fn name(&self) -> String {
        let name = self.0.resource.strip_prefix("parameter/").unwrap_or_default();
        if name.contains('/') { format!("/{name}") } else { name.to_owned() }
    }
}

/// The number in a parameter.
#[derive(Debug)]
pub(crate) struct ParameterNumber {
    arn: ParameterArn,
    endpoint: String,
    json: SignedJson,
}

/// A value and its version.
struct Versioned {
    value: u64,
    version: u64,
}

impl ParameterNumber {
    pub(crate) fn new(config: &SdkConfig, arn: ParameterArn, endpoints: &Endpoints) -> Self {
        let endpoint = configured_endpoint(config, endpoints.ssm.as_ref(), "AWS_ENDPOINT_URL_SSM")
            .unwrap_or_else(|| arn.0.aws_endpoint(config.use_fips().unwrap_or_default()));
        Self { arn, endpoint, json: SignedJson::new(config) }
    }

    async fn call(
        &self,
        operation: &str,
        permission: &str,
        body: &Value,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        let target = format!("AmazonSSM.{operation}");
        let to = Operation {
            endpoint: &self.endpoint,
            service: &self.arn.0.service,
            region: &self.arn.0.region,
            target: &target,
            content_type: "application/x-amz-json-1.1",
        };
        match self.json.call(&to, body).await {
            Ok(answer) => Ok(Some(answer)),
            Err(CallError::Refused(error))
                if matches!(error.code.as_str(), "ParameterNotFound" | "ParameterVersionNotFound") =>
            {
                Ok(None)
            }
            Err(error) => {
                let hint = match &error {
                    CallError::Refused(refused) if !refused.is_transient() => {
                        format!("; the role needs {permission} on it")
                    }
                    _ => String::new(),
                };
                Err(Failure::new(error.case(), format!("{error}{hint}")))
            }
        }
    }

    /// Returns the newest value or that of one version; `None` if there is none.
    async fn get(&self, version: Option<u64>) -> Result<Option<Versioned>, Failure> {
        let name = match version {
            Some(version) => format!("{}:{version}", self.arn.name()),
            None => self.arn.name(),
        };
        let body = json!({"Name": name});
        let Some(answer) = with_retries(|| self.call("GetParameter", "ssm:GetParameter", &body)).await? else {
            return Ok(None);
        };
        let GetResponse { parameter } = read(&answer)?;
        let value = parameter.value.trim().parse();
        let value = value.map_err(|_| unreadable(&format!("its value {:?} is not a whole number", parameter.value)))?;
        Ok(Some(Versioned { value, version: parameter.version }))
    }

    /// Writes a value. Returns its version.
    async fn put(&self, value: u64) -> Result<u64, Failure> {
        let body = json!({
            "Name": self.arn.name(), "Value": value.to_string(), "Type": "String", "Overwrite": true, "AllowedPattern": PATTERN,
        });
        let answer = with_retries(|| self.call("PutParameter", "ssm:PutParameter", &body)).await?;
        let PutResponse { version } = read(&answer.unwrap_or_default())?;
        Ok(version)
    }

    async fn raised(&self, mut least: u64) -> Result<u64, Failure> {
        for _ in 0..TRIES {
            let before = self.get(None).await?;
            if let Some(Versioned { value, .. }) = before.as_ref().filter(|before| before.value >= least) {
                return Ok(*value);
            }
            let before = before.map_or(0, |before| before.version);
            let own = self.put(least).await?;
            let mut highest = least;
            for version in (before + 1..own).rev().take(MOST_BETWEEN) {
                highest = highest.max(self.get(Some(version)).await?.map_or(0, |between| between.value));
            }
            if highest == least {
                return Ok(least);
            }
            least = highest;
        }
        Err(Failure::new(Case::Transient, "somebody else keeps writing it; try again"))
    }

    fn failed(&self, doing: &'static str) -> impl Fn(Failure) -> StorageError {
        let place = self.place();
        move |failure| StorageError::Failed { doing, place: place.clone(), reason: failure.message }
    }
}

#[async_trait]
impl GrowingNumber for ParameterNumber {
    async fn read(&self) -> Result<Option<u64>, StorageError> {
        Ok(self.get(None).await.map_err(self.failed("cannot read"))?.map(|found| found.value))
    }

    async fn raise(&self, least: u64) -> Result<u64, StorageError> {
        self.raised(least).await.map_err(self.failed("cannot raise"))
    }

    fn place(&self) -> String {
        self.arn.0.to_string()
    }
}

fn read<'a, T: Deserialize<'a>>(answer: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(answer).map_err(|error| unreadable(&error.to_string()))
}

fn unreadable(why: &str) -> Failure {
    Failure::new(Case::Internal, format!("the response cannot be read: {why}"))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetResponse {
    parameter: Parameter,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter {
    value: String,
    version: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutResponse {
    version: u64,
}

#[cfg(test)]
#[path = "parameter_tests.rs"]
mod tests;
