//! PDF: the header, and the mark at the end (ISO 32000-1, 7.5).

use crate::error::ProbeError;
use crate::format::Format;
use crate::probe::Probe;
use crate::sniff::SNIFF_BYTES;
use crate::source::{Source, Window};

/// The mark that closes a PDF and every update appended to one.
pub(crate) const END: &[u8] = b"%%EOF";

/// The number of bytes from the end in which the mark must lie. Viewers search the last kilobyte. A linearised file has an
/// earlier mark near its beginning, which must not count.
pub(crate) const TAIL_BYTES: u64 = 4096;

pub(crate) fn probe<S: Source>(window: &mut Window<'_, S>) -> Result<Probe, ProbeError<S::Error>> {
    let first = window.up_to(0, SNIFF_BYTES)?;
    let at = first.windows(5).position(|bytes| bytes == b"%PDF-").unwrap_or_default() as u64;
    match window.array(at + 5, "the PDF header")? {
        [b'1' | b'2', b'.', b'0'..=b'9'] => Ok(Probe {
            format: Format::Pdf,
            pixels: None,
            orientation: 1,
            duration_ms: None,
            has_audio: None,
            progressive: false,
            adobe_rgb: false,
            body: at + 8,
        }),
        _ => Err(ProbeError::corrupt("an unknown PDF version", at + 5)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{probe, verify_end};

    #[test]
    fn a_document_has_a_version_and_an_end() {
        let whole: &[u8] = b"%PDF-1.7\n1 0 obj ... startxref\n9\n%%EOF\r\n";
        let found = probe(&mut &*whole).unwrap();
        assert_eq!((found.format, found.pixels), (Format::Pdf, None));
        assert_eq!(verify_end(&mut &*whole, &found), Ok(()));
        let cut = &whole[..whole.len() - 5];
        assert_eq!(
            verify_end(&mut &*cut, &found).unwrap_err().to_string(),
            format!("it ends at byte {}, within the document", cut.len())
        );
        assert_eq!(probe(&mut b"%PDF-x.y".as_slice()).unwrap_err().to_string(), "an unknown PDF version, at byte 5");
    }
}
