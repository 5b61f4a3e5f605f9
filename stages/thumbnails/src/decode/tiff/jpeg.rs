//! JPEG within TIFF (Technical Note 2): every strip or tile is a stream of its own, and the tables of all may stand in a tag.

use super::fault::Fault;
use crate::decode::jpeg::decode_within;
use crate::decode::limits::Limits;
use crate::error::PictureError;
use crate::raster::Raster;

/// Decodes a stream, with the tables that go before its own. What its samples mean is said by the tags of the TIFF: if they are
/// YCbCr, they become RGB.
///
/// # Errors
/// If the stream has no end of its header, or the decoder refuses it.
pub(super) fn decode(
    tables: Option<&[u8]>,
    stream: &[u8],
    is_ycbcr: bool,
    limits: Limits,
) -> Result<Raster, PictureError> {
    let complete = complete(tables, stream).map_err(|fault| {
        PictureError::damaged(
            super::fault::NAME,
            match fault {
                Fault::Ends => "JPEG data within it is cut off in its header",
                Fault::Broken | Fault::Memory => "JPEG data within it has a header that breaks the rules",
            },
        )
    })?;
    decode_within(complete, is_ycbcr, limits)
}

/// Returns the stream as a file of its own, without segments of applications.
fn complete(tables: Option<&[u8]>, stream: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut file = b"\xFF\xD8".to_vec();
    if let Some(tables) = tables {
        segments(tables, &mut file)?;
    }
    let data = segments(stream, &mut file)?;
    file.extend_from_slice(stream.get(data..).unwrap_or_default());
    Ok(file)
}

/// Adds the segments up to the first scan or the end, without those of applications. Returns the offset of the scan's header.
fn segments(stream: &[u8], file: &mut Vec<u8>) -> Result<usize, Fault> {
    let mut at = 0;
    loop {
        let marker = match stream.get(at..) {
            Some([0xFF, 0xFF, ..]) => {
                at += 1;
                continue;
            }
            Some([0xFF, marker, ..]) => *marker,
            Some([] | [_]) | None => return Err(Fault::Ends),
            Some(_) => return Err(Fault::Broken),
        };
        match marker {
            0xD8 | 0x01 => at += 2,
            0xD9 | 0xDA => return Ok(at),
            _ => {
                let Some([high, low]) = stream.get(at + 2..at + 4).and_then(|length| <&[u8; 2]>::try_from(length).ok())
                else {
                    return Err(Fault::Ends);
                };
                let end = at + 2 + usize::from(u16::from_be_bytes([*high, *low]));
                let segment = stream.get(at..end).ok_or(Fault::Ends)?;
                if !matches!(marker, 0xE0..=0xEF) {
                    file.extend_from_slice(segment);
                }
                at = end;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_stream_gets_its_tables() {
        let tables = b"\xFF\xD8\xFF\xDB\0\x03T\xFF\xD9";
        let stream = b"\xFF\xD8\xFF\xE0\0\x04JF\xFF\xC0\0\x03F\xFF\xDA\0\x02data";
        let file = complete(Some(tables), stream).unwrap();
        let want = b"\xFF\xD8\xFF\xDB\0\x03T\xFF\xC0\0\x03F\xFF\xDA\0\x02data";
        assert_eq!(file, want);
        assert_eq!(complete(None, b"\xFF\xD8\xFF\xC0\0\x09"), Err(Fault::Ends));
        assert_eq!(complete(None, b"\xFF\xD8xy"), Err(Fault::Broken));
    }
}
