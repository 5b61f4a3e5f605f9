//! Sends documents to the X-Ray daemon beside the function, as datagrams without an answer.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};

/// The header that the daemon expects before each document.
const HEADER: &str = "{\"format\": \"json\", \"version\": 1}\n";

/// Why no segments can be sent to the given address.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The address is invalid or cannot be resolved.
    #[error("AWS_XRAY_DAEMON_ADDRESS is {0:?}; it must be HOST:PORT or \"tcp:HOST:PORT udp:HOST:PORT\"")]
    Address(String),
    /// No socket can be opened.
    #[error("cannot open a socket for the X-Ray daemon: {0}; the host runs without traces")]
    Socket(#[from] io::Error),
}

/// Sends segments to the daemon.
#[derive(Debug)]
pub struct XRay {
    socket: UdpSocket,
    daemon: SocketAddr,
    /// Whether a failure to send has been reported.
    reported: AtomicBool,
}

impl XRay {
    /// Returns a sender to the daemon at `AWS_XRAY_DAEMON_ADDRESS`; `None` if the variable is not set.
    ///
    /// # Errors
    /// [`DaemonError`]. The host can run without traces.
    pub fn from_env() -> Result<Option<Self>, DaemonError> {
        match std::env::var("AWS_XRAY_DAEMON_ADDRESS") {
            Ok(address) if !address.trim().is_empty() => Self::to(&address).map(Some),
            _ => Ok(None),
        }
    }

    /// Returns a sender to the daemon at `address`: `HOST:PORT`, or the daemon's own notation with `udp:HOST:PORT` in
    /// it.
    ///
    /// # Errors
    /// [`DaemonError`] if the address is invalid or no socket can be opened.
    pub fn to(address: &str) -> Result<Self, DaemonError> {
        let invalid = || DaemonError::Address(address.to_owned());
        let words = || address.split_whitespace();
        let udp = words().find_map(|word| word.strip_prefix("udp:"));
        let plain = udp.or_else(|| words().next().filter(|_| words().count() == 1)).ok_or_else(invalid)?;
        let daemon = match plain.parse() {
            Ok(daemon) => daemon,
            Err(_) => plain.to_socket_addrs().ok().and_then(|mut found| found.next()).ok_or_else(invalid)?,
        };
        let own: SocketAddr = match daemon {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(own)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, daemon, reported: AtomicBool::new(false) })
    }

    /// Sends each document in a datagram of its own. A document that cannot be sent at once is dropped.
    pub(crate) fn send(&self, documents: &[String]) {
        for document in documents {
            let datagram = format!("{HEADER}{document}");
            if let Err(error) = self.socket.send_to(datagram.as_bytes(), self.daemon)
                && !self.reported.swap(true, Ordering::Relaxed)
            {
                tracing::debug!(daemon = %self.daemon, %error, "a segment was not sent; further ones are not reported");
            }
        }
    }
}

#[cfg(test)]
#[path = "xray_tests.rs"]
mod tests;
