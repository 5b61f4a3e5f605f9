//! The runtime's capabilities on AWS.
//!
//! All requests go through the AWS SDK's configuration, in production and on one machine. The endpoints are a part of that
//! configuration, and no code here depends on them. The runtime checks grants and limits before it calls this
//! crate. This crate keeps the promises of [`stagehost_runtime::capability`]: every read is of one version, nothing is
//! visible before `finish`, memory is bounded, failures are typed, and no callback is sent unsigned.
//!
//! Modules from the top to the bottom; each imports only modules below it:
//!
//! | module | content |
//! |---|---|
//! | `clients`, `options` | The SDK's clients and everything made of them; their options |
//! | `stage_secrets` | The secrets in stages' HTTP requests |
//! | `callback` | The signed callback to the backend |
//! | `jobs` | MediaConvert jobs, and the states that wait for them |
//! | `documents` | Batch documents that are too large for a state's payload |
//! | `objects` | Stored objects on S3 |
//! | `services` | Signed requests to services without an SDK crate: SQS, Secrets Manager, Parameter Store, CloudWatch and its logs |
//! | `outside` | HTTP requests of stages, and the addresses that they must not reach |
//! | `ids`, `sdk_error`, `error` | Derived ids; failures from the SDK's errors; configuration errors |

mod callback;
mod clients;
mod documents;
mod error;
mod ids;
mod jobs;
mod objects;
mod options;
mod outside;
mod sdk_error;
mod services;
mod stage_secrets;

pub use callback::secret::Secret;
pub use callback::secret_rotation::{AwsSecret, SecretSource};
pub use callback::secret_store::SecretArn;
pub use callback::webhook::{SignedWebhook, WebhookOptions};
pub use clients::{Clients, number_from_env, storage_from_env};
pub use documents::Documents;
pub use error::{ConfigError, SecretError};
pub use ids::{ticket_id, ticket_key};
pub use jobs::events::{EventError, JobReport, JobSpan, JobStatus};
pub use jobs::job_recorder::JobRecorder;
pub use jobs::sweep::SweepReport;
pub use jobs::ticket::{Ticket, TicketJob, TicketOutput};
pub use jobs::transcoder::{MediaConvertOptions, MediaConvertTranscoder};
pub use jobs::waiting_states::{TicketProgress, Tickets};
pub use objects::s3_objects::S3Objects;
pub use options::AwsOptions;
pub use outside::http::HttpClient;
pub use services::endpoints::Endpoints;
pub use services::logs::{FoundLines, LogLines};
pub use services::parameter::ParameterArn;
pub use services::queue::{KeptMessage, Queues, Redelivery};
pub use services::watch::{AlarmState, CloudWatch};
pub use stage_secrets::StageSecretsSetting;
