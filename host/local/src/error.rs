//! Why the local services cannot start.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::receiver::{ReceiverError, WebhookSecretError};
use crate::s3;

/// Why the local services cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Other machines can reach the address, and the options do not allow that.
    #[error(
        "other machines can reach {0}, and the services check no credentials; bind 127.0.0.1, or allow remote access \
         explicitly"
    )]
    NotLoopback(SocketAddr),
    /// The port is in use or needs privileges.
    #[error("port {} of {} cannot be bound: {source}; stop the program that uses it, or choose another port (0 selects a free one)", address.port(), address.ip())]
    Bind {
        /// The address in the options.
        address: SocketAddr,
        /// The system's error.
        source: std::io::Error,
    },
    /// The folder of objects cannot be served.
    #[error(transparent)]
    Store(#[from] s3::StoreError),
    /// The folder for everything but objects cannot be used.
    #[error("the folder {} cannot be used: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The secret for callbacks is invalid.
    #[error(transparent)]
    Secret(#[from] WebhookSecretError),
    /// The receiver's database cannot be opened.
    #[error(transparent)]
    Receiver(#[from] ReceiverError),
    /// A function that is not the host's has a target that cannot be used.
    #[error("the function {name:?} cannot be called: {reason}")]
    ForeignFunction {
        /// The function.
        name: String,
        /// What is wrong with its URL or command.
        reason: String,
    },
    /// The options contain no name of the function.
    #[error("the function has no name; give at least one")]
    NoFunction,
}
