//! The formats that the pipeline knows.

use std::fmt;

/// A file format. Which formats are accepted is the validate stage's configuration.
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
    /// MP4, M4V and 3GP, by the brands in the `ftyp` box.
    Mp4,
    QuickTime,
    Pdf,
}

/// The kind of content that a format holds.
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

    /// Returns the kind of content.
    pub fn kind(self) -> Kind {
        match self {
            Format::Mp4 | Format::QuickTime => Kind::Video,
            Format::Pdf => Kind::Document,
            _ => Kind::Picture,
        }
    }

    /// Returns the MIME type as registered with IANA.
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

    /// Returns the format of a MIME type, in upper or lower case and with any parameters. Unregistered names that browsers
    /// and phones use are known, too. `None` for every other type.
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
}
