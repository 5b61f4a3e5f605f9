//! The formats that the pipeline knows, and how to tell them by their first bytes.

use std::fmt;

use crate::bmff;

/// What a file is. Which of these a pipeline accepts is its configuration's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Format {
    Jpeg,
    Png,
    Gif,
    WebP,
    Tiff,
    /// HEIF with any codec but AV1, in practice HEVC: what iPhones write.
    Heic,
    /// HEIF with AV1.
    Avif,
    /// MP4 and its kin (M4V, 3GP), by the brands of its `ftyp` box.
    Mp4,
    QuickTime,
    Pdf,
}

/// What a file is for, roughly: the first part of its media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Kind {
    Picture,
    Video,
    Document,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Picture => "picture",
            Kind::Video => "video",
            Kind::Document => "document",
        })
    }
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 10] = [
        Format::Jpeg,
        Format::Png,
        Format::Gif,
        Format::WebP,
        Format::Tiff,
        Format::Heic,
        Format::Avif,
        Format::Mp4,
        Format::QuickTime,
        Format::Pdf,
    ];

    /// What it is for.
    pub fn kind(self) -> Kind {
        match self {
            Format::Mp4 | Format::QuickTime => Kind::Video,
            Format::Pdf => Kind::Document,
            _ => Kind::Picture,
        }
    }

    /// Its MIME type as registered with IANA.
    pub fn mime(self) -> &'static str {
        match self {
            Format::Jpeg => "image/jpeg",
            Format::Png => "image/png",
            Format::Gif => "image/gif",
            Format::WebP => "image/webp",
            Format::Tiff => "image/tiff",
            Format::Heic => "image/heic",
            Format::Avif => "image/avif",
            Format::Mp4 => "video/mp4",
            Format::QuickTime => "video/quicktime",
            Format::Pdf => "application/pdf",
        }
    }

    /// The format that a MIME type means, in any case and with any parameters; also under the unregistered names which
    /// browsers and phones have used for it. `None` for every other type.
    pub fn from_mime(mime: &str) -> Option<Format> {
        let essence = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Some(match essence.as_str() {
            "image/jpeg" | "image/jpg" | "image/pjpeg" => Format::Jpeg,
            "image/png" | "image/x-png" | "image/apng" => Format::Png,
            "image/gif" => Format::Gif,
            "image/webp" => Format::WebP,
            "image/tiff" | "image/tif" | "image/x-tiff" => Format::Tiff,
            "image/heic" | "image/heif" | "image/heic-sequence" | "image/heif-sequence" => Format::Heic,
            "image/avif" => Format::Avif,
            "video/mp4" | "video/x-m4v" | "video/m4v" | "video/3gpp" | "application/mp4" => Format::Mp4,
            "video/quicktime" | "video/mov" | "video/x-quicktime" => Format::QuickTime,
            "application/pdf" | "application/x-pdf" => Format::Pdf,
            _ => return None,
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Jpeg => "JPEG",
            Format::Png => "PNG",
            Format::Gif => "GIF",
            Format::WebP => "WebP",
            Format::Tiff => "TIFF",
            Format::Heic => "HEIC",
            Format::Avif => "AVIF",
            Format::Mp4 => "MP4",
            Format::QuickTime => "QuickTime",
            Format::Pdf => "PDF",
        })
    }
}

/// How many bytes [`sniff`] wants to see; fewer will do for a shorter file.
pub const SNIFF_BYTES: usize = 512;

/// Tells a file's format by its first bytes, or `None` if it is none of [`Format`].
///
/// A match is a claim of the file, not proof of anything behind it. A PNG whose signature was damaged by a transfer that
/// changed line endings is still told as a PNG, so that its error can say so.
pub fn sniff(first: &[u8]) -> Option<Format> {
    match first {
        [0xff, 0xd8, 0xff, ..] => Some(Format::Jpeg),
        [0x89, b'P', b'N', b'G', ..] => Some(Format::Png),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Format::Gif),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Format::WebP),
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Some(Format::Tiff),
        _ if is_pdf(first) => Some(Format::Pdf),
        _ => bmff::sniff(first),
    }
}

/// Readers look for the header anywhere within the first kilobyte. Here only white space and a byte-order mark may come
/// before it: with more tolerance, a web page with a PDF in it would pass as a document.
fn is_pdf(first: &[u8]) -> bool {
    let text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
    text.trim_ascii_start().starts_with(b"%PDF-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_known_by_its_own_mime_type() {
        for format in Format::ALL {
            assert_eq!(Format::from_mime(format.mime()), Some(format));
        }
    }

    #[test]
    fn mime_types_are_read_as_people_write_them() {
        assert_eq!(Format::from_mime("image/jpg"), Some(Format::Jpeg));
        assert_eq!(Format::from_mime("Image/PJPEG"), Some(Format::Jpeg));
        assert_eq!(Format::from_mime(" video/mp4; codecs=\"avc1.42E01E\""), Some(Format::Mp4));
        assert_eq!(Format::from_mime("image/heif"), Some(Format::Heic));
        assert_eq!(Format::from_mime("text/html"), None);
        assert_eq!(Format::from_mime(""), None);
    }

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
        assert_eq!(ftyp(&[b"crx "]), None, "a Canon raw picture is no film");
        assert_eq!(ftyp(&[b"M4A "]), None, "nor is a song");
    }

    #[test]
    fn old_quicktime_has_no_brands() {
        assert_eq!(sniff(b"\0\0\0\x08wide\0\x12\0\0mdat"), Some(Format::QuickTime));
        assert_eq!(sniff(b"\0\0\x10\0moov\0\0\0\x6cmvhd"), Some(Format::QuickTime));
        assert_eq!(sniff(b"get free beer"), None);
    }

    #[test]
    fn a_page_that_contains_a_pdf_is_no_pdf() {
        assert_eq!(sniff(b"\xef\xbb\xbf\r\n%PDF-1.7"), Some(Format::Pdf));
        assert_eq!(sniff(b"<html><script>%PDF-1.7"), None);
    }
}
