//! Names for files that are not accepted. "It is a ZIP archive" helps the person who uploaded it; "unknown" does not.

/// Returns what a file outside [`Format`](crate::Format) seems to be, with its article: `a ZIP archive`.
pub fn describe(first: &[u8]) -> &'static str {
    if first.is_empty() {
        return "an empty file";
    }
    let signature =
        SIGNATURES.iter().find(|(offset, magic, _)| first.get(*offset..).is_some_and(|at| at.starts_with(magic)));
    if let Some((_, _, name)) = signature {
        return name;
    }
    let text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first).trim_ascii_start();
    let begins = |tag: &[u8]| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag));
    if begins(b"<!doctype html") || begins(b"<html") {
        "an HTML page"
    } else if begins(b"<svg") || begins(b"<?xml") && contains(text, b"<svg") {
        "an SVG drawing"
    } else if begins(b"<?xml") {
        "an XML document"
    } else if looks_like_text(first) {
        "plain text"
    } else if first.iter().all(|byte| *byte == 0) {
        "a file that begins with zero bytes only"
    } else {
        "in an unknown format"
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Returns whether this is valid UTF-8 without control characters. The last character may be incomplete.
fn looks_like_text(first: &[u8]) -> bool {
    let valid = match std::str::from_utf8(first) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(first.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !valid.is_empty() && !valid.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\x0c'))
}

/// Offset, magic bytes, name. The first match wins, so longer ones come first.
const SIGNATURES: &[(usize, &[u8], &str)] = &[
    (4, b"ftypcrx ", "a Canon raw picture (CR3)"),
    (4, b"ftypM4A ", "an MPEG-4 audio file"),
    (4, b"ftypM4B ", "an MPEG-4 audio book"),
    (4, b"ftypjp2 ", "a JPEG 2000 picture"),
    (4, b"ftyp", "an ISO media file of an unknown brand"),
    (4, b"jP  \r\n\x87\n", "a JPEG 2000 picture"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (4, b"JXL \r\n\x87\n", "a JPEG XL picture"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (0, b"\xff\xd8\xff\xf7", "a JPEG-LS picture"),
    (0, b"II\xbc", "a JPEG XR picture"),
    (12, b"CgBI", "a PNG in the form of Apple's apps (CgBI), which few programs can read"),
    (0, b"IIU\0", "a Panasonic raw picture"),
    (0, b"FUJIFILMCCD-RAW", "a Fujifilm raw picture"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"icns", "an Apple icon"),
    (0, b"\0\0\x01\0", "a Windows icon"),
    (0, b"DDS ", "a DirectDraw texture"),
    (0, b"BLP", "a Blizzard texture"),
    (0, b"\x01\xda", "an SGI picture"),
    (0, b"%!PS", "a PostScript document"),
    (0, b"\xc5\xd0\xd3\xc6", "an encapsulated PostScript document"),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska or WebM video"),
    (8, b"AVI LIST", "an AVI video"),
    (8, b"WAVE", "a WAV audio file"),
    (0, b"RIFF", "a RIFF file of an unknown kind"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a Windows Media video"),
    (0, b"FLV\x01", "a Flash video"),
    (0, b"\0\0\x01\xba", "an MPEG video"),
    (0, b"\0\0\x01\xb3", "an MPEG video"),
    (0, b"OggS", "an Ogg file"),
    (0, b"fLaC", "a FLAC audio file"),
    (0, b"ID3", "an MP3 audio file"),
    (0, b"PK\x03\x04", "a ZIP archive, or a document made of one (DOCX, XLSX, PPTX)"),
    (0, b"PK\x05\x06", "an empty ZIP archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"\x1f\x8b", "a gzip file"),
    (0, b"BZh", "a bzip2 file"),
    (0, b"\xfd7zXZ\0", "an xz file"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (257, b"ustar", "a tar archive"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Microsoft Office document"),
    (0, b"{\\rtf", "an RTF document"),
    (0, b"AC10", "an AutoCAD drawing"),
    (0, b"\x7fELF", "a program (ELF)"),
    (0, b"MZ", "a program (Windows)"),
    (0, b"\0asm", "a program (WebAssembly)"),
    (0, b"BM", "a BMP picture"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_people_upload_by_mistake_are_named() {
        assert_eq!(describe(b""), "an empty file");
        assert_eq!(describe(b"PK\x03\x04\x14\0"), "a ZIP archive, or a document made of one (DOCX, XLSX, PPTX)");
        assert_eq!(describe(b"\x1a\x45\xdf\xa3\x01"), "a Matroska or WebM video");
        assert_eq!(describe(b"\xff\xd8\xff\xf7\0\x11\x08"), "a JPEG-LS picture");
        assert_eq!(
            describe(b"\x89PNG\r\n\x1a\n\0\0\0\x04CgBI"),
            "a PNG in the form of Apple's apps (CgBI), which few programs can read"
        );
        assert_eq!(describe(b"\n<!DOCTYPE html><title>403"), "an HTML page");
        assert_eq!(describe(b"<?xml version='1.0'?><svg>"), "an SVG drawing");
        assert_eq!(describe("Grüße aus dem Haus\n".as_bytes()), "plain text");
        assert_eq!(describe(&[0; 64]), "a file that begins with zero bytes only");
        assert_eq!(describe(&[0xde, 0xad, 0xbe, 0xef]), "in an unknown format");
    }

    #[test]
    fn a_character_cut_by_the_end_is_still_text() {
        assert_eq!(describe(&"Grüße".as_bytes()[..3]), "plain text");
        assert_eq!(describe(&"ü".as_bytes()[..1]), "in an unknown format");
    }
}
