//! URLs without what may be a credential: chat services have theirs in the path, signed URLs in the query.

use sha2::{Digest as _, Sha256};
use stagehost_batch::Failure;

use super::names::{WITHHELD, is_credential};

/// The beginning of a path that stands for another one. The rest is the SHA-256 of that path and its query.
const REDUCED: &str = "/not-recorded-sha256-";

/// Returns a URL as it is recorded and looked up: scheme and host, and a digest in place of path and query.
///
/// A URL that is reduced already stays as it is, so that a stage which repeats one from a recorded answer asks the same
/// question again. A query with a credential does not count: signed URLs differ at every try.
pub(crate) fn url(url: &str) -> String {
    let url = url.split('#').next().unwrap_or_default();
    let has_scheme = |scheme: &usize| {
        let scheme = url.get(..*scheme).unwrap_or_default();
        !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
    };
    let (origin, rest) = match url.find("://").filter(has_scheme) {
        Some(scheme) => {
            let host = scheme + "://".len();
            let end = url.get(host..).and_then(|rest| rest.find(['/', '?', '\\'])).map_or(url.len(), |at| host + at);
            url.split_at(end)
        }
        // A place on the same host, such as a redirect may have.
        None => ("", url),
    };
    let origin = without_user(origin);
    if matches!(rest, "" | "/") || is_reduced(rest) {
        return format!("{origin}{rest}");
    }
    format!("{origin}{REDUCED}{}", hex::encode(Sha256::digest(without_credentials(rest))))
}

/// Returns a failure in whose message every URL is reduced.
pub(crate) fn failure(failure: &Failure) -> Failure {
    Failure::new(failure.case, text(&failure.message))
}

/// Returns a text in which every URL is reduced.
pub(crate) fn text(text: &str) -> String {
    let small = text.to_ascii_lowercase();
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    while let Some(begin) = next_url(&small, at) {
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`');
        let found = text.get(begin..).unwrap_or_default();
        let found = found.get(..found.find(ends).unwrap_or(found.len())).unwrap_or_default();
        let found = found.trim_end_matches(['.', ',', ':', ';', ')', ']', '}']);
        out.push_str(text.get(at..begin).unwrap_or_default());
        out.push_str(&url(found));
        at = begin + found.len();
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// Returns where the next URL begins. `small` is the text in lower case.
fn next_url(small: &str, from: usize) -> Option<usize> {
    let rest = small.get(from..)?;
    ["http://", "https://"].iter().filter_map(|scheme| rest.find(scheme)).min().map(|at| from + at)
}

/// Returns an origin without user and password.
fn without_user(origin: &str) -> String {
    match (origin.split_once("://"), origin.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => origin.to_owned(),
    }
}

/// Returns a path with its query, or without it if one parameter is a credential: a signed URL is one as a whole.
fn without_credentials(path: &str) -> String {
    let Some((place, query)) = path.split_once('?') else { return path.to_owned() };
    let credential = query.split(['&', ';']).any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        // An encoded name may be one of them.
        name.contains('%') || is_credential(name)
    });
    if credential { format!("{place}?{WITHHELD}") } else { path.to_owned() }
}

fn is_reduced(path: &str) -> bool {
    let digest = path.strip_prefix(REDUCED).unwrap_or_default();
    digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_url_only_the_host_and_a_digest_stay() {
        let reduced = url("https://hooks.chat.example/services/T0/B0/hunter2?thread=1#top");
        assert!(reduced.starts_with("https://hooks.chat.example/not-recorded-sha256-"), "{reduced}");
        assert!(!reduced.contains("hunter2") && !reduced.contains("thread"), "{reduced}");
        assert_ne!(reduced, url("https://hooks.chat.example/services/T0/B0/hunter3?thread=1"));
        assert_eq!(reduced, url(&reduced), "a recorded URL stands for itself");
        assert_eq!(url("https://user:hunter2@b.example/"), "https://b.example/");
        assert_eq!(url("https://b.example"), "https://b.example");
        assert_eq!(url("https://b.example:8443?code=hunter2"), url("https://b.example:8443?code=hunter3"));
    }

    #[test]
    fn a_place_on_the_same_host_has_the_digest_of_the_whole_url() {
        let whole = url("https://b.example/files/hunter2?x=1");
        assert_eq!(whole.strip_prefix("https://b.example"), Some(url("/files/hunter2?x=1").as_str()));
        assert!(!url("/login/hunter2?next=https://b.example/").contains("hunter2"));
    }

    #[test]
    fn signed_urls_of_one_object_are_one_question() {
        for (one, other) in [
            ("X-Amz-Credential=a&X-Amz-Signature=b&x=1", "X-Amz-Credential=a&X-Amz-Signature=c&x=1"),
            ("page=1&sig=abc", "page=1&sig=abd"),
            ("%73ig=abc", "%73ig=abd"),
            ("AWSAccessKeyId=a&Expires=1&Signature=b", "AWSAccessKeyId=a&Expires=2&Signature=c"),
        ] {
            assert_eq!(url(&format!("https://b/k?{one}")), url(&format!("https://b/k?{other}")));
        }
        assert_ne!(url("https://b/k?page=1"), url("https://b/k?page=2"));
    }

    #[test]
    fn urls_in_messages_are_reduced() {
        let message = "cannot reach HTTPS://h.example/hunter2: refused (see http://d.example/hunter3).";
        let scrubbed = text(message);
        assert!(!scrubbed.contains("hunter"), "{scrubbed}");
        assert!(scrubbed.starts_with("cannot reach HTTPS://h.example/not-recorded-sha256-"), "{scrubbed}");
        assert!(scrubbed.ends_with(")."), "{scrubbed}");
        assert_eq!(text("größer als http: erlaubt"), "größer als http: erlaubt");
    }
}
