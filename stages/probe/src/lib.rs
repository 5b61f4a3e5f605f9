//! What a file is, from its bytes: format, size as a person sees it, orientation, duration, sound.
//!
//! An upload's name, extension and declared type are claims. This crate reads the bytes instead, and only the few that
//! matter: headers are read through a small window over a random-access [`Source`], so the `moov` box at the end of a
//! 256 MiB video costs two reads. No length that a file claims is ever allocated. The crate is used on both sides of the
//! sandbox: by the validate and thumbnails stages, and by the command line, which derives keys from a folder of files.
//!
//! The parsers are the project's own. Existing ones decode more than is needed, want the whole file in memory, or cover
//! one format each and report errors without a position. Here every error names what is wrong and at which byte, and any
//! bytes give an answer or a typed error, in bounded time and without a panic.
//!
//! | Module | Contents |
//! |---|---|
//! | `format`, `sniff`, `describe` | the formats, how they are recognised, names for all other files |
//! | `source` | random access to a file, and the window |
//! | `jpeg`, `png`, `gif`, `webp`, `tiff`, `heif`, `movie`, `pdf` | one parser per format |
//! | `png_late_exif` | the EXIF of a PNG that has it after its data |
//! | `jpeg_data` | whether the data of a JPEG is complete where its end mark is missing |
//! | `bmff` | the box structure that HEIF, MP4 and QuickTime share |
//! | `sound` | the codecs of a film's sound tracks |
//! | `end` | searching the mark that closes a file |
//! | `probe`, `pixels`, `orientation`, `error` | what parsers return |
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
mod describe;
mod end;
mod error;
mod format;
mod gif;
mod heif;
mod jpeg;
mod jpeg_data;
mod movie;
mod orientation;
mod pdf;
mod pixels;
mod png;
mod png_late_exif;
mod probe;
mod sniff;
mod sound;
mod source;
mod tiff;
mod webp;

pub use describe::describe;
pub use error::ProbeError;
pub use format::{Format, Kind};
pub use pixels::Pixels;
pub use probe::Probe;
pub use sniff::{SNIFF_BYTES, sniff};
pub use source::{Reader, Source};

use source::Window;

/// Reads a file's headers and returns what they say. A file that is cut off after its headers is not an error here; see
/// [`verify_end`].
///
/// # Errors
/// [`ProbeError::NotRecognised`] if the file has no known [`Format`], [`ProbeError::Truncated`] if it ends within its
/// headers, [`ProbeError::Corrupt`] if they break their format's rules, [`ProbeError::Read`] if the source fails.
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

/// Returns the codecs of a film's sound tracks, as its sample descriptions name them (`mp4a`, `ac-3`, …), in the order of the
/// file. Bytes that begin with the film's `moov` box are enough.
///
/// # Errors
/// As [`probe`], but without [`ProbeError::NotRecognised`].
pub fn sound_codecs<S: Source>(source: &mut S) -> Result<Vec<[u8; 4]>, ProbeError<S::Error>> {
    sound::codecs(&mut Window::new(source))
}

/// Checks that a probed file is complete: the mark that closes its format is there, or its picture's data, or its outermost
/// boxes fit into it. Bytes after the end are accepted, because cameras append previews, videos and notes of their own.
///
/// This nearly always costs one read of the tail. Only a file without its end mark is read through, in small pieces,
/// before it is reported as truncated. TIFF has no such mark, so a TIFF always passes.
///
/// # Errors
/// [`ProbeError::Truncated`] if the file is cut off, [`ProbeError::Corrupt`] if its outer structure is broken,
/// [`ProbeError::Read`] if the source fails.
pub fn verify_end<S: Source>(source: &mut S, probe: &Probe) -> Result<(), ProbeError<S::Error>> {
    match probe.format {
        Format::Jpeg => jpeg::verify_end(source, probe.body),
        Format::Png => png::verify_end(source, probe.body),
        Format::Pdf => end::marked_in_tail(source, pdf::END, pdf::TAIL_BYTES, "the document"),
        Format::Gif => gif::verify_end(&mut Window::to_read_through(source), probe.body),
        Format::WebP => webp::verify_end(&mut Window::new(source)),
        Format::Heic | Format::Avif | Format::Mp4 | Format::QuickTime => bmff::verify_end(&mut Window::new(source)),
        Format::Tiff => Ok(()),
    }
}
