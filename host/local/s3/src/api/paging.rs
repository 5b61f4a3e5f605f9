//! Page sizes and the encoding of keys in listings.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::EncodingType;
use s3s::{S3ErrorCode, S3Result};

use crate::error::refuse;
use crate::storage::listing::PAGE_MAX;

/// The characters that `encoding-type=url` does not encode.
const NOT_ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b'*');

/// How keys are written in a response.
#[derive(Clone)]
pub struct KeyEncoding {
    encoded: bool,
}

impl KeyEncoding {
    /// Returns the encoding of the request's `encoding-type`.
    pub fn new(encoding: Option<&EncodingType>) -> S3Result<Self> {
        match encoding.map(EncodingType::as_str) {
            None => Ok(Self { encoded: false }),
            Some("url") => Ok(Self { encoded: true }),
            Some(_) => refuse(S3ErrorCode::InvalidArgument, "Invalid Encoding Method specified in Request"),
        }
    }

    /// Encodes a key or a part of one.
    pub fn encode(&self, text: &str) -> String {
        if self.encoded { utf8_percent_encode(text, NOT_ENCODED).to_string() } else { text.to_owned() }
    }
}

/// Returns the page size of a request: by default, and at most, 1,000.
pub fn limit(requested: Option<i32>) -> S3Result<usize> {
    match usize::try_from(requested.unwrap_or(PAGE_MAX).min(PAGE_MAX)) {
        Ok(limit) => Ok(limit),
        Err(_) => refuse(S3ErrorCode::InvalidArgument, "Argument maxKeys must be an integer between 0 and 2147483647"),
    }
}
