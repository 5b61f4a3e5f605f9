//! What the headers of a file say.

use crate::format::Format;
use crate::orientation;
use crate::pixels::Pixels;

/// What the headers of a file say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    /// The format, from the first bytes and never from the name.
    pub format: Format,
    /// The size as a person sees it. `None` for a document and for a video without a picture track.
    pub pixels: Option<Pixels>,
    /// How the stored picture must be turned to be upright, as an EXIF number from 1 to 8. A video's rotation is 1, 6, 3
    /// or 8. It is 1 if the file gives no orientation or an invalid one.
    pub orientation: u8,
    /// A video's length in milliseconds. `None` if its header leaves it open, as fragmented files may.
    pub duration_ms: Option<u64>,
    /// Whether a video has a sound track. `None` for everything else.
    pub has_audio: Option<bool>,
    /// Whether this is a progressive JPEG or an interlaced PNG or GIF. Decoding one takes memory for the whole picture.
    pub progressive: bool,
    /// Whether a picture's EXIF says that its colours are those of Adobe RGB, which counts where it has no profile.
    pub adobe_rgb: bool,
    /// The offset at which the header ends and the content begins, for [`verify_end`](crate::verify_end).
    pub(crate) body: u64,
}

impl Probe {
    /// Returns the probe of a still picture whose stored size is `width` by `height`.
    pub(crate) fn picture(
        format: Format,
        (width, height): (u32, u32),
        orientation: u8,
        progressive: bool,
        body: u64,
    ) -> Self {
        let pixels = orientation::upright(Pixels { width, height }, orientation);
        let (duration_ms, has_audio) = (None, None);
        Probe { format, pixels: Some(pixels), orientation, duration_ms, has_audio, progressive, adobe_rgb: false, body }
    }

    /// Returns the offset at which the header ends and the content begins; of a TIFF, that of the directory whose picture was
    /// probed.
    pub fn content(&self) -> u64 {
        self.body
    }
}
