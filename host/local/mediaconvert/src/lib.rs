//! The MediaConvert API (2017-08-29) by ffmpeg, for one machine.
//!
//! Why it exists: the host submits videos through the AWS SDK and learns of their end through an EventBridge event. No
//! emulator offers MediaConvert, so this crate answers the operations that the host uses, and does the work with the
//! ffmpeg of the machine. A job that succeeds here is one that the service accepts, for the settings that are known
//! here; a setting that is not known is refused by its path, never ignored.
//!
//! # What it is not
//! ffmpeg decodes the bytes of whoever uploaded them, outside the sandbox that all other media is decoded in. On the
//! service that is AWS's business; on a laptop it is this crate's, which confines the process as far as it can without
//! privileges: only the QuickTime demuxer and a short list of decoders, no network protocol, no standard input, an empty
//! environment, its own scratch folder, limits on memory, processor time and file size (Linux), and a deadline.
//!
//! # Where it differs from the service on purpose
//! - An output whose audio source has no sound track is made without sound.
//! - Pixels come out square, and what the aspect ratio of `DEFAULT` scaling would leave as a bar of up to two pixels is
//!   filled instead.
//! - `qualityTuningLevel` chooses an x264 preset; there is one pass.

mod error;
mod events;
mod ffmpeg;
mod http;
mod job;
mod node;
mod runner;
mod service;
mod settings;
mod storage;
mod wire;

pub use error::ApiError;
pub use events::{EventSink, JobEvent, NoEvents};
pub use ffmpeg::Tools;
pub use http::router;
pub use job::JobStatus;
pub use service::{MediaConvert, Options};
pub use storage::{Storage, StorageError};
pub use wire::{lower_camel, upper_camel};
