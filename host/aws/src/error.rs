//! Why a host cannot be put together from its options.

/// Invalid options, or a machine that the host cannot run on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A required environment variable.
    #[error("the environment variable {0} is not set; set it and start the host again")]
    Missing(&'static str),
    /// An environment variable that must be a number of seconds.
    #[error("the environment variable {0} is {1:?}; it must be a whole number of seconds, such as 60")]
    NotSeconds(&'static str, String),
    /// `TRACE_HEADER_KEY` is not a valid header name.
    #[error("TRACE_HEADER_KEY is {0:?}, which is not a valid HTTP header name; use a name such as traceparent")]
    TraceHeader(String),
    /// The callback's secret cannot be used.
    #[error("CALLBACK_SECRET: {0}")]
    Secret(#[from] SecretError),
    /// The secret is in a Lambda function's environment, where everybody who can read its configuration sees it.
    #[error(
        "CALLBACK_SECRET is set on a Lambda function, where its configuration shows it; remove it, store the secret in \
         Secrets Manager or as an SSM SecureString, and set CALLBACK_SECRET_ARN to its ARN"
    )]
    SecretOnLambda,
    /// Both a secret and an ARN are given, so it is not clear which secret signs.
    #[error("CALLBACK_SECRET and CALLBACK_SECRET_ARN are both set; keep one")]
    TwoSecrets,
    /// Not the ARN of a secret or a parameter. Holds the variable, and the part of the text that may be shown.
    #[error(
        "{0} is {1}; it must be arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME or \
         arn:aws:ssm:REGION:ACCOUNT:parameter/NAME"
    )]
    SecretArn(&'static str, String),
    /// The stages' secrets are in a Lambda function's environment.
    #[error(
        "STAGE_SECRETS is set on a Lambda function, where its configuration shows it; remove it, store the secrets in Secrets \
         Manager or as an SSM SecureString, and set STAGE_SECRETS_ARN to its ARN"
    )]
    StageSecretsOnLambda,
    /// The stages' secrets cannot be read. Holds why; never a part of the text.
    #[error("STAGE_SECRETS: {0}")]
    StageSecrets(String),
    /// Not the ARN of a parameter.
    #[error(
        "{0:?} is not the ARN of a parameter with the lowest revision of the pins (PINS_FLOOR); it must be \
         arn:aws:ssm:REGION:ACCOUNT:parameter/NAME"
    )]
    FloorArn(String),
    /// The HTTP client could not be made.
    #[error("no HTTP client: {0}; check that root certificates are installed on this machine")]
    Tls(String),
}

/// Why a text cannot be used as the callback's secret. Never contains the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// With an empty secret anybody could sign.
    #[error("the callback secret is empty; generate one and set it here and at the backend")]
    Empty,
    /// After `whsec_` there must be base64.
    #[error("the callback secret begins with whsec_, but what follows is not base64; copy the whole secret again")]
    NotBase64,
}
