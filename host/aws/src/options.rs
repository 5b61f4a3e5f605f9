//! What the host has to be told of its surroundings.

use std::sync::Arc;
use std::time::Duration;

use crate::callback::secret::Secret;
use crate::callback::secret_store::SecretArn;
use crate::callback::webhook::WebhookOptions;
use crate::clients::ConfigError;
use crate::jobs::transcoder::MediaConvertOptions;

/// Where the AWS APIs are, when it is not AWS. Each wins over what the environment says (`AWS_ENDPOINT_URL`,
/// `AWS_ENDPOINT_URL_S3`, …).
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Endpoints {
    pub s3: Option<String>,
    pub mediaconvert: Option<String>,
    pub states: Option<String>,
    pub secrets_manager: Option<String>,
    pub ssm: Option<String>,
    pub sqs: Option<String>,
}

/// Everything about the surroundings that is not credentials or region; those are the SDK's business.
#[derive(Clone, Debug, Default)]
pub struct AwsOptions {
    /// The media bucket.
    pub bucket: String,
    /// Id, ARN or alias of the key that new objects are encrypted by; `None` leaves it to the bucket's default.
    pub kms_key_id: Option<String>,
    /// Endpoints other than AWS's own.
    pub endpoints: Endpoints,
    /// `https://host/bucket/key` in place of `https://bucket.host/key`. `None`: yes if S3 has an endpoint of its own,
    /// because no such name resolves on a laptop.
    pub force_path_style: Option<bool>,
    /// The transcoding service.
    pub mediaconvert: MediaConvertOptions,
    /// The backend's callback.
    pub webhook: WebhookOptions,
    /// Where AWS keeps the secret that callbacks are signed with. The clients make a source of it, unless
    /// [`WebhookOptions::secret`] is given.
    pub callback_secret: Option<SecretArn>,
}

impl AwsOptions {
    /// From the environment of a Lambda: `MEDIA_BUCKET`, `MEDIA_KMS_KEY_ID`, `MEDIACONVERT_QUEUE`, `MEDIACONVERT_ROLE`,
    /// `MEDIACONVERT_JOB_TEMPLATE`, `MEDIACONVERT_STATUS_SECONDS`, `CALLBACK_URL`,
    /// `CALLBACK_SECRET_ARN`, `TRACE_HEADER_KEY`. On one machine, that is without `AWS_LAMBDA_FUNCTION_NAME`,
    /// `CALLBACK_SECRET` may hold the secret itself. An empty variable counts as absent.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable that is missing or makes no sense.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// The same, from any source of variables.
    ///
    /// # Errors
    /// As for [`from_env`](Self::from_env).
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let get = |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let mut mediaconvert = MediaConvertOptions {
            queue: get("MEDIACONVERT_QUEUE"),
            role: get("MEDIACONVERT_ROLE"),
            job_template: get("MEDIACONVERT_JOB_TEMPLATE"),
            ..MediaConvertOptions::default()
        };
        if let Some(seconds) = get("MEDIACONVERT_STATUS_SECONDS") {
            let seconds =
                seconds.parse().map_err(|_| ConfigError::NotSeconds("MEDIACONVERT_STATUS_SECONDS", seconds))?;
            mediaconvert.status_interval = Duration::from_secs(seconds);
        }
        let mut webhook = WebhookOptions { url: get("CALLBACK_URL"), ..WebhookOptions::default() };
        let callback_secret = get("CALLBACK_SECRET_ARN").map(|arn| SecretArn::parse(&arn)).transpose()?;
        match get("CALLBACK_SECRET") {
            Some(_) if get("AWS_LAMBDA_FUNCTION_NAME").is_some() => return Err(ConfigError::SecretOnLambda),
            Some(_) if callback_secret.is_some() => return Err(ConfigError::TwoSecrets),
            Some(secret) => webhook.secret = Some(Arc::new(Secret::new(secret)?)),
            None => {}
        }
        if let Some(name) = get("TRACE_HEADER_KEY") {
            webhook.trace_header = name;
        }
        Ok(Self {
            bucket: get("MEDIA_BUCKET").ok_or(ConfigError::Missing("MEDIA_BUCKET"))?,
            kms_key_id: get("MEDIA_KMS_KEY_ID"),
            mediaconvert,
            webhook,
            callback_secret,
            ..Self::default()
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Result<AwsOptions, ConfigError> {
        AwsOptions::from_lookup(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_host_without_a_bucket_does_not_start_and_says_which_variable_to_set() {
        assert!(from(&[("MEDIA_BUCKET", " ")]).unwrap_err().to_string().contains("MEDIA_BUCKET"));
    }

    #[test]
    fn an_empty_secret_counts_as_none_and_a_broken_one_stops_the_start() {
        let options = from(&[("MEDIA_BUCKET", "b"), ("CALLBACK_SECRET", "")]).unwrap();
        assert!(options.webhook.secret.is_none());
        let error = from(&[("MEDIA_BUCKET", "b"), ("CALLBACK_SECRET", "whsec_!!")]).unwrap_err();
        assert!(!error.to_string().contains("!!"));
    }

    #[test]
    fn a_function_reads_the_secret_by_its_arn_and_refuses_one_in_its_environment() {
        let function = ("AWS_LAMBDA_FUNCTION_NAME", "host");
        let arn = ("CALLBACK_SECRET_ARN", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:callback-AbCdEf");
        let options = from(&[("MEDIA_BUCKET", "b"), function, arn]).unwrap();
        assert_eq!(options.callback_secret.unwrap().to_string(), arn.1);
        let error = from(&[("MEDIA_BUCKET", "b"), function, ("CALLBACK_SECRET", "hush")]).unwrap_err();
        assert_eq!(error, ConfigError::SecretOnLambda);
        assert!(error.to_string().contains("CALLBACK_SECRET_ARN") && !error.to_string().contains("hush"));
    }

    #[test]
    fn one_machine_may_have_the_secret_or_its_arn_but_not_both() {
        let arn = ("CALLBACK_SECRET_ARN", "arn:aws:ssm:eu-west-1:123456789012:parameter/callback");
        assert!(from(&[("MEDIA_BUCKET", "b"), ("CALLBACK_SECRET", "hush")]).unwrap().webhook.secret.is_some());
        let both = from(&[("MEDIA_BUCKET", "b"), arn, ("CALLBACK_SECRET", "hush")]);
        assert_eq!(both.unwrap_err(), ConfigError::TwoSecrets);
    }

    #[test]
    fn the_trace_header_is_traceparent_unless_said_otherwise() {
        assert_eq!(from(&[("MEDIA_BUCKET", "b")]).unwrap().webhook.trace_header, "traceparent");
        let options = from(&[("MEDIA_BUCKET", "b"), ("TRACE_HEADER_KEY", "x-trace")]).unwrap();
        assert_eq!(options.webhook.trace_header, "x-trace");
    }
}
