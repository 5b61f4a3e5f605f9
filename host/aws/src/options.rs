//! Options of the host on AWS.

use std::sync::Arc;
use std::time::Duration;

use crate::callback::secret::Secret;
use crate::callback::secret_store::SecretArn;
use crate::callback::webhook::WebhookOptions;
use crate::error::ConfigError;
use crate::jobs::transcoder::MediaConvertOptions;
use crate::services::endpoints::Endpoints;
use crate::services::parameter::ParameterArn;
use crate::stage_secrets::StageSecretsSetting;

/// Options of the host on AWS, except for credentials and region, which are part of the SDK's configuration.
#[derive(Clone, Debug, Default)]
pub struct AwsOptions {
    /// The media bucket.
    pub bucket: String,
    /// Id, ARN or alias of the KMS key for new objects; `None` means the bucket's default encryption.
    pub kms_key_id: Option<String>,
    /// Endpoints to use in place of AWS's own.
    pub endpoints: Endpoints,
    /// Whether S3's URLs are `https://host/bucket/key` instead of `https://bucket.host/key`. `None` means yes if S3 has
    /// an endpoint other than AWS's, because `bucket.host` does not resolve on a laptop.
    pub force_path_style: Option<bool>,
    /// How transcoding jobs are submitted.
    pub mediaconvert: MediaConvertOptions,
    /// Where the callback goes.
    pub webhook: WebhookOptions,
    /// The ARN of the secret that signs callbacks. Used unless [`WebhookOptions::secret`] is given.
    pub callback_secret: Option<SecretArn>,
    /// The ARN of the parameter with the lowest revision of the pins that may be in force.
    pub pins_floor: Option<ParameterArn>,
    /// Secrets for HTTP requests of stages, by name.
    pub stage_secrets: StageSecretsSetting,
    /// Whether stages must not call this machine. They must not on Lambda, whose runtime API is there.
    pub loopback_denied: bool,
}

impl AwsOptions {
    /// Reads the options from a Lambda function's environment: `MEDIA_BUCKET`, `MEDIA_KMS_KEY_ID`,
    /// `MEDIACONVERT_QUEUE`, `MEDIACONVERT_ROLE`, `MEDIACONVERT_JOB_TEMPLATE`, `MEDIACONVERT_STATUS_SECONDS`,
    /// `MEDIACONVERT_UNDECIDED_SECONDS`,
    /// `CALLBACK_URL`, `CALLBACK_SECRET_ARN`, `TRACE_HEADER_KEY`, `PINS_FLOOR`,
    /// `STAGE_SECRETS_ARN`. Where `AWS_LAMBDA_RUNTIME_API` is set, stages
    /// must not call this machine. Outside Lambda, that is without
    /// `AWS_LAMBDA_FUNCTION_NAME`, `CALLBACK_SECRET` and `STAGE_SECRETS` may contain the secrets themselves. An empty variable counts as absent.
    ///
    /// # Errors
    /// [`ConfigError`] if a variable is missing or invalid.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads the same options from any source of variables.
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
        if let Some(seconds) = get("MEDIACONVERT_UNDECIDED_SECONDS") {
            let seconds =
                seconds.parse().map_err(|_| ConfigError::NotSeconds("MEDIACONVERT_UNDECIDED_SECONDS", seconds))?;
            mediaconvert.undecided = Duration::from_secs(seconds);
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
            pins_floor: get("PINS_FLOOR").map(|arn| ParameterArn::parse(&arn)).transpose()?,
            stage_secrets: StageSecretsSetting::from_lookup(&lookup)?,
            loopback_denied: get("AWS_LAMBDA_RUNTIME_API").is_some(),
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
    fn a_host_without_a_bucket_does_not_start_and_the_error_names_the_variable() {
        assert!(from(&[("MEDIA_BUCKET", " ")]).unwrap_err().to_string().contains("MEDIA_BUCKET"));
    }

    #[test]
    fn stages_must_not_call_this_machine_where_the_runtime_api_is() {
        assert!(!from(&[("MEDIA_BUCKET", "b")]).unwrap().loopback_denied);
        assert!(from(&[("MEDIA_BUCKET", "b"), ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")]).unwrap().loopback_denied);
    }

    #[test]
    fn an_empty_secret_counts_as_absent_and_an_invalid_one_is_an_error_that_does_not_show_it() {
        let options = from(&[("MEDIA_BUCKET", "b"), ("CALLBACK_SECRET", "")]).unwrap();
        assert!(options.webhook.secret.is_none());
        let error = from(&[("MEDIA_BUCKET", "b"), ("CALLBACK_SECRET", "whsec_!!")]).unwrap_err();
        assert!(!error.to_string().contains("!!"));
    }

    #[test]
    fn a_function_takes_the_secrets_arn_and_refuses_the_secret_itself() {
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
    fn the_trace_header_is_traceparent_unless_another_one_is_configured() {
        assert_eq!(from(&[("MEDIA_BUCKET", "b")]).unwrap().webhook.trace_header, "traceparent");
        let options = from(&[("MEDIA_BUCKET", "b"), ("TRACE_HEADER_KEY", "x-trace")]).unwrap();
        assert_eq!(options.webhook.trace_header, "x-trace");
    }
}
