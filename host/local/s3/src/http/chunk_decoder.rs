//! The `aws-chunked` encoding: chunks with their sizes, then trailers.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

/// The longest line, in bytes. The first line of a chunk has a size and a signature.
const LINE_MAX: usize = 1024;
/// The largest size of all trailers together, in bytes.
const TRAILERS_MAX: usize = 16 * 1024;

/// An error in an encoded body.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkedError {
    /// The body does not have this encoding.
    #[error("the aws-chunked body is malformed: {0}")]
    Malformed(&'static str),
    /// The body ends before its last chunk or does not have the declared length.
    #[error("the aws-chunked body ends early or is longer than declared")]
    Length,
}

#[derive(Debug)]
enum State {
    Size,
    Data(u64),
    DataEnd,
    Trailers,
}

/// Decodes a body piece by piece. Holds at most one line and the trailers.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    line: Vec<u8>,
    decoded: u64,
    trailers: HeaderMap,
    trailer_bytes: usize,
    ended: bool,
}

impl Decoder {
    /// Returns a decoder at the beginning of a body.
    pub fn new() -> Self {
        Self {
            state: State::Size,
            line: Vec::new(),
            decoded: 0,
            trailers: HeaderMap::new(),
            trailer_bytes: 0,
            ended: false,
        }
    }

    /// Returns the number of bytes that were decoded so far.
    pub fn decoded(&self) -> u64 {
        self.decoded
    }

    /// Decodes bytes and appends the result to `output`.
    ///
    /// # Errors
    /// If the body does not have this encoding.
    pub fn push(&mut self, mut input: Bytes, output: &mut VecDeque<Bytes>) -> Result<(), ChunkedError> {
        while !input.is_empty() {
            if self.ended {
                return Err(ChunkedError::Malformed("bytes after its end"));
            }
            if let State::Data(left) = self.state {
                let take = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                let data = input.split_to(take);
                self.decoded += data.len() as u64;
                let left = left - data.len() as u64;
                self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                output.push_back(data);
            } else if let Some(line) = self.take_line(&mut input)? {
                self.line(&line)?;
            }
        }
        Ok(())
    }

    fn take_line(&mut self, input: &mut Bytes) -> Result<Option<Vec<u8>>, ChunkedError> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let part = input.get(..end.unwrap_or(input.len())).unwrap_or_default();
        if self.line.len() + part.len() > LINE_MAX {
            return Err(ChunkedError::Malformed("a line is too long"));
        }
        self.line.extend_from_slice(part);
        input.advance(end.map_or(input.len(), |end| end + 1));
        if end.is_none() {
            return Ok(None);
        }
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(line))
    }

    fn line(&mut self, line: &[u8]) -> Result<(), ChunkedError> {
        match self.state {
            State::Size => {
                let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
                let size = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'));
                let size = size.and_then(|digits| u64::from_str_radix(digits, 16).ok());
                let size = size.ok_or(ChunkedError::Malformed("a chunk has no size"))?;
                self.state = if size == 0 { State::Trailers } else { State::Data(size) };
            }
            State::DataEnd if line.is_empty() => self.state = State::Size,
            State::DataEnd => return Err(ChunkedError::Malformed("a chunk is longer than its size")),
            State::Trailers if line.is_empty() => self.ended = true,
            State::Trailers => self.trailer(line)?,
            State::Data(_) => {}
        }
        Ok(())
    }

    fn trailer(&mut self, line: &[u8]) -> Result<(), ChunkedError> {
        self.trailer_bytes += line.len();
        if self.trailer_bytes > TRAILERS_MAX {
            return Err(ChunkedError::Malformed("the trailers are too long"));
        }
        let malformed = ChunkedError::Malformed("a trailer is not a header");
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return Err(malformed) };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        match (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            (Ok(name), Ok(value)) => self.trailers.append(name, value),
            _ => return Err(malformed),
        };
        Ok(())
    }

    /// Returns the trailers.
    ///
    /// # Errors
    /// The body is incomplete. A missing empty line after the last chunk is accepted: some clients leave it out.
    pub fn finish(&mut self, declared: u64) -> Result<HeaderMap, ChunkedError> {
        if matches!(self.state, State::Trailers) && !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.line(line.strip_suffix(b"\r").unwrap_or(&line))?;
        }
        if !matches!(self.state, State::Trailers) || self.decoded != declared {
            return Err(ChunkedError::Length);
        }
        Ok(std::mem::take(&mut self.trailers))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn decode(encoded: &[u8], step: usize, declared: u64) -> Result<(Vec<u8>, HeaderMap), ChunkedError> {
        let (mut decoder, mut output) = (Decoder::new(), VecDeque::new());
        for piece in encoded.chunks(step.max(1)) {
            decoder.push(Bytes::copy_from_slice(piece), &mut output)?;
        }
        let trailers = decoder.finish(declared)?;
        Ok((output.into_iter().flatten().collect(), trailers))
    }

    #[test]
    fn chunks_and_trailers_are_decoded_in_pieces_of_any_size() {
        let encoded = b"5\r\nhello\r\n6;chunk-signature=00ff\r\n world\r\n0\r\nx-amz-checksum-crc32: DUoRhQ==\r\n\r\n";
        for step in 1..encoded.len() {
            let (bytes, trailers) = decode(encoded, step, 11).unwrap();
            assert_eq!(bytes, b"hello world");
            assert_eq!(trailers["x-amz-checksum-crc32"], "DUoRhQ==");
        }
    }

    #[test]
    fn a_truncated_body_is_never_accepted() {
        let encoded = b"5\r\nhello\r\n0\r\n\r\n";
        // The empty last line may be missing, everything before it may not.
        for length in 0..b"5\r\nhello\r\n0\r\n".len() {
            assert!(decode(&encoded[..length], 64, 5).is_err(), "{length} bytes");
        }
        assert_eq!(decode(encoded, 64, 4).unwrap_err(), ChunkedError::Length);
        assert_eq!(decode(encoded, 64, 6).unwrap_err(), ChunkedError::Length);
    }

    #[test]
    fn endless_lines_and_sizes_are_refused() {
        assert!(decode(&[b'1'; 5000], 100, 0).is_err());
        assert!(decode(b"fffffffffffffffff\r\n", 64, 0).is_err());
        assert!(decode(b"+5\r\nhello\r\n0\r\n\r\n", 64, 5).is_err());
        assert!(decode(b"5\r\nhello!\r\n0\r\n\r\n", 64, 6).is_err());
        let many = format!("0\r\n{}", "a: b\r\n".repeat(5000));
        assert!(decode(many.as_bytes(), 64, 0).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), step in 1usize..50) {
            let _ = decode(&bytes, step, 5);
        }

        #[test]
        fn an_encoded_body_is_decoded_unchanged(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..60), 0..6), step in 1usize..50) {
            let mut encoded = Vec::new();
            for chunk in &chunks {
                encoded.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                encoded.extend(chunk);
                encoded.extend(b"\r\n");
            }
            encoded.extend(b"0\r\n\r\n");
            let whole = chunks.concat();
            let (bytes, _) = decode(&encoded, step, whole.len() as u64).unwrap();
            prop_assert_eq!(bytes, whole);
        }
    }
}
