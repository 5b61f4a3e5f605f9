//! What is published can be trusted or is refused: keys and signed envelopes.
//!
//! Whatever comes from a bucket is only as good as its signature; this crate is the one place that says whose signature
//! counts. It holds no compiler, so that the Lambda host can link it.

mod envelope;
mod keys;

pub use envelope::{EnvelopeError, Opened, open, open_signed, seal};
pub use keys::{KeyError, PublicKey, SigningKey, TrustedKeys};
