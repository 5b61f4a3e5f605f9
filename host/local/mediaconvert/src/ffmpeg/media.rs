//! What ffprobe reports about a media file.

/// The properties of a media file that transcoding needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Media {
    /// In microseconds; 0 if the file does not give it.
    pub(crate) duration: u64,
    pub(crate) video: Option<VideoStream>,
    pub(crate) audio_tracks: u32,
}

/// The first video stream that is not a cover picture.
#[derive(Clone, Debug, PartialEq)]
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
}
