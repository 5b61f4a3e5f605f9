//! Which callers a server on loopback accepts: programs on this machine, and web pages that this machine serves, but no pages of
//! other hosts in its browser.
//!
//! A page can send requests to `127.0.0.1`, and an attacker can make a host name resolve to it (DNS rebinding). Neither
//! can forge the Host and Origin headers.

use std::net::IpAddr;

use http::HeaderMap;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RefusedCaller {
    /// The Host header is not a name of this machine.
    #[error("the Host {0:?} is not a name of this machine; use 127.0.0.1 or localhost")]
    Host(String),
    /// The request is from a web page of another host.
    #[error("web pages of {0:?} cannot use this server; send the request from a program on this machine")]
    Origin(String),
}

/// Checks the headers of a request. `remote`: requests from other machines are allowed, under any name.
///
/// # Errors
/// [`RefusedCaller`].
pub(super) fn check(headers: &HeaderMap, remote: bool) -> Result<(), RefusedCaller> {
    if remote {
        return Ok(());
    }
    let text = |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    if let Some(host) = text("host")
        && !is_local(&host)
    {
        return Err(RefusedCaller::Host(host));
    }
    if let Some(origin) = text("origin")
        && !is_local_origin(&origin)
    {
        return Err(RefusedCaller::Origin(origin));
    }
    Ok(())
}

/// Returns whether an origin is a page that this machine serves.
pub(super) fn is_local_origin(origin: &str) -> bool {
    origin.split_once("://").is_some_and(|(_, authority)| is_local(authority))
}

/// Returns whether a host is this machine: `127.0.0.1:4566`, `[::1]`, `localhost`, or `bucket.localhost`, a
/// virtual-hosted bucket of S3.
fn is_local(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn with(name: &'static str, value: &str) -> Result<(), RefusedCaller> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        check(&headers, false)
    }

    #[test]
    fn names_of_this_machine_are_accepted() {
        for host in
            ["127.0.0.1:4566", "127.0.0.1", "localhost:1", "[::1]:1", "LOCALHOST", "bucket.localhost:9", "127.8.8.8"]
        {
            assert_eq!(with("host", host), Ok(()), "{host}");
        }
        assert_eq!(with("origin", "http://localhost:3000"), Ok(()));
    }

    #[test]
    fn other_names_that_resolve_to_this_machine_are_refused() {
        for host in
            ["evil.example", "localhost.evil.example:4566", "127.0.0.1.evil.example", "192.168.0.1", "", "[::2]"]
        {
            assert!(with("host", host).is_err(), "{host}");
        }
    }

    #[test]
    fn a_web_page_of_another_host_is_refused() {
        for origin in ["https://evil.example", "null", "file://", "http://127.0.0.1.evil.example"] {
            assert!(matches!(with("origin", origin), Err(RefusedCaller::Origin(_))), "{origin}");
        }
        let mut headers = HeaderMap::new();
        headers.insert("host", "stagehost.lan".parse().unwrap());
        assert_eq!(check(&headers, true), Ok(()), "unless other machines are allowed");
    }
}
