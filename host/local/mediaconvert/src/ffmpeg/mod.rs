//! ffmpeg and ffprobe as confined processes.

mod command;
mod probe;
mod process;
mod progress;
mod size;

use std::path::PathBuf;

pub(crate) use command::transcode;
pub(crate) use probe::{Media, probe};
pub(crate) use process::{Limits, ToolError, run};
pub(crate) use progress::Progress;

/// Where the programs are. The default looks for both in `PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    /// Decodes and encodes.
    pub ffmpeg: PathBuf,
    /// Reads headers; comes with ffmpeg.
    pub ffprobe: PathBuf,
}

impl Default for Tools {
    fn default() -> Self {
        Self { ffmpeg: "ffmpeg".into(), ffprobe: "ffprobe".into() }
    }
}

/// What a media file from outside may be opened with: the QuickTime family's demuxer, whatever the file's name, and
/// nothing that the file refers to. `file` and `pipe` are the only protocols.
pub(crate) const INPUT: [&str; 8] = [
    "-protocol_whitelist",
    "file,pipe",
    "-f",
    "mov",
    "-enable_drefs",
    "0",
    "-codec_whitelist",
    // What cameras, phones and editing programs put into MP4 and QuickTime files.
    "h264,hevc,mpeg4,h263,mjpeg,prores,vp9,av1,libdav1d,\
     aac,alac,mp3,mp3float,ac3,eac3,opus,amrnb,amrwb,\
     pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,pcm_u8,pcm_alaw,pcm_mulaw",
];
