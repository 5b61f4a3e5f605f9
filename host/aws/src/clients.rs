//! The SDK's clients, with retries and timeouts that are chosen and not inherited.
//!
//! | | | why |
//! |---|---|---|
//! | attempts | 4, standard mode | a throttled bucket recovers within seconds; beyond that the state machine retries with its own back-off |
//! | connect | 3 s | within a region it takes milliseconds; a black hole should cost one attempt, not the call |
//! | first byte | 30 s | the store copies up to 512 MiB before it answers |
//! | attempt | 90 s | a part of 8 MiB at 1 MBit/s still gets through |
//! | operation | 4 min | bounds all attempts together; bodies that are read afterwards do not count |
//!
//! A body that stalls is noticed by the SDK's stalled-stream protection and taken up again where it broke.

use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use stagehost_runtime::capability::Capabilities;
use stagehost_storage::{Bucket, Folder, Location, Storage};

use crate::callback::secret::SecretError;
use crate::callback::secret_source::AwsSecret;
use crate::callback::secret_store::SecretStore;
use crate::callback::webhook::SignedWebhook;
use crate::documents::Documents;
use crate::jobs::tickets::Tickets;
use crate::jobs::transcoder::MediaConvertTranscoder;
use crate::objects::bucket::Store;
use crate::objects::s3_objects::S3Objects;
use crate::options::AwsOptions;
use crate::outside::http::HttpClient;
use crate::services::queue::Queues;

/// Why a host cannot be put together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Nothing works without it.
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    /// A number was expected.
    #[error("the environment variable {0} is {1:?}; it must be a number of seconds")]
    NotSeconds(&'static str, String),
    /// The name of the trace header is no header name.
    #[error("TRACE_HEADER_KEY is {0:?}, which is no name of an HTTP header")]
    TraceHeader(String),
    /// The callback's secret cannot be used.
    #[error("CALLBACK_SECRET: {0}")]
    Secret(#[from] SecretError),
    /// A function's environment is shown to everybody who may look at its configuration.
    #[error(
        "CALLBACK_SECRET is set on a Lambda function, where its configuration shows it; remove it, store the secret in \
         Secrets Manager or as an SSM SecureString, and set CALLBACK_SECRET_ARN to its ARN"
    )]
    SecretOnLambda,
    /// It must be clear which one signs.
    #[error("CALLBACK_SECRET and CALLBACK_SECRET_ARN are both set; keep one")]
    TwoSecrets,
    /// The secret's place is none that the host can read. Holds what may be shown of the text.
    #[error(
        "CALLBACK_SECRET_ARN is {0}; it must be arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME or \
         arn:aws:ssm:REGION:ACCOUNT:parameter/NAME"
    )]
    SecretArn(String),
    /// The HTTP client could not be made.
    #[error("no HTTP client: {0}; is there a bundle of root certificates on this machine?")]
    Tls(String),
}

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
    store: Store,
}

impl Clients {
    /// Clients with the credentials and the region of the environment.
    pub async fn from_env(options: AwsOptions) -> Self {
        Self::new(&config_from_env().await, options)
    }

    /// Clients with the credentials and the region of `config`. Retries and timeouts are this module's, whatever
    /// `config` says.
    pub fn new(config: &SdkConfig, mut options: AwsOptions) -> Self {
        if let (None, Some(arn)) = (&options.webhook.secret, &options.callback_secret) {
            let store = SecretStore::new(config, arn.clone(), &options.endpoints);
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
            store: Store::new(s3.clone(), options.bucket.clone(), options.kms_key_id.clone()),
            s3,
            mediaconvert: aws_sdk_mediaconvert::Client::from_conf(mediaconvert.build()),
            states: aws_sdk_sfn::Client::from_conf(states.build()),
            queues: Arc::new(Queues::new(config, &options.endpoints)),
            options: Arc::new(options),
        }
    }

    /// What the clients were made of.
    pub fn options(&self) -> &AwsOptions {
        &self.options
    }

    /// A folder, or a part of a bucket, as a place for documents.
    pub fn storage(&self, location: &Location) -> Arc<dyn Storage> {
        match location {
            Location::Folder(path) => Arc::new(Folder::new(path)),
            Location::Bucket { bucket, prefix } => {
                Arc::new(Bucket::new(self.s3.clone(), bucket, prefix, self.options.kms_key_id.clone()))
            }
        }
    }

    /// The media bucket.
    pub fn objects(&self) -> S3Objects {
        S3Objects::of(self.store.clone())
    }

    /// The bucket as a place for batch documents that are too large for a state's payload.
    pub fn documents(&self) -> Documents {
        Documents::new(self.store.clone())
    }

    /// The transcoding service.
    pub fn transcoder(&self) -> MediaConvertTranscoder {
        MediaConvertTranscoder::new(self.store.clone(), self.mediaconvert.clone(), self.options.mediaconvert.clone())
    }

    /// The states that wait for it.
    pub fn tickets(&self) -> Tickets {
        Tickets::new(self.store.clone(), self.states.clone(), self.options.mediaconvert.receipt_settings())
    }

    /// The queues that messages come from.
    pub fn queues(&self) -> Arc<Queues> {
        self.queues.clone()
    }

    /// Everything that the runtime asks of a host.
    ///
    /// # Errors
    /// [`ConfigError`] when an HTTP client cannot be made as the options say.
    pub fn capabilities(&self) -> Result<Capabilities, ConfigError> {
        Ok(Capabilities {
            objects: Arc::new(self.objects()),
            transcoder: Arc::new(self.transcoder()),
            webhook: Arc::new(SignedWebhook::new(self.options.webhook.clone())?),
            http: Arc::new(HttpClient::new()?),
        })
    }
}

/// A folder, or a part of a bucket, as a place for documents, for whoever needs nothing else of AWS. Credentials, region
/// and endpoint are those of the AWS CLI's environment and files; `MEDIA_KMS_KEY_ID` names the key for what is written, as
/// it does for the host. Nothing is asked of the network yet.
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

async fn config_from_env() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest()).retry_config(retries()).timeout_config(timeouts()).load().await
}

fn s3_config(config: &SdkConfig, options: &AwsOptions) -> aws_sdk_s3::Config {
    let elsewhere = options.endpoints.s3.is_some()
        || config.endpoint_url().is_some()
        || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some_and(|url| !url.is_empty());
    let mut builder = aws_sdk_s3::config::Builder::from(config)
        .retry_config(retries())
        .timeout_config(timeouts())
        .force_path_style(options.force_path_style.unwrap_or(elsewhere));
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
