//! Faults that are put in on purpose, so that a test shows that the campaign finds them. They exist only in what the campaign
//! itself provides around the host.

/// A fault on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bite {
    /// Uploads are never aborted: the proxy answers `AbortMultipartUpload` with success and does not pass it on.
    AbortsAreLost,
    /// The state machine has no `Retry`.
    NoRetry,
    /// The state machine does not keep a result that the backend could not be told.
    NoLetter,
    /// MediaConvert does not recognise a repeated request by its token.
    TokensForgotten,
    /// MediaConvert writes other bytes with every job.
    OutputsDiffer,
}
