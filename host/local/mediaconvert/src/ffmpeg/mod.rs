//! ffmpeg and ffprobe as confined processes.

mod colour;
mod command;
mod group;
mod media;
mod probe;
mod process;
mod progress;
mod size;
mod tools;

pub(crate) use command::{sound_track, transcode};
pub(crate) use media::Media;
pub(crate) use probe::probe;
pub(crate) use process::{Limits, ToolError, run};
pub(crate) use progress::Progress;
pub(crate) use size::output_size;
pub use tools::Tools;
pub(crate) use tools::VIDEO_CODECS;
