//! What all parts of one seed share.

use std::net::SocketAddr;

use super::bite::Bite;
use super::log::Log;
use super::plan::Plan;

/// What all parts of one seed share.
pub(super) struct Shared {
    pub(super) plan: Plan,
    pub(super) log: Log,
    /// S3, Step Functions and the receiver.
    pub(super) local: SocketAddr,
    /// MediaConvert, SQS and Secrets Manager.
    pub(super) stand_ins: SocketAddr,
    pub(super) bite: Option<Bite>,
}
