//! Boxes: the container that MP4, QuickTime and HEIF share (ISO/IEC 14496-12, section 4).

use crate::error::ProbeError;
use crate::source::{Source, Window};

/// The most boxes at one level. Well-formed files have a few hundred; a fragmented video has two per fragment.
const MAX_SIBLINGS: usize = 64 * 1024;

/// A box: a type and a range of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Box {
    pub(crate) kind: [u8; 4],
    /// The offset of its header.
    pub(crate) start: u64,
    /// The offset of its content.
    pub(crate) body: u64,
    /// The offset after its last byte.
    pub(crate) end: u64,
}

/// The boxes between two offsets of a file, in order.
pub(crate) struct Boxes {
    at: u64,
    end: u64,
    left: usize,
    within: &'static str,
}

impl Boxes {
    /// Returns the children of `parent`, which begin `skip` bytes into its content.
    pub(crate) fn within(parent: Box, skip: u64, within: &'static str) -> Self {
        Self { at: parent.body.saturating_add(skip), end: parent.end, left: MAX_SIBLINGS, within }
    }

    /// Returns the outermost boxes of a file. A box may claim to end after the file does.
    fn of_file() -> Self {
        Self { at: 0, end: u64::MAX, left: MAX_SIBLINGS, within: "a box header" }
    }

    /// Returns the next box, or `None` at the end.
    ///
    /// # Errors
    /// [`ProbeError::Corrupt`] if a child ends after its parent.
    pub(crate) fn next<S: Source>(&mut self, window: &mut Window<'_, S>) -> Result<Option<Box>, ProbeError<S::Error>> {
        // QuickTime ends some lists with four zero bytes.
        if self.at >= window.len() && self.end == u64::MAX || self.end.saturating_sub(self.at) < 8 {
            return Ok(None);
        }
        self.left = match self.left.checked_sub(1) {
            Some(left) => left,
            None => return Err(ProbeError::corrupt("more boxes than a file can have", self.at)),
        };
        let start = self.at;
        let size = u64::from(window.u32(start, self.within)?);
        let kind = window.array(start + 4, self.within)?;
        let (header, size) = match size {
            0 => (8, self.end.min(window.len()).saturating_sub(start)),
            1 => (16, window.u64(start + 8, self.within)?),
            size => (8, size),
        };
        let end = start.checked_add(size).filter(|end| size >= header && *end <= self.end);
        let Some(end) = end else {
            return Err(ProbeError::corrupt("a box of an impossible length", start));
        };
        self.at = end;
        Ok(Some(Box { kind, start, body: start + header, end }))
    }
}

/// Returns the file's first outermost box of this kind.
///
/// # Errors
/// [`ProbeError::Truncated`] within `what` if the file is cut off before the end of that box, [`ProbeError::Corrupt`] if it
/// has no such box.
pub(crate) fn find<S: Source>(
    window: &mut Window<'_, S>,
    kind: &[u8; 4],
    what: &'static str,
) -> Result<Box, ProbeError<S::Error>> {
    let mut boxes = Boxes::of_file();
    while let Some(found) = boxes.next(window)? {
        // Either the wanted box is cut off, or it would have followed the box that is.
        if found.end > window.len() {
            return Err(ProbeError::Truncated { what, offset: window.len() });
        }
        if &found.kind == kind {
            return Ok(found);
        }
    }
    Err(ProbeError::corrupt(missing(kind), window.len()))
}

fn missing(kind: &[u8; 4]) -> &'static str {
    match kind {
        b"moov" => "the file has no movie header (moov)",
        _ => "the file has no picture header (meta)",
    }
}

/// Checks that every outermost box with content fits into the file. Bytes after these that form no box are accepted as a
/// trailer.
pub(crate) fn verify_end<S: Source>(window: &mut Window<'_, S>) -> Result<(), ProbeError<S::Error>> {
    let mut boxes = Boxes::of_file();
    let mut content = false;
    loop {
        match boxes.next(window) {
            Ok(None) => return Ok(()),
            Ok(Some(found)) => {
                let known = matches!(&found.kind, b"mdat" | b"moov" | b"moof" | b"meta" | b"idat" | b"mfra" | b"sidx");
                if found.end > window.len() && (known || !content) {
                    return Err(ProbeError::Truncated { what: "its media data", offset: window.len() });
                }
                content |= matches!(&found.kind, b"mdat" | b"moof");
            }
            Err(ProbeError::Read(error)) => return Err(ProbeError::Read(error)),
            Err(_) if content => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Returns a box with these parts as its content.
    pub(crate) fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        [&(8 + body.len() as u32).to_be_bytes(), kind.as_slice(), &body].concat()
    }

    #[test]
    fn a_box_gives_its_length_in_one_of_three_ways() {
        let mut file = boxed(b"free", &[b"abc"]);
        file.extend(b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x14more");
        file.extend(b"\0\0\0\0moovrest");
        let mut source = file.as_slice();
        let mut window = Window::new(&mut source);
        let mut boxes = Boxes::of_file();
        let mut seen = Vec::new();
        while let Some(found) = boxes.next(&mut window).unwrap() {
            seen.push((found.kind, found.end - found.body));
        }
        assert_eq!(seen, [(*b"free", 3), (*b"mdat", 4), (*b"moov", 4)]);
    }

    #[test]
    fn a_box_shorter_than_its_header_or_longer_than_its_parent_is_refused() {
        for bytes in
            [b"\0\0\0\x07abcd".as_slice(), b"\0\0\0\x09abcd", b"\0\0\0\x01abcd\xff\xff\xff\xff\xff\xff\xff\xff"]
        {
            let mut source = bytes;
            let parent = Box { kind: *b"moov", start: 0, body: 0, end: bytes.len() as u64 };
            let refused = Boxes::within(parent, 0, "x").next(&mut Window::new(&mut source)).unwrap_err();
            assert_eq!(refused, ProbeError::corrupt("a box of an impossible length", 0));
        }
    }

    #[test]
    fn trailing_bytes_are_accepted_and_cut_media_is_not() {
        let whole = [boxed(b"ftyp", &[b"isom"]), boxed(b"moov", &[]), boxed(b"mdat", &[b"media"])].concat();
        let verify = |bytes: &[u8]| verify_end(&mut Window::new(&mut &*bytes));
        assert_eq!(verify(&whole), Ok(()));
        assert_eq!(verify(&[whole.as_slice(), &[0; 100]].concat()), Ok(()));
        assert_eq!(verify(&[whole.as_slice(), b"a note of the camera's own"].concat()), Ok(()));
        let cut = &whole[..whole.len() - 1];
        assert_eq!(verify(cut), Err(ProbeError::Truncated { what: "its media data", offset: cut.len() as u64 }));
    }
}
