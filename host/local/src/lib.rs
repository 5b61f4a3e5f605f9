//! The AWS APIs that the host uses, on one port of one machine.
//!
//! The host uses AWS only through the AWS SDK. A local run points the SDK to these services, so that `run` executes the
//! same code as production. [`LocalAws::start`] starts S3 over a plain folder, Step Functions over an interpreter of
//! the Amazon States Language, Lambda's Invoke of the host itself, MediaConvert by ffmpeg, and the reference receiver
//! of the backend's contract. The signature of a request names its service.
//!
//! The services are separate crates (`s3`, `states` over `asl`, `mediaconvert`). This crate connects them: Task states
//! call the [`Function`], MediaConvert reads and writes S3, and its events go to the function.
//!
//! Credentials are not checked. The port is on loopback unless other machines are allowed explicitly. Requests from web pages
//! are refused, except from pages that this machine itself serves.

mod endpoint;
mod error;
mod lambda;
mod local_aws;
mod mediaconvert;
mod options;
pub mod receiver;
mod s3;
mod s3_items;
mod server;
mod task_resources;

pub use endpoint::CREDENTIALS;
pub use error::StartError;
pub use lambda::foreign::ForeignFunction;
pub use lambda::function::{Function, FunctionError};
pub use local_aws::LocalAws;
pub use options::LocalOptions;
pub use receiver::Receiver;
pub use s3::StoreError;
