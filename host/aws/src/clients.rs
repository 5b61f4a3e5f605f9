//! The SDK's clients, with the host's own retries and timeouts.
//!
//! | setting | value | reason |
//! |---|---|---|
//! | attempts | 4, standard mode | A throttled bucket recovers within seconds; after that, the state machine retries with its own back-off |
//! | connect | 3 s | Within a region it takes milliseconds; an address that does not answer should cost one attempt, not the call |
//! | first byte | 30 s | S3 copies up to 512 MiB before it answers |
//! | attempt | 90 s | A part of 8 MiB takes 67 s at 1 Mbit/s |
//! | operation | 4 min | Limits all attempts together; bodies that are read afterwards do not count |
//!
//! The SDK's stalled-stream protection notices a body that stalls, and the host resumes it where it stopped.

use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use stagehost_runtime::capability::Capabilities;
use stagehost_storage::{Bucket, Folder, GrowingNumber, Location, Storage};

use crate::callback::secret_rotation::AwsSecret;
use crate::callback::secret_store::{CALLBACK, SecretStore};
use crate::callback::webhook::SignedWebhook;
use crate::documents::Documents;
use crate::error::ConfigError;
use crate::jobs::media_jobs::MediaJobs;
use crate::jobs::transcoder::MediaConvertTranscoder;
use crate::jobs::waiting_states::Tickets;
use crate::objects::bucket::MediaBucket;
use crate::objects::s3_objects::S3Objects;
use crate::options::AwsOptions;
use crate::outside::http::HttpClient;
use crate::services::endpoints::Endpoints;
use crate::services::logs::LogLines;
use crate::services::parameter::{ParameterArn, ParameterNumber};
use crate::services::queue::Queues;
use crate::stage_secrets::{HttpWithSecrets, StageSecrets};

/// The SDK's clients for one set of options. Cheap to clone.
#[derive(Clone)]
pub struct Clients {
    /// Amazon S3.
    pub s3: aws_sdk_s3::Client,
    /// AWS Elemental MediaConvert.
    pub mediaconvert: aws_sdk_mediaconvert::Client,
    /// AWS Step Functions.
    pub states: aws_sdk_sfn::Client,
    options: Arc<AwsOptions>,
    queues: Arc<Queues>,
    logs: Arc<LogLines>,
    pins_floor: Option<Arc<ParameterNumber>>,
    stage_secrets: Arc<StageSecrets>,
    bucket: MediaBucket,
}

impl Clients {
    /// Clients with the credentials and the region of the environment.
    pub async fn from_env(options: AwsOptions) -> Self {
        Self::new(&config_from_env().await, options)
    }

    /// Clients with the credentials and the region of `config`, and the host's own retries and timeouts.
    pub fn new(config: &SdkConfig, mut options: AwsOptions) -> Self {
        if let (None, Some(arn)) = (&options.webhook.secret, &options.callback_secret) {
            let store = SecretStore::new(config, CALLBACK, arn.clone(), &options.endpoints);
            options.webhook.secret = Some(Arc::new(AwsSecret::new(store)));
        }
        let s3 = s3_config(config, &options);
        let mut mediaconvert =
            aws_sdk_mediaconvert::config::Builder::from(config).retry_config(retries()).timeout_config(timeouts());
        if let Some(url) = &options.endpoints.mediaconvert {
            mediaconvert = mediaconvert.endpoint_url(url);
        }
        let mut states = aws_sdk_sfn::config::Builder::from(config).retry_config(retries()).timeout_config(timeouts());
        if let Some(url) = &options.endpoints.states {
            states = states.endpoint_url(url);
        }
        let s3 = aws_sdk_s3::Client::from_conf(s3);
        Self {
            bucket: MediaBucket::new(s3.clone(), options.bucket.clone(), options.kms_key_id.clone()),
            s3,
            mediaconvert: aws_sdk_mediaconvert::Client::from_conf(mediaconvert.build()),
            states: aws_sdk_sfn::Client::from_conf(states.build()),
            queues: Arc::new(Queues::new(config, &options.endpoints)),
            logs: Arc::new(LogLines::new(config)),
            pins_floor: options
                .pins_floor
                .clone()
                .map(|arn| Arc::new(ParameterNumber::new(config, arn, &options.endpoints))),
            stage_secrets: Arc::new(StageSecrets::new(config, &options.stage_secrets, &options.endpoints)),
            options: Arc::new(options),
        }
    }

    /// Returns the options of these clients.
    pub fn options(&self) -> &AwsOptions {
        &self.options
    }

    /// Returns the document store at `location`.
    pub fn storage(&self, location: &Location) -> Arc<dyn Storage> {
        match location {
            Location::Folder(path) => Arc::new(Folder::new(path)),
            Location::Bucket { bucket, prefix } => {
                Arc::new(Bucket::new(self.s3.clone(), bucket, prefix, self.options.kms_key_id.clone()))
            }
        }
    }

    /// Returns the objects of the media bucket.
    pub fn objects(&self) -> S3Objects {
        S3Objects::of(self.bucket.clone())
    }

    /// Returns the place for batch documents that are too large for a state's payload.
    pub fn documents(&self) -> Documents {
        Documents::new(self.bucket.clone())
    }

    /// Returns the transcoding service.
    pub fn transcoder(&self) -> MediaConvertTranscoder {
        MediaConvertTranscoder::new(self.bucket.clone(), self.mediaconvert.clone(), self.options.mediaconvert.clone())
    }

    /// Returns the tickets of states that wait for transcoding jobs.
    pub fn tickets(&self) -> Tickets {
        let options = &self.options.mediaconvert;
        let jobs = MediaJobs::new(self.mediaconvert.clone(), options.queue.clone());
        Tickets::new(self.bucket.clone(), self.states.clone(), jobs, options.receipt_settings())
    }

    /// Returns the lowest revision of the pins that may be in force, as a parameter holds it; `None` if none is named.
    pub fn pins_floor(&self) -> Option<Arc<dyn GrowingNumber>> {
        self.pins_floor.clone().map(|floor| floor as Arc<dyn GrowingNumber>)
    }

    /// Returns the queues that messages come from.
    pub fn queues(&self) -> Arc<Queues> {
        self.queues.clone()
    }

    /// Returns the host's log lines, for people.
    pub fn logs(&self) -> Arc<LogLines> {
        self.logs.clone()
    }

    /// Returns the capabilities for the runtime.
    ///
    /// # Errors
    /// [`ConfigError`] if the trace header's name is invalid or the machine has no usable root certificates.
    pub fn capabilities(&self) -> Result<Capabilities, ConfigError> {
        Ok(Capabilities {
            objects: Arc::new(self.objects()),
            transcoder: Arc::new(self.transcoder()),
            webhook: Arc::new(SignedWebhook::new(self.options.webhook.clone())?),
            http: Arc::new(HttpWithSecrets::new(
                match self.options.loopback_denied {
                    true => HttpClient::without_loopback()?,
                    false => HttpClient::new()?,
                },
                self.stage_secrets.clone(),
            )),
        })
    }
}

/// Returns the document store at `location`, for callers that need nothing else of AWS. Credentials, region and
/// endpoint come from the AWS CLI's environment and files; `MEDIA_KMS_KEY_ID` names the key that encrypts new
/// documents, as it does for the host. No request is sent.
pub async fn storage_from_env(location: &Location) -> Arc<dyn Storage> {
    match location {
        Location::Folder(path) => Arc::new(Folder::new(path)),
        Location::Bucket { bucket, prefix } => {
            let s3 = s3_config(&config_from_env().await, &AwsOptions::default());
            let key = std::env::var("MEDIA_KMS_KEY_ID").ok().map(|key| key.trim().to_owned());
            let key = key.filter(|key| !key.is_empty());
            Arc::new(Bucket::new(aws_sdk_s3::Client::from_conf(s3), bucket, prefix, key))
        }
    }
}

/// Returns the number in the parameter `arn`, for callers that need nothing else of AWS. No request is sent.
pub async fn number_from_env(arn: &ParameterArn) -> Arc<dyn GrowingNumber> {
    Arc::new(ParameterNumber::new(&config_from_env().await, arn.clone(), &Endpoints::default()))
}

async fn config_from_env() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest()).retry_config(retries()).timeout_config(timeouts()).load().await
}

fn s3_config(config: &SdkConfig, options: &AwsOptions) -> aws_sdk_s3::Config {
    let custom_endpoint = options.endpoints.s3.is_some()
        || config.endpoint_url().is_some()
        || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some_and(|url| !url.is_empty());
    let mut builder = aws_sdk_s3::config::Builder::from(config)
        .retry_config(retries())
        .timeout_config(timeouts())
        .force_path_style(options.force_path_style.unwrap_or(custom_endpoint));
    if let Some(url) = &options.endpoints.s3 {
        builder = builder.endpoint_url(url);
    }
    builder.build()
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(4)
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .read_timeout(Duration::from_secs(30))
        .operation_attempt_timeout(Duration::from_secs(90))
        .operation_timeout(Duration::from_secs(240))
        .build()
}
