//! The EXIF that a PNG has after its data: `eXIf` may be anywhere but between two chunks of data (Extensions to the PNG 1.2
//! Specification, version 1.5.0, section 3.7). ImageMagick writes it there.

use crate::error::ProbeError;
use crate::source::{Source, Window};
use crate::tiff;

/// The numbers of bytes before the end of a file in which its last data is looked for. As a rule the data is in pieces of 8 to
/// 64 KiB, or in a single one. The host has kept the first number of bytes since it hashed the upload.
const TAILS: [usize; 2] = [64 * 1024, 256 * 1024];

/// The most places in a tail that are tried. Compressed data contains the name of its chunk by chance only.
const MAX_TRIED: usize = 8;

const WITHIN: &str = "the chunks after the picture's data";

/// Returns what the EXIF after the data says, whose first piece ends before the offset `next`.
///
/// Where data is in small pieces, nearly the whole file lies between its beginning and the EXIF. So the last piece is looked
/// for in the tail. Only if it is not there, because much follows it or the file goes on after its end mark, all chunks are
/// walked through.
///
/// # Errors
/// [`ProbeError::Truncated`] if the file ends within the EXIF, which may turn the picture; [`ProbeError::Read`] if the source
/// fails.
pub(crate) fn read<S: Source>(window: &mut Window<'_, S>, next: u64) -> Result<tiff::Exif, ProbeError<S::Error>> {
    for bytes in TAILS {
        if window.len().saturating_sub(next) > bytes as u64
            && let Some(found) = in_tail(&window.tail(bytes)?)
        {
            return Ok(found);
        }
    }
    window.allow_reading_through();
    walk(window, next)
}

/// Returns what the EXIF in the tail of a file says. `None` if the tail does not show where the data ends.
fn in_tail(mut tail: &[u8]) -> Option<tiff::Exif> {
    let names = tail.windows(4).enumerate().skip(4).rev().filter(|(_, name)| *name == b"IDAT");
    let last = names.take(MAX_TRIED).map(|(at, _)| at - 4).find(|at| leads_to_end(tail, *at))?;
    walk(&mut Window::new(&mut tail), last as u64).ok()
}

/// Returns whether the chunks from `at` lead to an end mark that is the last of the file. Within a chunk that contains another
/// PNG, they do not.
fn leads_to_end(tail: &[u8], mut at: usize) -> bool {
    while let Some(&[l3, l2, l1, l0, ref name @ ..]) = tail.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let length = u32::from_be_bytes([l3, l2, l1, l0]) as usize;
        let Some(next) = length.checked_add(12).and_then(|bytes| at.checked_add(bytes)) else { return false };
        if name == b"IEND" {
            return next == tail.len();
        }
        if !name.iter().all(u8::is_ascii_alphabetic) {
            return false;
        }
        at = next;
    }
    false
}

/// Goes from chunk to chunk until the EXIF or the end. What is not a chunk is not the picture's, and ends the way.
fn walk<S: Source>(window: &mut Window<'_, S>, mut at: u64) -> Result<tiff::Exif, ProbeError<S::Error>> {
    while at + 8 <= window.len() {
        let length = u64::from(window.u32(at, WITHIN)?);
        let name: [u8; 4] = window.array(at + 4, WITHIN)?;
        let (body, end) = (at + 8, at + 8 + length);
        match &name {
            b"IEND" => break,
            b"eXIf" if end > window.len() => {
                return Err(ProbeError::Truncated { what: "the EXIF data", offset: window.len() });
            }
            b"eXIf" => return tiff::exif_within(window, body, end),
            _ if !name.iter().all(u8::is_ascii_alphabetic) || length > i32::MAX as u64 => break,
            _ => at = end + 4,
        }
    }
    Ok(tiff::Exif::default())
}
