//! Removes credentials from HTTP requests before they are recorded. In doubt a value is removed, because a record outlives
//! the call and more people can read it.

use stagehost_runtime::capability::HttpRequest;

use crate::record_format::{Payload, Request};

/// Replaces a removed value.
pub(crate) const WITHHELD: &str = "(not recorded)";

/// Parts of the names of headers and query parameters whose values may be credentials.
const CREDENTIAL_PARTS: [&str; 13] = [
    "auth",
    "cookie",
    "token",
    "secret",
    "password",
    "passwd",
    "signature",
    "credential",
    "apikey",
    "api-key",
    "api_key",
    "session",
    "x-amz-",
];
/// Names of credentials that are too short to be searched for inside other names.
const CREDENTIAL_NAMES: [&str; 6] = ["sig", "key", "pwd", "code", "jwt", "awsaccesskeyid"];

fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    CREDENTIAL_NAMES.contains(&name.as_str())
        || name.ends_with("-key")
        || CREDENTIAL_PARTS.iter().any(|part| name.contains(part))
}

/// Returns a request as it is recorded, and as it is looked up in a replay.
pub(crate) fn request(request: &HttpRequest) -> Request {
    Request {
        method: request.method.to_ascii_uppercase(),
        url: url(&request.url),
        headers: headers(&request.headers),
        body: Payload::of(&request.body),
    }
}

/// Returns headers without the values of credentials.
pub(crate) fn headers(headers: &[(String, String)]) -> Vec<(String, String)> {
    let scrub = |(name, value): &(String, String)| {
        let value = if is_credential(name) { WITHHELD.to_owned() } else { value.clone() };
        (name.clone(), value)
    };
    headers.iter().map(scrub).collect()
}

/// Returns a URL without its fragment. If one parameter is a credential, the whole query is removed, because a signed URL
/// is a credential as a whole.
fn url(url: &str) -> String {
    let url = url.split('#').next().unwrap_or_default();
    let Some((place, query)) = url.split_once('?') else { return url.to_owned() };
    let credential = query.split(['&', ';']).any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        // An encoded name may be one of them.
        name.contains('%') || is_credential(name)
    });
    if credential { format!("{place}?{WITHHELD}") } else { url.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_headers_are_removed() {
        let names = [
            "Authorization",
            "Cookie",
            "Set-Cookie",
            "Proxy-Authorization",
            "X-Api-Key",
            "x-amz-security-token",
            "Ocp-Apim-Subscription-Key",
            "X-Hub-Signature",
        ];
        for name in names {
            let scrubbed = headers(&[(name.to_owned(), "hunter2".to_owned())]);
            assert_eq!(scrubbed, [(name.to_owned(), WITHHELD.to_owned())]);
        }
        let plain = [("Content-Type".to_owned(), "text/plain".to_owned()), ("Accept".to_owned(), "*/*".to_owned())];
        assert_eq!(headers(&plain), plain);
    }

    #[test]
    fn the_query_of_a_signed_url_is_removed_and_others_stay() {
        for signed in [
            "https://b.s3.amazonaws.com/k?X-Amz-Credential=a&X-Amz-Signature=b&x=1",
            "https://b/k?page=1&sig=abc",
            "https://b/k?%73ig=abc",
            "https://b/k?AWSAccessKeyId=a&Expires=1&Signature=b",
            "https://b/k?access_token=abc#x",
        ] {
            let (place, _) = signed.split_once('?').unwrap_or_default();
            assert_eq!(url(signed), format!("{place}?{WITHHELD}"));
        }
        assert_eq!(url("https://b/k?page=1&size=2#top"), "https://b/k?page=1&size=2");
    }
}
