//! Headers without credentials.

use super::names::{WITHHELD, is_credential};
use super::urls::url;

/// Headers whose value is a URL.
const WITH_URL: [&str; 5] = ["location", "content-location", "referer", "origin", "sourcemap"];

/// Headers that contain URLs among other things.
const WITH_URLS_INSIDE: [&str; 2] = ["link", "refresh"];

/// Beginnings of values that are credentials under any name.
const CREDENTIAL_VALUES: [&str; 4] = ["bearer ", "basic ", "digest ", "aws4-hmac-"];

/// Returns headers without the values of credentials, and with reduced URLs.
pub(crate) fn headers(headers: &[(String, String)]) -> Vec<(String, String)> {
    headers.iter().map(|(name, text)| (name.clone(), value(name, text))).collect()
}

fn value(name: &str, text: &str) -> String {
    let is = |names: &[&str]| names.iter().any(|one| one.eq_ignore_ascii_case(name));
    let small = text.trim_start().to_ascii_lowercase();
    if is(&WITH_URL) {
        url(text)
    } else if is_credential(name)
        || is(&WITH_URLS_INSIDE)
        || CREDENTIAL_VALUES.iter().any(|start| small.starts_with(start))
    {
        WITHHELD.to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str) -> String {
        headers(&[(name.to_owned(), value.to_owned())]).pop().map(|(_, value)| value).unwrap_or_default()
    }

    #[test]
    fn credentials_in_headers_are_removed() {
        for name in [
            "Authorization",
            "Cookie",
            "Set-Cookie",
            "Proxy-Authorization",
            "X-Api-Key",
            "x-amz-security-token",
            "Ocp-Apim-Subscription-Key",
            "X-Hub-Signature",
            "Link",
        ] {
            assert_eq!(one(name, "hunter2"), WITHHELD, "{name}");
        }
        assert_eq!(one("X-Upstream", "Bearer hunter2"), WITHHELD);
        assert_eq!(one("Content-Type", "text/plain"), "text/plain");
        assert_eq!(one("Accept", "*/*"), "*/*");
    }

    #[test]
    fn a_redirect_keeps_its_host() {
        let location = one("location", "https://b.example/upload/hunter2");
        assert_eq!(location, url("https://b.example/upload/hunter2"));
        assert!(location.starts_with("https://b.example/") && !location.contains("hunter2"), "{location}");
    }
}
