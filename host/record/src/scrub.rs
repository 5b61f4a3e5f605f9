//! What must not be kept: credentials that pass through `http`. When in doubt it is left out, because a record outlives
//! the call and is read by more people than the request was meant for.

/// Stands where something was left out.
pub(crate) const WITHHELD: &str = "(not recorded)";

/// Parts of names of headers and query parameters whose values are credentials, or may be.
const TELLING: [&str; 13] = [
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
/// Names that are too short to be looked for inside others.
const WHOLE: [&str; 6] = ["sig", "key", "pwd", "code", "jwt", "awsaccesskeyid"];

fn is_telling(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    WHOLE.contains(&name.as_str()) || name.ends_with("-key") || TELLING.iter().any(|part| name.contains(part))
}

/// Headers with the values of telling ones withheld.
pub(crate) fn headers(headers: &[(String, String)]) -> Vec<(String, String)> {
    let scrub = |(name, value): &(String, String)| {
        let value = if is_telling(name) { WITHHELD.to_owned() } else { value.clone() };
        (name.clone(), value)
    };
    headers.iter().map(scrub).collect()
}

/// A URL without a fragment. If one parameter of its query is a credential, all of the query goes: a signed URL is one
/// credential as a whole.
pub(crate) fn url(url: &str) -> String {
    let url = url.split('#').next().unwrap_or_default();
    let Some((place, query)) = url.split_once('?') else { return url.to_owned() };
    let telling = query.split(['&', ';']).any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        // An encoded name hides what it is.
        name.contains('%') || is_telling(name)
    });
    if telling { format!("{place}?{WITHHELD}") } else { url.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_headers_are_withheld_whatever_they_are_called() {
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
    fn a_signed_url_loses_its_query_and_a_plain_one_keeps_it() {
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
