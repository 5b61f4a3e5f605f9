//! The MediaConvert API (2017-08-29) by ffmpeg, for one machine.
//!
//! The host submits videos through the AWS SDK and learns of their end through an EventBridge event. No emulator offers
//! MediaConvert, so this crate answers the operations that the host uses and transcodes with the ffmpeg of the machine.
//! Settings that this crate supports are accepted by the service as well; an unsupported setting is refused by its path
//! and never ignored.
//!
//! # Security
//! ffmpeg decodes uploaded files outside of the sandbox in which all other media is decoded. This crate confines the
//! process as far as possible without privileges: only the QuickTime demuxer and a short list of decoders, no network
//! protocol, no standard input, an empty environment, its own scratch folder, limits on memory, processor time and file
//! size (Linux), and a deadline that follows from the film's length. If ffmpeg reports no progress for 90 seconds, it is ended
//! with everything that it has started.
//!
//! # Intended differences from the service
//! - A film whose pictures have a codec outside that list, such as DV, ends in error 1030. Other tracks of such codecs, such as
//!   subtitles and cover pictures, do not matter.
//! - An output whose audio source has no sound track has no sound.
//! - Pixels are square. Where `DEFAULT` scaling would leave a bar of at most two pixels, the picture is stretched to fill it.
//! - `qualityTuningLevel` selects an x264 preset; there is one pass.

mod document;
mod error;
mod events;
mod ffmpeg;
mod http;
mod jobs;
mod options;
mod service;
mod settings;
mod storage;

pub use document::spelling::{lower_camel, upper_camel};
pub use error::MediaConvertError;
pub use events::{EventSink, JobEvent, NoEvents};
pub use ffmpeg::Tools;
pub use http::router;
pub use jobs::job::JobStatus;
pub use options::Options;
pub use service::MediaConvert;
pub use storage::{Storage, StorageError};
