//! A port that can be closed for a moment, so that connections are refused.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;

/// A port of loopback.
pub(super) struct Door {
    address: SocketAddr,
    /// Has the port while nothing listens on it, so that no other process gets it.
    _reserved: TcpSocket,
    shut: mpsc::UnboundedSender<Duration>,
    shutting: mpsc::UnboundedReceiver<Duration>,
    listener: Option<TcpListener>,
}

/// Closes a [`Door`].
#[derive(Clone)]
pub(super) struct Doorkeeper(mpsc::UnboundedSender<Duration>);

impl Doorkeeper {
    /// Lets nothing listen for so long.
    pub(super) fn shut(&self, time: Duration) {
        // It fails if the door is gone, and with it all connections.
        let _ = self.0.send(time);
    }
}

fn socket(address: SocketAddr) -> Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    // Both the reservation and the listener have the port.
    socket.set_reuseport(true)?;
    socket.bind(address).with_context(|| format!("binding {address}"))?;
    Ok(socket)
}

impl Door {
    /// Opens a free port.
    pub(super) fn open() -> Result<Self> {
        let reserved = socket((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = reserved.local_addr()?;
        let (shut, shutting) = mpsc::unbounded_channel();
        let listener = Some(socket(address)?.listen(256)?);
        Ok(Self { address, _reserved: reserved, shut, shutting, listener })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn keeper(&self) -> Doorkeeper {
        Doorkeeper(self.shut.clone())
    }

    /// Waits for the next connection.
    pub(super) async fn accept(&mut self) -> Result<TcpStream> {
        loop {
            let listener = match &self.listener {
                Some(listener) => listener,
                None => self.listener.insert(socket(self.address)?.listen(256)?),
            };
            let time = tokio::select! {
                biased;
                Some(time) = self.shutting.recv() => time,
                accepted = listener.accept() => return Ok(accepted?.0),
            };
            self.listener = None;
            tokio::time::sleep(time).await;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_closed_door_refuses_connections_and_opens_again() {
        let mut door = Door::open().unwrap();
        let (address, keeper) = (door.address(), door.keeper());
        let accepting = tokio::spawn(async move {
            loop {
                door.accept().await.unwrap();
            }
        });
        TcpStream::connect(address).await.unwrap();
        keeper.shut(Duration::from_millis(100));
        let refused = async { while TcpStream::connect(address).await.is_ok() {} };
        tokio::time::timeout(Duration::from_secs(10), refused).await.unwrap();
        let opened = async { while TcpStream::connect(address).await.is_err() {} };
        tokio::time::timeout(Duration::from_secs(10), opened).await.unwrap();
        accepting.abort();
    }
}
