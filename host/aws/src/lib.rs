//! What the host can do for a stage, by the AWS SDK.
//!
//! There is one code path, in production and on one machine: where the APIs are is the SDK's configuration, and nothing
//! in here knows the difference. The runtime has checked grants and limits before it calls; this crate keeps the
//! promises of [`stagehost_runtime::capability`]: one version of an object per read, nothing visible before `finish`,
//! bounded memory, typed failures, nothing sent unsigned.
//!
//! | module | what it is |
//! |---|---|
//! | `objects` | stored objects on S3 |
//! | `jobs` | MediaConvert jobs, and the states that wait for them |
//! | `documents` | batch documents that are too large for a state's payload |
//! | `callback` | the signed callback to the backend |
//! | `services` | services without an SDK crate: one signed request |
//! | `outside` | other services, and the addresses that no stage may reach |
//! | `clients`, `options` | putting it together |

mod callback;
mod clients;
mod documents;
mod ids;
mod jobs;
mod objects;
mod options;
mod outside;
mod sdk_error;
mod services;

pub use callback::secret::{Secret, SecretError};
pub use callback::secret_source::{AwsSecret, SecretSource};
pub use callback::secret_store::SecretArn;
pub use callback::webhook::{SignedWebhook, WebhookOptions};
pub use clients::{Clients, ConfigError, storage_from_env};
pub use documents::Documents;
pub use ids::ticket_id;
pub use jobs::events::{EventError, JobReport, JobStatus};
pub use jobs::tickets::{Progress, Ticket, TicketJob, TicketOutput, Tickets};
pub use jobs::transcoder::{MediaConvertOptions, MediaConvertTranscoder, Recorder};
pub use objects::s3_objects::S3Objects;
pub use options::{AwsOptions, Endpoints};
pub use outside::http::HttpClient;
pub use services::queue::{Queues, Redelivery};
