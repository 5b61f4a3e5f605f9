//! Decides which addresses the host may call for a stage.
//!
//! A stage names a URL, and the name in it resolves to whatever its owner chooses. Inside a cloud account that may be
//! the metadata service or a private database. So the address is checked after the name has been resolved, by the
//! resolver that the connection itself uses: there is no second look-up with another result.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// What the host of a URL is, by its text alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UrlHost {
    /// `localhost` or a loopback address: this machine.
    Loopback,
    /// A name that has to be resolved.
    Name,
    /// An address of the public Internet.
    Public,
    /// A private, link-local or reserved address.
    Internal,
}

/// Returns what the host of `url` is; `None` if the URL has no host.
pub(crate) fn url_host(url: &Url) -> Option<UrlHost> {
    let host = url.host_str()?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Some(match bare.parse::<IpAddr>() {
        Ok(address) if is_loopback(address) => UrlHost::Loopback,
        Ok(address) if is_public(address) => UrlHost::Public,
        Ok(_) => UrlHost::Internal,
        Err(_) if is_localhost(bare) => UrlHost::Loopback,
        Err(_) => UrlHost::Name,
    })
}

/// Returns whether `name` means this machine (RFC 6761). Names below `localhost` are names like any other: they may be called
/// only where they resolve to public addresses.
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
}

fn is_loopback(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback()),
    }
}

/// Returns whether an address belongs to the public Internet, by IANA's special-purpose registries (RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_unspecified()
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || a >= 240)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(v4) = address.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // Translated to IPv4 on the way (RFC 6052, and 6to4).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        // IETF protocol assignments with Teredo, and documentation.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        // Global unicast is 2000::/3; all other addresses are local, private, multicast or unassigned.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// Resolves names to those addresses that a stage may call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GuardedResolver {
    /// Whether `localhost` may be called.
    pub(crate) loopback: bool,
}

/// A name without an address that a stage may call.
#[derive(Debug, thiserror::Error)]
#[error("{0} resolves to no public address, and stages must not call into private networks")]
pub(crate) struct NoPublicAddress(String);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let loopback = self.loopback;
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed = allowed(&name, loopback, found);
            if allowed.is_empty() {
                return Err(NoPublicAddress(name).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Returns the addresses that may be called under this name.
fn allowed(name: &str, loopback: bool, found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let local = is_localhost(name);
    let fits = |address: IpAddr| if local { loopback && is_loopback(address) } else { is_public(address) };
    found.filter(|address| fits(address.ip())).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn private_and_reserved_addresses_are_not_public_in_any_notation() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:169.254.169.254",
            "::ffff:10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::",
            "2001:db8::1",
            "2001::1",
            "fec0::1",
            "::127.0.0.1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in ["1.1.1.1", "52.95.110.1", "2606:4700::1111", "2a05:d018::1", "::ffff:1.1.1.1"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn the_metadata_address_is_recognised_in_every_spelling_of_a_url() {
        for url in [
            "http://169.254.169.254/",
            "http://2852039166/",
            "http://0xa9fea9fe/",
            "http://0251.0376.0251.0376/",
            "http://[::ffff:169.254.169.254]/",
            "http://169.254.43518/",
        ] {
            assert_eq!(url_host(&Url::parse(url).unwrap()), Some(UrlHost::Internal), "{url}");
        }
        for url in [
            "http://localhost:8080/",
            "http://127.0.0.1/",
            "http://127.1/",
            "http://[::1]:80/",
            "http://[::ffff:127.0.0.1]/",
            "http://LOCALHOST./",
        ] {
            assert_eq!(url_host(&Url::parse(url).unwrap()), Some(UrlHost::Loopback), "{url}");
        }
        assert_eq!(url_host(&Url::parse("https://localhost.example.com/").unwrap()), Some(UrlHost::Name));
    }

    #[test]
    fn a_public_name_that_resolves_to_a_private_address_is_not_called() {
        let private: SocketAddr = "10.0.0.5:0".parse().unwrap();
        let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let public: SocketAddr = "1.1.1.1:0".parse().unwrap();
        for local in [true, false] {
            assert_eq!(allowed("rebind.example.com", local, [private, loopback, public].into_iter()), [public]);
            assert!(allowed("rebind.example.com", local, [loopback].into_iter()).is_empty());
        }
        assert_eq!(allowed("localhost", true, [private, loopback].into_iter()), [loopback]);
    }

    #[test]
    fn where_this_machine_is_denied_no_name_leads_there() {
        let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let mapped: SocketAddr = "[::ffff:127.0.0.1]:0".parse().unwrap();
        for name in ["localhost", "LOCALHOST.", "a.localhost", "rebind.example.com"] {
            assert!(allowed(name, false, [loopback, mapped].into_iter()).is_empty(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn an_ipv4_mapped_address_is_as_public_as_its_ipv4_address(bits: u32) {
            let v4 = Ipv4Addr::from(bits);
            prop_assert_eq!(is_public(v4.into()), is_public(v4.to_ipv6_mapped().into()));
        }

        #[test]
        fn no_url_makes_the_check_panic(text in "https?://.{0,30}") {
            if let Ok(url) = Url::parse(&text) {
                let _ = url_host(&url);
            }
        }
    }
}
