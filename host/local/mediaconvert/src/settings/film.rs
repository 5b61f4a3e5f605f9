//! What a film is encoded to, in one file or in segments.

use super::audio::Audio;
use super::video::Video;

/// A film.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Film {
    /// The index is at the beginning of the file, so that playback can start before the whole file is loaded.
    pub(crate) progressive_download: bool,
    pub(crate) video: Video,
    pub(crate) audio: Option<Audio>,
}
