//! Searching the mark that closes a file.

use crate::error::ProbeError;
use crate::source::Source;

/// The number of bytes before the end of a file that are searched first.
const TAIL_BYTES: u64 = 64 * 1024;

/// The size of a piece when a file has to be read through.
const PIECE_BYTES: usize = 256 * 1024;

/// Checks that `mark` occurs after the offset `body`: first near the end, then before the bytes that a camera appended.
///
/// In a JPEG's data the mark cannot occur by chance, and a PNG's has eight fixed bytes, so a match is the real end.
///
/// # Errors
/// [`ProbeError::Truncated`] within `what` if there is no mark.
pub(crate) fn marked<S: Source>(
    source: &mut S,
    body: u64,
    mark: &[u8],
    what: &'static str,
) -> Result<(), ProbeError<S::Error>> {
    let tail = source.len().saturating_sub(TAIL_BYTES).max(body);
    if found(source, tail, source.len(), mark)? || found(source, body, tail + mark.len() as u64, mark)? {
        return Ok(());
    }
    Err(ProbeError::Truncated { what, offset: source.len() })
}

/// Checks that `mark` occurs in the last `tail` bytes.
///
/// # Errors
/// [`ProbeError::Truncated`] within `what` if it does not.
pub(crate) fn marked_in_tail<S: Source>(
    source: &mut S,
    mark: &[u8],
    tail: u64,
    what: &'static str,
) -> Result<(), ProbeError<S::Error>> {
    let len = source.len();
    if found(source, len.saturating_sub(tail), len, mark)? {
        return Ok(());
    }
    Err(ProbeError::Truncated { what, offset: len })
}

/// Returns whether `mark` occurs between `from` and `to`. Pieces overlap, so that no mark is missed between two.
fn found<S: Source>(source: &mut S, from: u64, to: u64, mark: &[u8]) -> Result<bool, ProbeError<S::Error>> {
    let overlap = mark.len().saturating_sub(1);
    let to = to.min(source.len());
    let mut at = from;
    while at < to {
        let want = usize::try_from(to - at).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let piece = source.read(at, want).map_err(ProbeError::Read)?;
        if piece.windows(mark.len()).any(|bytes| bytes == mark) {
            return Ok(true);
        }
        if piece.len() < PIECE_BYTES {
            return Ok(false);
        }
        at += (piece.len() - overlap) as u64;
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_mark_is_found_at_any_offset() {
        for place in [0, 1, PIECE_BYTES - 1, PIECE_BYTES, 2 * PIECE_BYTES - 2, 900_000 - 2] {
            let mut file = vec![0; 900_000];
            file[place] = 0xff;
            file[place + 1] = 0xd9;
            assert_eq!(marked(&mut file.as_slice(), 0, b"\xff\xd9", "x"), Ok(()), "at {place}");
        }
        let refused = marked(&mut [0; 900_000].as_slice(), 0, b"\xff\xd9", "x").unwrap_err();
        assert_eq!(refused, ProbeError::Truncated { what: "x", offset: 900_000 });
    }

    #[test]
    fn a_mark_in_the_header_does_not_count() {
        let thumbnail_then_nothing = b"\xff\xd9 data";
        assert!(marked(&mut thumbnail_then_nothing.as_slice(), 2, b"\xff\xd9", "x").is_err());
    }

    #[test]
    fn a_mark_across_the_beginning_of_the_tail_is_found() {
        let mut file = vec![0; TAIL_BYTES as usize + 10];
        file[9] = 0xff;
        file[10] = 0xd9;
        assert_eq!(marked(&mut file.as_slice(), 0, b"\xff\xd9", "x"), Ok(()));
    }
}
