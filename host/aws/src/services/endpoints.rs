//! Where the AWS services are.

use aws_config::SdkConfig;

/// Endpoints to use in place of AWS's own. Each takes precedence over the environment (`AWS_ENDPOINT_URL`,
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

/// Returns the endpoint of a service by the SDK's precedence: `option`, then the service's own environment `variable`,
/// then `AWS_ENDPOINT_URL`. `None` means AWS's own endpoint.
pub(crate) fn configured_endpoint(config: &SdkConfig, option: Option<&String>, variable: &str) -> Option<String> {
    option
        .cloned()
        .or_else(|| std::env::var(variable).ok().filter(|url| !url.trim().is_empty()))
        .or_else(|| config.endpoint_url().map(str::to_owned))
}
