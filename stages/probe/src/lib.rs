//! What a file is, told from its bytes: format, size as a person sees it, orientation, duration, sound.
//!
//! An upload's name, its declared type and its extension are claims. This crate looks at the bytes instead, and only at
//! the few that matter: headers are read through a small window over a random-access [`Source`], so the `moov` at the end of
//! a 256 MiB video costs two reads, and no size that a file claims for itself is ever allocated. It is used on both
//! sides of the sandbox's wall: by the validate stage, which must not believe anything, and by the command line, which
//! derives keys from a folder of files.
//!
//! The parsers are the project's own. Existing ones decode more than is needed, want the whole file in memory, or
//! cover one format each with errors that have no place; here, every refusal says what is wrong at which byte, and
//! every function is total: any bytes give an answer or a typed error, never a panic, in bounded time.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut gif: &[u8] = b"GIF89a\x40\x00\x30\x00\x00\x00\x00\x2c\0\0\0\0\x40\x00\x30\x00\x00\x02\x00\x3b";
//! let probe = stage_probe::probe(&mut gif)?;
//! assert_eq!(probe.format.mime(), "image/gif");
//! assert_eq!(probe.pixels.map(|size| (size.width, size.height)), Some((64, 48)));
//! stage_probe::verify_end(&mut gif, &probe)?;
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod bmff;
mod end;
mod error;
mod foreign;
mod format;
mod gif;
mod heif;
mod jpeg;
mod movie;
mod orientation;
mod pdf;
mod png;
mod source;
mod tiff;
mod webp;

pub use error::ProbeError;
pub use foreign::describe;
pub use format::{Format, Kind, SNIFF_BYTES, sniff};
pub use source::{Reader, Source};
pub use tiff::exif_orientation;

use source::Window;

/// A picture's size, orientation already applied. Both sides are at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pixels {
    /// Across.
    pub width: u32,
    /// Down.
    pub height: u32,
}

impl Pixels {
    /// How many there are: what decoding costs.
    pub fn count(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Taller than wide.
    pub fn is_portrait(self) -> bool {
        self.height > self.width
    }
}

/// What the headers of a file say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    /// By magic bytes, never by name.
    pub format: Format,
    /// As a person sees it. `None` for a document, and for a film without a picture.
    pub pixels: Option<Pixels>,
    /// How the stored picture must be turned to be upright, as EXIF numbers it: 1 to 8. A film's rotation is 1, 6, 3 or
    /// 8. It is 1 where the file says nothing, or nothing that can be understood.
    pub orientation: u8,
    /// A film's length in milliseconds; `None` if its header leaves it open, as fragmented files may.
    pub duration_ms: Option<u64>,
    /// Whether a film has a sound track; `None` for everything else.
    pub has_audio: Option<bool>,
    /// A progressive JPEG or an interlaced PNG or GIF: decoding one takes the whole picture in memory.
    pub progressive: bool,
    /// Where the header ends and the content begins, for [`verify_end`].
    body: u64,
}

impl Probe {
    /// A still picture whose stored size is `width` by `height`.
    fn picture(format: Format, (width, height): (u32, u32), orientation: u8, progressive: bool, body: u64) -> Self {
        let pixels = orientation::upright(Pixels { width, height }, orientation);
        Probe { format, pixels: Some(pixels), orientation, duration_ms: None, has_audio: None, progressive, body }
    }
}

/// Reads a file's headers. A file that is cut off behind them still gives its answer: whether it is whole is
/// [`verify_end`]'s question.
///
/// # Errors
/// [`ProbeError::NotRecognised`] if it is no [`Format`], [`ProbeError::Truncated`] if it ends within its headers,
/// [`ProbeError::Corrupt`] if they break their format's rules, [`ProbeError::Read`] if the source fails.
pub fn probe<S: Source>(source: &mut S) -> Result<Probe, ProbeError<S::Error>> {
    let mut window = Window::new(source);
    let first = window.up_to(0, SNIFF_BYTES)?;
    let Some(format) = sniff(first) else {
        return Err(ProbeError::NotRecognised { looks_like: describe(first) });
    };
    match format {
        Format::Jpeg => jpeg::probe(&mut window),
        Format::Png => png::probe(&mut window),
        Format::Gif => gif::probe(&mut window),
        Format::WebP => webp::probe(&mut window),
        Format::Tiff => tiff::probe(&mut window),
        Format::Heic | Format::Avif => heif::probe(&mut window, format),
        Format::Mp4 | Format::QuickTime => movie::probe(&mut window, format),
        Format::Pdf => pdf::probe(&mut window),
    }
}

/// Whether a file that was probed goes on to its end: the mark that closes its format is there, or its outermost boxes
/// fit into it. Bytes behind the end are no fault: cameras append previews, films and notes of their own.
///
/// Nearly always one read of the tail. Only a file whose end mark is not there is read through, in small pieces, before
/// it is called truncated. TIFF has no such mark; its answer is always yes.
///
/// # Errors
/// [`ProbeError::Truncated`] if the file is cut off, [`ProbeError::Corrupt`] if its outer structure is broken,
/// [`ProbeError::Read`] if the source fails.
pub fn verify_end<S: Source>(source: &mut S, probe: &Probe) -> Result<(), ProbeError<S::Error>> {
    match probe.format {
        Format::Jpeg => end::marked(source, probe.body, jpeg::END, "the picture's data"),
        Format::Png => end::marked(source, probe.body, png::END, "the picture's data"),
        Format::Pdf => end::marked_in_tail(source, pdf::END, pdf::TAIL_BYTES, "the document"),
        Format::Gif => gif::verify_end(&mut Window::to_read_through(source), probe.body),
        Format::WebP => webp::verify_end(&mut Window::new(source)),
        Format::Heic | Format::Avif | Format::Mp4 | Format::QuickTime => bmff::verify_end(&mut Window::new(source)),
        Format::Tiff => Ok(()),
    }
}
