//! The AWS APIs that the host uses, on one port of one machine.
//!
//! Why: the host's AWS code has one path, the AWS SDK. For a run on a laptop it is pointed at these services instead of
//! AWS, so that `run` exercises what production runs. [`LocalAws::start`] starts S3 over a plain folder, Step Functions
//! over an interpreter of the Amazon States Language, Lambda's Invoke of the host itself, MediaConvert by ffmpeg, and the
//! reference receiver of the backend's contract, which a request reaches by the service that its signature names.
//!
//! The services themselves are crates of their own (`s3`, `states` over `asl`, `mediaconvert`); what is here connects
//! them: Task states call the [`Function`], MediaConvert reads and writes S3, its events go to the function.
//!
//! Nothing checks credentials. The port is on loopback unless other machines are allowed on purpose, and web pages in
//! this machine's browser are turned away.

mod aws;
mod function;
mod guard;
mod lambda;
mod options;
mod pick;
pub mod receiver;
mod resources;
mod server;
mod store;
mod transcoding;

pub use aws::{CREDENTIALS, LocalAws, StartError};
pub use function::{Function, FunctionError};
pub use options::LocalOptions;
pub use receiver::Receiver;
pub use store::StoreError;
