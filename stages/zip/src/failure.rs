//! Failures with the place at which they happened.

use crate::bindings::toq::media::types::Failure;

/// The same failure, its text preceded by `place`.
pub fn at(place: &str, failure: Failure) -> Failure {
    let tell = |text: String| format!("{place}: {text}");
    match failure {
        Failure::InvalidInput(text) => Failure::InvalidInput(tell(text)),
        Failure::Missing(text) => Failure::Missing(tell(text)),
        Failure::Mismatch(text) => Failure::Mismatch(tell(text)),
        Failure::Unsupported(text) => Failure::Unsupported(tell(text)),
        Failure::Corrupt(text) => Failure::Corrupt(tell(text)),
        Failure::TooLarge(text) => Failure::TooLarge(tell(text)),
        Failure::Denied(text) => Failure::Denied(tell(text)),
        Failure::Transient(text) => Failure::Transient(tell(text)),
        Failure::Internal(text) => Failure::Internal(tell(text)),
    }
}
