//! The formats that are rendered, recognised by a file's first bytes. Names and declared types are not used.

use stage_probe::{SNIFF_BYTES, describe, sniff};

use crate::error::PictureError;

/// A picture format that the stage reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JPEG, ITU-T T.81.
    Jpeg,
    /// PNG, ISO/IEC 15948.
    Png,
    /// WebP, RFC 9649.
    WebP,
    /// GIF87a or GIF89a.
    Gif,
    /// TIFF 6.0 or BigTIFF.
    Tiff,
    /// HEIF coded as HEVC.
    #[cfg(feature = "heic")]
    Heic,
    /// HEIF coded as AV1.
    #[cfg(feature = "avif")]
    Avif,
}

impl Format {
    /// Returns the format's name for messages.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Jpeg => "JPEG",
            Format::Png => "PNG",
            Format::WebP => "WebP",
            Format::Gif => "GIF",
            Format::Tiff => "TIFF",
            #[cfg(feature = "heic")]
            Format::Heic => "HEIC",
            #[cfg(feature = "avif")]
            Format::Avif => "AVIF",
        }
    }

    /// Returns the format's name with its article.
    pub fn described(self) -> String {
        let article = if self.name().starts_with('A') { "an" } else { "a" };
        format!("{article} {}", self.name())
    }
}

/// Returns a file's format, from any number of bytes at its beginning.
///
/// # Errors
/// `Corrupt` if the file is empty, `Unsupported` if it has another format.
pub fn recognise(file: &[u8]) -> Result<Format, PictureError> {
    use stage_probe::Format as Known;
    if file.is_empty() {
        return Err(PictureError::Corrupt("is empty".to_owned()));
    }
    let head = file.get(..SNIFF_BYTES).unwrap_or(file);
    let other = match sniff(head) {
        Some(Known::Jpeg) => return Ok(Format::Jpeg),
        Some(Known::Png) => return Ok(Format::Png),
        Some(Known::WebP) => return Ok(Format::WebP),
        Some(Known::Gif) => return Ok(Format::Gif),
        Some(Known::Tiff) => return Ok(Format::Tiff),
        #[cfg(feature = "heic")]
        Some(Known::Heic) => return Ok(Format::Heic),
        #[cfg(feature = "avif")]
        Some(Known::Avif) => return Ok(Format::Avif),
        #[cfg(not(all(feature = "heic", feature = "avif")))]
        Some(known @ (Known::Heic | Known::Avif)) => {
            format!("has the format {known}")
        }
        Some(known) => format!("is a {} ({known})", known.kind()),
        None => format!("is {}", describe(head)),
    };
    // What is accepted is the validate stage's setting, so no formats are listed here.
    Err(PictureError::Unsupported(format!("{other}, of which no thumbnails can be made")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_format_is_recognised_by_its_first_bytes() {
        assert_eq!(recognise(b"\xFF\xD8\xFF\xE0").unwrap(), Format::Jpeg);
        assert_eq!(recognise(b"\x89PNG\r\n\x1a\n....").unwrap(), Format::Png);
        assert_eq!(recognise(b"RIFF\x10\0\0\0WEBPVP8 ").unwrap(), Format::WebP);
        assert_eq!(recognise(b"GIF89a").unwrap(), Format::Gif);
        assert_eq!(recognise(b"II*\0").unwrap(), Format::Tiff);
        assert_eq!(recognise(b"MM\0*").unwrap(), Format::Tiff);
        assert_eq!(recognise(b"II+\0\x08\0\0\0").unwrap(), Format::Tiff);
        #[cfg(feature = "heic")]
        assert_eq!(recognise(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic").unwrap(), Format::Heic);
        #[cfg(feature = "avif")]
        assert_eq!(recognise(b"\0\0\0\x18ftypavif\0\0\0\0mif1avif").unwrap(), Format::Avif);
    }

    #[test]
    fn a_file_of_another_kind_is_named() {
        for (bytes, word) in [
            (&b"\0\0\0\x18ftypisom\0\0\0\0isomavc1"[..], "MP4"),
            #[cfg(not(feature = "heic"))]
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
            #[cfg(not(feature = "avif"))]
            (b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", "AVIF"),
            (b"%PDF-1.7", "document (PDF)"),
            (b"PK\x03\x04", "ZIP"),
        ] {
            match recognise(bytes) {
                Err(PictureError::Unsupported(message)) => assert!(message.contains(word), "{message}"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn an_empty_file_is_corrupt() {
        assert!(matches!(recognise(b""), Err(PictureError::Corrupt(_))));
    }
}
