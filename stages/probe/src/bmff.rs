//! Boxes: the container that MP4, QuickTime and HEIF share (ISO/IEC 14496-12, section 4).

use crate::source::Window;
use crate::{Format, ProbeError, Source};

/// Honest files have a few hundred at any one level; a fragmented film has two for each fragment.
const MAX_SIBLINGS: usize = 64 * 1024;

/// A box: a type and a range of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Box {
    pub(crate) kind: [u8; 4],
    /// Where its header begins.
    pub(crate) start: u64,
    /// Where its content begins.
    pub(crate) body: u64,
    /// The first byte that no longer belongs to it.
    pub(crate) end: u64,
}

/// The boxes between two places of a file, one after the other.
pub(crate) struct Boxes {
    at: u64,
    end: u64,
    left: usize,
    within: &'static str,
}

impl Boxes {
    /// The children of `parent`, of which the children's list begins `skip` bytes into its content.
    pub(crate) fn within(parent: Box, skip: u64, within: &'static str) -> Self {
        Self { at: parent.body.saturating_add(skip), end: parent.end, left: MAX_SIBLINGS, within }
    }

    /// The outermost boxes of a file. They may claim to end behind it.
    fn of_file() -> Self {
        Self { at: 0, end: u64::MAX, left: MAX_SIBLINGS, within: "a box header" }
    }

    /// The next one, or `None` at the end. A child that hangs over its parent's end is corrupt.
    pub(crate) fn next<S: Source>(&mut self, window: &mut Window<'_, S>) -> Result<Option<Box>, ProbeError<S::Error>> {
        // QuickTime closes some lists with four zero bytes.
        if self.at >= window.len() && self.end == u64::MAX || self.end.saturating_sub(self.at) < 8 {
            return Ok(None);
        }
        self.left = match self.left.checked_sub(1) {
            Some(left) => left,
            None => return Err(ProbeError::corrupt("more boxes than any file has", self.at)),
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

/// The first of the file's outermost boxes which is of this kind, whole. `what` says what is missing if it is not there.
pub(crate) fn find<S: Source>(
    window: &mut Window<'_, S>,
    kind: &[u8; 4],
    what: &'static str,
) -> Result<Box, ProbeError<S::Error>> {
    let mut boxes = Boxes::of_file();
    while let Some(found) = boxes.next(window)? {
        // Either the wanted box is cut off, or it would have come behind the one that is.
        if found.end > window.len() {
            return Err(ProbeError::Truncated { what, offset: window.len() });
        }
        if &found.kind == kind {
            return Ok(found);
        }
    }
    Err(ProbeError::corrupt(what_is_missing(kind), window.len()))
}

fn what_is_missing(kind: &[u8; 4]) -> &'static str {
    match kind {
        b"moov" => "the file ends without a movie header (moov)",
        _ => "the file ends without a header of its pictures (meta)",
    }
}

/// Every outermost box that holds content fits into the file. What comes after them and is no box is somebody's trailer.
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

/// Tells the formats of this family apart by the brands in the `ftyp` box; QuickTime before 2005 has none.
pub(crate) fn sniff(first: &[u8]) -> Option<Format> {
    let kind = first.get(4..8)?;
    if kind != b"ftyp" {
        // Four letters prove little, so the length before them must be one that such a box can have.
        let plausible = first.first().is_some_and(|high| *high < 0x10);
        let old = matches!(kind, b"moov" | b"mdat" | b"wide" | b"free" | b"skip" | b"pnot");
        return (plausible && old).then_some(Format::QuickTime);
    }
    let size = u32::from_be_bytes(first.first_chunk().copied()?) as usize;
    let listed = first.get(8..size.min(first.len()))?;
    let mut brands: Vec<&[u8]> = listed.chunks_exact(4).collect();
    // The second word is the major brand's version.
    if brands.len() > 1 {
        brands.remove(1);
    }
    let major = *brands.first()?;
    let any = |wanted: &[&[u8]]| brands.iter().any(|brand| wanted.contains(brand));
    match major {
        b"avif" | b"avis" => Some(Format::Avif),
        b"mif1" | b"msf1" | b"miaf" if any(&[b"avif", b"avis"]) => Some(Format::Avif),
        b"mif1" | b"msf1" | b"miaf" => Some(Format::Heic),
        [b'h', b'e', b'i' | b'v', _] => Some(Format::Heic),
        b"qt  " => Some(Format::QuickTime),
        b"isom" | b"avc1" | b"MSNV" | b"NDSC" | b"dash" | b"f4v " | b"F4V " | b"XAVC" | b"M4V " | b"M4VH" | b"M4VP" => {
            Some(Format::Mp4)
        }
        [b'i', b's', b'o', b'2'..=b'9' | b'a'..=b'c'] => Some(Format::Mp4),
        [b'm', b'p', b'4', b'1' | b'2' | b'v'] => Some(Format::Mp4),
        [b'3', b'g', b'p' | b'2' | b'e' | b's' | b'r', _] => Some(Format::Mp4),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A box around its parts.
    pub(crate) fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        [&(8 + body.len() as u32).to_be_bytes(), kind.as_slice(), &body].concat()
    }

    #[test]
    fn boxes_come_in_three_ways_of_saying_their_length() {
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
    fn trailing_bytes_are_tolerated_but_cut_media_is_not() {
        let whole = [boxed(b"ftyp", &[b"isom"]), boxed(b"moov", &[]), boxed(b"mdat", &[b"media"])].concat();
        let verify = |bytes: &[u8]| verify_end(&mut Window::new(&mut &*bytes));
        assert_eq!(verify(&whole), Ok(()));
        assert_eq!(verify(&[whole.as_slice(), &[0; 100]].concat()), Ok(()));
        assert_eq!(verify(&[whole.as_slice(), b"a note of the camera's own"].concat()), Ok(()));
        let cut = &whole[..whole.len() - 1];
        assert_eq!(verify(cut), Err(ProbeError::Truncated { what: "its media data", offset: cut.len() as u64 }));
    }
}
