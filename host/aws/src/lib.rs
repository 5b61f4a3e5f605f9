//! What the host can do for a stage, by the AWS SDK.
//!
//! There is one code path, in production and on one machine: where the APIs are is the SDK's configuration, and nothing
//! in here knows the difference. The runtime has checked grants and limits before it calls; this crate keeps the
//! promises of [`stagehost_runtime::capability`]: one version of an object per read, nothing visible before `finish`,
//! bounded memory, typed failures, nothing sent unsigned.
//!
//! | module | what it is |
//! |---|---|
//! | `objects`, `reader`, `body`, `recent` | reading: one version, streamed, taken up again where it broke; nothing asked twice |
//! | `writer`, `upload`, `parts` | writing: objects composed of bytes and stored objects |
//! | `transcoder`, `job`, `receipts` | MediaConvert jobs, and why a second run submits none |
//! | `tickets`, `events` | states that wait for jobs, and what ends them |
//! | `documents` | batch documents that are too large for a state's payload |
//! | `webhook`, `secret` | the signed callback |
//! | `secret_source`, `secret_store` | where its secret comes from, and how a rotated one is noticed |
//! | `queue` | when a queue hands a message out again |
//! | `signed_json`, `arn` | services without an SDK crate: one signed request |
//! | `http`, `address` | other services, and where no stage may be led to |
//! | `clients`, `options` | putting it together |

mod address;
mod arn;
mod body;
mod clients;
mod documents;
mod events;
mod fault;
mod http;
mod ids;
mod job;
mod metadata;
mod objects;
mod options;
mod parts;
mod queue;
mod reader;
mod receipts;
mod recent;
mod secret;
mod secret_source;
mod secret_store;
mod signed_json;
mod store;
mod tickets;
mod transcoder;
mod upload;
mod webhook;
mod writer;

pub use crate::http::HttpClient;
pub use clients::{Clients, ConfigError, storage_from_env};
pub use documents::Documents;
pub use events::{EventError, JobReport, JobStatus};
pub use ids::ticket_id;
pub use objects::S3Objects;
pub use options::{AwsOptions, Endpoints};
pub use queue::{Queues, Redelivery};
pub use secret::{Secret, SecretError};
pub use secret_source::{AwsSecret, SecretSource};
pub use secret_store::SecretArn;
pub use tickets::{Progress, Ticket, TicketJob, TicketOutput, Tickets};
pub use transcoder::{MediaConvertOptions, MediaConvertTranscoder, Recorder};
pub use webhook::{SignedWebhook, WebhookOptions};
