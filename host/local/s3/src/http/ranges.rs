//! The `Range` header of reads, and the status of their responses.

use hyper::header::{CONTENT_RANGE, HeaderValue, RANGE};
use hyper::{HeaderMap, Method, Response, StatusCode};
use s3s::Body;
use s3s::dto::Range;

/// Removes a `Range` header that is not one range of bytes, which S3 ignores (RFC 9110, section 14.2) and `s3s` refuses. A last
/// byte beyond every object means the end of the object.
pub fn ignore_invalid(headers: &mut HeaderMap) {
    let Some(value) = headers.get(RANGE) else { return };
    let text = value.to_str().unwrap_or_default();
    // `s3s` takes a range without any bounds for the last zero bytes.
    if headers.get_all(RANGE).iter().count() == 1 && text != "bytes=-" && Range::parse(text).is_ok() {
        return;
    }
    let open = open_range(text).and_then(|text| HeaderValue::try_from(text).ok());
    headers.remove(RANGE);
    if let Some(open) = open {
        headers.insert(RANGE, open);
    }
}

/// Returns `bytes=FIRST-` for a range whose last byte is too large for a number.
fn open_range(text: &str) -> Option<String> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let huge = last.parse::<i64>().is_err();
    (digits(first) && digits(last) && huge).then(|| format!("bytes={first}-")).filter(|open| Range::parse(open).is_ok())
}

/// Gives a response to HEAD with a range the status 206, as S3 does; `s3s` always answers HEAD with 200.
pub fn mark_partial(method: &Method, response: &mut Response<Body>) {
    if method == Method::HEAD && response.status() == StatusCode::OK && response.headers().contains_key(CONTENT_RANGE) {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_one_range_of_bytes_is_ignored() {
        for (given, kept) in [
            ("bytes=0-4", Some("bytes=0-4")),
            ("bytes=5-", Some("bytes=5-")),
            ("bytes=-5", Some("bytes=-5")),
            ("bytes=-0", Some("bytes=-0")),
            ("bytes=7-99999999999999999999", Some("bytes=7-")),
            ("bytes=5-3", None),
            ("bytes=0-1,4-5", None),
            ("bytes=abc", None),
            ("bytes=", None),
            ("bytes=-", None),
            ("items=0-4", None),
            ("bytes=99999999999999999999-", None),
            ("bytes=99999999999999999999-99999999999999999999", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, HeaderValue::from_static(given));
            ignore_invalid(&mut headers);
            assert_eq!(headers.get(RANGE).map(|value| value.as_bytes()), kept.map(str::as_bytes), "{given}");
        }
    }
}
