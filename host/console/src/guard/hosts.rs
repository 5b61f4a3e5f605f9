//! The names under which the pages can be opened.
//!
//! A page elsewhere can make its own name resolve to this machine (DNS rebinding); then a browser takes both for one site. It
//! cannot choose the Host header, which carries that name. So only names are accepted which nobody else can own: addresses, and
//! `localhost`.

use std::net::IpAddr;

/// Which values of the Host header are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptedHosts {
    /// Loopback addresses and `localhost`.
    Loopback,
    /// Any address, and `localhost`: other machines may use the pages.
    Addresses,
}

impl AcceptedHosts {
    /// Returns whether a Host header, such as `127.0.0.1:4599`, is accepted.
    pub fn accept(self, authority: &str) -> bool {
        let host = match authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
        };
        let host = host.trim_end_matches('.');
        if host.eq_ignore_ascii_case("localhost") {
            return true;
        }
        host.parse::<IpAddr>().is_ok_and(|address| self == Self::Addresses || address.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_somebody_can_own_is_never_accepted() {
        for host in ["127.0.0.1:4599", "localhost", "LOCALHOST:1", "[::1]:4599", "127.0.0.1"] {
            assert!(AcceptedHosts::Loopback.accept(host), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:4599", "192.168.0.5", "", "[", "a]"]
        {
            assert!(!AcceptedHosts::Loopback.accept(host), "{host}");
        }
        assert!(AcceptedHosts::Addresses.accept("192.168.0.5:4599"));
        assert!(!AcceptedHosts::Addresses.accept("rebound.evil.example:4599"));
    }
}
