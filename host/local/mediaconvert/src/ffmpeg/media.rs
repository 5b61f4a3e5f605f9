//! What ffprobe reports about a media file.

use super::colour::ColourTags;

/// The properties of a media file that transcoding needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Media {
    /// In microseconds; 0 if the file does not give it.
    pub(crate) duration: u64,
    pub(crate) video: Option<VideoStream>,
    /// The sound tracks in the file's order: whether each can be decoded here.
    pub(crate) sound: Vec<bool>,
}

impl Media {
    /// Returns the index of the first sound track that can be decoded.
    pub(crate) fn first_sound(&self) -> Option<usize> {
        self.sound.iter().position(|decodable| *decodable)
    }
}

/// The first video stream that is not a cover picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct VideoStream {
    /// `None` if ffmpeg does not know the codec.
    pub(crate) codec: Option<String>,
    /// In pixels, as stored.
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// The width of a pixel divided by its height.
    pub(crate) pixel_aspect: f64,
    /// The clockwise rotation in the file's metadata, 0 to 359 degrees.
    pub(crate) rotation: u16,
    pub(crate) colour: ColourTags,
    /// The two fields of a frame were taken one after the other.
    pub(crate) interlaced: bool,
    /// Dolby Vision without a base layer that another decoder can show (profile 5).
    pub(crate) dolby_vision_only: bool,
}
