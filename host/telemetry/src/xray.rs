//! The X-Ray daemon beside the function: datagrams, sent without waiting and without an answer.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};

/// What the daemon expects in front of a document.
const HEADER: &str = "{\"format\": \"json\", \"version\": 1}\n";

/// Why no segments are sent, although an address is given.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The address is none.
    #[error("AWS_XRAY_DAEMON_ADDRESS is {0:?}; it must be HOST:PORT or \"tcp:HOST:PORT udp:HOST:PORT\"")]
    Address(String),
    /// There is no socket to be had.
    #[error("no socket for the X-Ray daemon: {0}")]
    Socket(#[from] io::Error),
}

/// Sends segments to the daemon.
#[derive(Debug)]
pub struct XRay {
    socket: UdpSocket,
    daemon: SocketAddr,
    told: AtomicBool,
}

impl XRay {
    /// To the daemon at `AWS_XRAY_DAEMON_ADDRESS`; `None` where it is not set.
    ///
    /// # Errors
    /// [`DaemonError`]; the host can do without.
    pub fn from_env() -> Result<Option<Self>, DaemonError> {
        match std::env::var("AWS_XRAY_DAEMON_ADDRESS") {
            Ok(address) if !address.trim().is_empty() => Self::to(&address).map(Some),
            _ => Ok(None),
        }
    }

    /// To the daemon at `address`: `HOST:PORT`, or the daemon's own notation with `udp:HOST:PORT` in it.
    ///
    /// # Errors
    /// [`DaemonError`], when the address is none or there is no socket.
    pub fn to(address: &str) -> Result<Self, DaemonError> {
        let wrong = || DaemonError::Address(address.to_owned());
        let words = || address.split_whitespace();
        let udp = words().find_map(|word| word.strip_prefix("udp:"));
        let plain = udp.or_else(|| words().next().filter(|_| words().count() == 1)).ok_or_else(wrong)?;
        let daemon = match plain.parse() {
            Ok(daemon) => daemon,
            Err(_) => plain.to_socket_addrs().ok().and_then(|mut found| found.next()).ok_or_else(wrong)?,
        };
        let own: SocketAddr = match daemon {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(own)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, daemon, told: AtomicBool::new(false) })
    }

    /// Sends each document in a datagram of its own. What cannot be sent at once is lost: nobody waits for a trace.
    pub(crate) fn send(&self, documents: &[String]) {
        for document in documents {
            let datagram = format!("{HEADER}{document}");
            if let Err(error) = self.socket.send_to(datagram.as_bytes(), self.daemon)
                && !self.told.swap(true, Ordering::Relaxed)
            {
                tracing::debug!(daemon = %self.daemon, %error, "a segment was not sent; more are not reported");
            }
        }
    }
}

#[cfg(test)]
#[path = "xray_tests.rs"]
mod tests;
