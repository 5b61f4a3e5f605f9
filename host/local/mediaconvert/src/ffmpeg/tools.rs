//! The programs, and how they open a media file.

use std::path::PathBuf;

/// The paths of the programs. By default both are found in `PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    /// The program that decodes and encodes.
    pub ffmpeg: PathBuf,
    /// The program that reads headers. It comes with ffmpeg.
    pub ffprobe: PathBuf,
}

impl Default for Tools {
    fn default() -> Self {
        Self { ffmpeg: "ffmpeg".into(), ffprobe: "ffprobe".into() }
    }
}

/// The codecs of cameras, phones and editing programs in MP4 and QuickTime files.
macro_rules! video_codecs {
    () => {
        "h264,hevc,mpeg4,h263,mjpeg,prores,vp9,av1,libdav1d"
    };
}
macro_rules! audio_codecs {
    () => {
        "aac,alac,mp3,mp3float,mp2,mp2float,ac3,eac3,opus,flac,vorbis,amrnb,amrwb,amr_nb,amr_wb,\
         pcm_s8,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be,\
         pcm_u8,pcm_alaw,pcm_mulaw"
    };
}

/// The codecs of pictures that are decoded, and the names of their decoders. A film with any other codec is refused.
pub(crate) const VIDEO_CODECS: &str = video_codecs!();

/// The decoders of sound that are used. A track of any other codec counts as one that cannot be decoded.
pub(super) const AUDIO_CODECS: &str = audio_codecs!();

/// The options before the name of an untrusted input: only the QuickTime demuxer, whatever the file's extension is; no
/// files that the input refers to; no protocol except `file` and `pipe`; a short list of decoders.
pub(super) const INPUT_OPTIONS: [&str; 8] = [
    "-protocol_whitelist",
    "file,pipe",
    "-f",
    "mov",
    "-enable_drefs",
    "0",
    "-codec_whitelist",
    concat!(video_codecs!(), ",", audio_codecs!()),
];
