//! How S3 writes entity tags and CRC-32 checksums.

use aws_sdk_s3::types::ChecksumType;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Returns the CRC-32 of a whole object. A multipart upload may have a checksum of its parts' checksums instead, which
/// says nothing about the object's bytes in order; archives need those, so `None` is returned for it.
pub(crate) fn full_crc32(value: Option<&str>, kind: Option<&ChecksumType>) -> Option<u32> {
    if kind.is_some_and(|kind| *kind != ChecksumType::FullObject) {
        return None;
    }
    decode_crc32(value?)
}

/// Reads a CRC-32 from base64 of its four bytes, the most significant first.
pub(crate) fn decode_crc32(value: &str) -> Option<u32> {
    let bytes = STANDARD.decode(value).ok()?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// Returns the inverse of [`decode_crc32`].
pub(crate) fn encode_crc32(crc32: u32) -> String {
    STANDARD.encode(crc32.to_be_bytes())
}

/// Returns an entity tag with quotes, as in HTTP headers.
pub(crate) fn quoted(etag: &str) -> String {
    format!("\"{}\"", unquoted(etag))
}

/// Returns an entity tag without quotes, as in the contract with stages.
pub(crate) fn unquoted(etag: &str) -> &str {
    etag.trim_matches('"')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_checksum_of_checksums_is_not_taken_for_the_crc32_of_the_object() {
        let crc = encode_crc32(0xCBF4_3926);
        assert_eq!(crc, "y/Q5Jg==");
        assert_eq!(full_crc32(Some(&crc), Some(&ChecksumType::FullObject)), Some(0xCBF4_3926));
        assert_eq!(full_crc32(Some(&crc), None), Some(0xCBF4_3926));
        assert_eq!(full_crc32(Some(&crc), Some(&ChecksumType::Composite)), None);
        assert_eq!(full_crc32(Some("y/Q5Jg==-3"), None), None);
    }

    #[test]
    fn entity_tags_are_quoted_once_on_the_wire_and_never_inside() {
        assert_eq!(quoted("abc-2"), "\"abc-2\"");
        assert_eq!(quoted("\"abc-2\""), "\"abc-2\"");
        assert_eq!(unquoted("\"abc\""), "abc");
    }

    proptest! {
        #[test]
        fn any_text_for_a_crc32_is_read_without_panic(text in ".{0,40}") {
            let _ = decode_crc32(&text);
        }

        #[test]
        fn a_crc32_survives_its_encoding(crc: u32) {
            prop_assert_eq!(decode_crc32(&encode_crc32(crc)), Some(crc));
        }
    }
}
