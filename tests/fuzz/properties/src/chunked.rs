//! Bodies in the `aws-chunked` encoding.

use std::collections::VecDeque;

use bytes::Bytes;
use hyper::HeaderMap;

use crate::memory::peak_of;

// The file itself: its crate needs s3s, which takes a minute to compile.
#[path = "../../../../host/local/s3/src/http/chunk_decoder.rs"]
mod chunk_decoder;

use chunk_decoder::Decoder;

/// What the decoder may hold beside the body, in bytes: a line, the trailers, and what the bytes are handed on in.
const MOST_MEMORY: usize = 1 << 20;

/// A body is decoded in pieces of any size as a simple reader decodes it whole; every other is refused. The first byte is
/// the size of the pieces.
pub fn check(bytes: &[u8]) {
    let Some((step, encoded)) = bytes.split_first() else { return };
    let expected = whole(encoded);
    let declared = expected.as_ref().map_or(5, |(data, _)| data.len() as u64);
    for step in [usize::from(*step).max(1), 1, encoded.len().max(1)] {
        let (decoded, peak) = peak_of(|| in_pieces(encoded, step, declared));
        assert!(peak <= MOST_MEMORY + 64 * encoded.len(), "{peak} bytes for a body of {}", encoded.len());
        match (decoded, &expected) {
            (Some((data, trailers)), Some((expected, lines))) => {
                assert_eq!(data, *expected, "in pieces of {step}");
                let read: Vec<_> = trailers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
                assert_eq!(read.len(), lines.len(), "trailers");
                for (name, value) in lines {
                    let same = |found: &&(&str, &[u8])| found.0.eq_ignore_ascii_case(name) && found.1 == *value;
                    assert!(read.iter().any(|found| same(&found)), "no trailer {name}");
                }
            }
            (None, None) => {}
            (Some(_), None) => panic!("decoded in pieces of {step}, though it is malformed"),
            (None, Some(_)) => panic!("refused in pieces of {step}, though it is well-formed"),
        }
    }
    if expected.is_some() {
        assert!(in_pieces(encoded, encoded.len(), declared + 1).is_none(), "shorter than declared");
        assert!(declared == 0 || in_pieces(encoded, encoded.len(), declared - 1).is_none(), "longer than declared");
    }
}

fn in_pieces(encoded: &[u8], step: usize, declared: u64) -> Option<(Vec<u8>, HeaderMap)> {
    let (mut decoder, mut output) = (Decoder::new(), VecDeque::new());
    for piece in encoded.chunks(step) {
        decoder.push(Bytes::copy_from_slice(piece), &mut output).ok()?;
    }
    let data: Vec<u8> = output.into_iter().flatten().collect();
    assert_eq!(decoder.decoded(), data.len() as u64);
    Some((data, decoder.finish(declared).ok()?))
}

type Trailer<'a> = (&'a str, &'a [u8]);

/// Reads a whole body: its data and its trailers. `None` if it is malformed.
fn whole(encoded: &[u8]) -> Option<(Vec<u8>, Vec<Trailer<'_>>)> {
    let (mut rest, mut data) = (encoded, Vec::new());
    loop {
        let digits = line(&mut rest)?.split(|byte| *byte == b';').next()?;
        let all_hex = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
        let size = std::str::from_utf8(digits).ok().filter(|_| all_hex)?;
        let size = usize::try_from(u64::from_str_radix(size, 16).ok()?).ok()?;
        if size == 0 {
            break;
        }
        data.extend(rest.split_off(..size)?);
        if !line(&mut rest)?.is_empty() {
            return None;
        }
    }
    let (mut trailers, mut bytes) = (Vec::new(), 0);
    while !rest.is_empty() {
        // The last line break may be missing.
        let text = match rest.contains(&b'\n') {
            true => line(&mut rest)?,
            false => bounded(std::mem::take(&mut rest))?,
        };
        if text.is_empty() {
            return rest.is_empty().then_some((data, trailers));
        }
        bytes += text.len();
        let colon = text.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&text[..colon], text[colon + 1..].trim_ascii());
        let is_name = hyper::header::HeaderName::from_bytes(name).is_ok();
        let is_value = hyper::header::HeaderValue::from_bytes(value).is_ok();
        if bytes > 16 * 1024 || !is_name || !is_value {
            return None;
        }
        trailers.push((std::str::from_utf8(name).ok()?, value));
    }
    Some((data, trailers))
}

/// Returns the next line without its end.
fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let line = rest.split_off(..end)?;
    *rest = rest.get(1..)?;
    bounded(line)
}

fn bounded(line: &[u8]) -> Option<&[u8]> {
    (line.len() <= 1024).then(|| line.strip_suffix(b"\r").unwrap_or(line))
}
