//! How a format is recognised by a file's first bytes.

use crate::format::Format;

/// The number of bytes that [`sniff`] needs. A shorter file is passed whole.
pub const SNIFF_BYTES: usize = 512;

/// Returns a file's format by its first bytes, or `None` for a format that is not in [`Format`].
///
/// A match proves nothing about the bytes that follow. A PNG whose signature was damaged by a transfer that changed line
/// endings is still recognised, so that its error can say so.
pub fn sniff(first: &[u8]) -> Option<Format> {
    match first {
        // JPEG-LS and Apple's own kind of PNG are other formats behind the same first bytes.
        [0xff, 0xd8, 0xff, 0xf7, ..] => None,
        [0x89, b'P', b'N', b'G', ..] if first.get(12..16).is_some_and(|kind| kind == b"CgBI") => None,
        [0xff, 0xd8, 0xff, ..] => Some(Format::Jpeg),
        [0x89, b'P', b'N', b'G', ..] => Some(Format::Png),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Format::Gif),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Format::WebP),
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Format::Tiff),
        _ if is_pdf(first) => Some(Format::Pdf),
        _ => by_brand(first),
    }
}

/// Returns whether the file begins with a PDF header. Readers search the first kilobyte for it. Here only white space and a
/// byte-order mark may come first: otherwise a web page that contains a PDF would pass as a document.
fn is_pdf(first: &[u8]) -> bool {
    let text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
    text.trim_ascii_start().starts_with(b"%PDF-")
}

/// Returns the format of a file of boxes, by the brands in its `ftyp` box. QuickTime files from before 2005 have no such
/// box.
fn by_brand(first: &[u8]) -> Option<Format> {
    let kind = first.get(4..8)?;
    if kind != b"ftyp" {
        // Four letters prove little, so the length before them must be plausible for such a box, too.
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
mod tests {
    use super::*;

    #[test]
    fn brands_tell_heic_avif_mp4_and_quicktime_apart() {
        let ftyp = |brands: &[&[u8; 4]]| {
            let mut file = (8 + 4 + 4 * brands.len() as u32).to_be_bytes().to_vec();
            file.extend(b"ftyp");
            for (index, brand) in brands.iter().enumerate() {
                file.extend(*brand);
                if index == 0 {
                    file.extend([0; 4]);
                }
            }
            sniff(&file)
        };
        assert_eq!(ftyp(&[b"isom", b"avc1"]), Some(Format::Mp4));
        assert_eq!(ftyp(&[b"mp42"]), Some(Format::Mp4));
        assert_eq!(ftyp(&[b"3gp5"]), Some(Format::Mp4));
        assert_eq!(ftyp(&[b"qt  "]), Some(Format::QuickTime));
        assert_eq!(ftyp(&[b"heic", b"mif1"]), Some(Format::Heic));
        assert_eq!(ftyp(&[b"mif1", b"heic"]), Some(Format::Heic));
        assert_eq!(ftyp(&[b"mif1", b"avif"]), Some(Format::Avif));
        assert_eq!(ftyp(&[b"avif", b"mif1", b"miaf"]), Some(Format::Avif));
        assert_eq!(ftyp(&[b"crx "]), None, "a Canon raw picture is not a video");
        assert_eq!(ftyp(&[b"M4A "]), None, "nor is an audio file");
    }

    #[test]
    fn formats_that_only_begin_like_a_jpeg_or_a_png_are_neither() {
        assert_eq!(sniff(b"\xff\xd8\xff\xe0\0\x10JFIF"), Some(Format::Jpeg));
        assert_eq!(sniff(b"\xff\xd8\xff\xf7\0\x11\x08"), None, "JPEG-LS");
        assert_eq!(sniff(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"), Some(Format::Png));
        assert_eq!(sniff(b"\x89PNG\r\n\x1a\n\0\0\0\x04CgBI"), None, "an app's PNG");
    }

    #[test]
    fn old_quicktime_has_no_brands() {
        assert_eq!(sniff(b"\0\0\0\x08wide\0\x12\0\0mdat"), Some(Format::QuickTime));
        assert_eq!(sniff(b"\0\0\x10\0moov\0\0\0\x6cmvhd"), Some(Format::QuickTime));
        assert_eq!(sniff(b"get free beer"), None);
    }

    #[test]
    fn a_page_that_contains_a_pdf_is_not_a_pdf() {
        assert_eq!(sniff(b"\xef\xbb\xbf\r\n%PDF-1.7"), Some(Format::Pdf));
        assert_eq!(sniff(b"<html><script>%PDF-1.7"), None);
    }
}
