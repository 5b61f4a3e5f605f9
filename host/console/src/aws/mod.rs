//! The sources over the AWS SDK.

mod bucket;
mod events;
mod kept_events;
mod letters;
mod log_lines;
mod states;
mod times;

pub use bucket::S3MediaFiles;
pub use letters::SqsDeadLetters;
pub use log_lines::LoggedCalls;
pub use states::StateMachineSource;
