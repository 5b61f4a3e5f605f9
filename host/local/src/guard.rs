//! Who may speak to a server on loopback: programs of this machine, not web pages that its browser has open.
//!
//! A page can send requests to `127.0.0.1`, and a name of the attacker's can be made to resolve to it (DNS rebinding).
//! Neither can forge the Host and Origin headers.

use std::net::IpAddr;

use http::HeaderMap;

/// Why a request is not served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Foreign {
    /// Reached by a name that is not this machine's.
    #[error("the Host {0:?} is not this machine's; use 127.0.0.1 or localhost")]
    Host(String),
    /// Sent by a web page from elsewhere.
    #[error("a web page of {0:?} may not use this server")]
    Origin(String),
}

/// Checks a request. `remote`: the server was told to serve other machines, under whatever name.
pub(crate) fn check(headers: &HeaderMap, remote: bool) -> Result<(), Foreign> {
    if remote {
        return Ok(());
    }
    let text = |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    if let Some(host) = text("host")
        && !is_local(&host)
    {
        return Err(Foreign::Host(host));
    }
    if let Some(origin) = text("origin") {
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        if !authority.is_some_and(is_local) {
            return Err(Foreign::Origin(origin));
        }
    }
    Ok(())
}

/// `127.0.0.1:4566`, `[::1]`, `localhost`, and `bucket.localhost`, which is how S3 addresses a bucket by name.
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

    fn with(name: &'static str, value: &str) -> Result<(), Foreign> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        check(&headers, false)
    }

    #[test]
    fn this_machines_names_are_served() {
        for host in
            ["127.0.0.1:4566", "127.0.0.1", "localhost:1", "[::1]:1", "LOCALHOST", "bucket.localhost:9", "127.8.8.8"]
        {
            assert_eq!(with("host", host), Ok(()), "{host}");
        }
        assert_eq!(with("origin", "http://localhost:3000"), Ok(()));
    }

    #[test]
    fn a_name_that_was_made_to_point_here_is_not() {
        for host in
            ["evil.example", "localhost.evil.example:4566", "127.0.0.1.evil.example", "192.168.0.1", "", "[::2]"]
        {
            assert!(with("host", host).is_err(), "{host}");
        }
    }

    #[test]
    fn a_web_page_from_elsewhere_is_not() {
        for origin in ["https://evil.example", "null", "file://", "http://127.0.0.1.evil.example"] {
            assert!(matches!(with("origin", origin), Err(Foreign::Origin(_))), "{origin}");
        }
        let mut headers = HeaderMap::new();
        headers.insert("host", "stagehost.lan".parse().unwrap());
        assert_eq!(check(&headers, true), Ok(()), "unless other machines are served on purpose");
    }
}
