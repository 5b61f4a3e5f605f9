//! Failures with their context.

use crate::bindings::toq::media::types::Failure;

/// Returns the same failure with `context` before its text.
pub fn in_context(context: &str, failure: Failure) -> Failure {
    let with_context = |text: String| format!("{context}: {text}");
    match failure {
        Failure::InvalidInput(text) => Failure::InvalidInput(with_context(text)),
        Failure::Missing(text) => Failure::Missing(with_context(text)),
        Failure::Mismatch(text) => Failure::Mismatch(with_context(text)),
        Failure::Unsupported(text) => Failure::Unsupported(with_context(text)),
        Failure::Corrupt(text) => Failure::Corrupt(with_context(text)),
        Failure::TooLarge(text) => Failure::TooLarge(with_context(text)),
        Failure::Denied(text) => Failure::Denied(with_context(text)),
        Failure::Transient(text) => Failure::Transient(with_context(text)),
        Failure::Internal(text) => Failure::Internal(with_context(text)),
    }
}

/// Returns the text of a failure.
pub fn text(failure: &Failure) -> &str {
    match failure {
        Failure::InvalidInput(text)
        | Failure::Missing(text)
        | Failure::Mismatch(text)
        | Failure::Unsupported(text)
        | Failure::Corrupt(text)
        | Failure::TooLarge(text)
        | Failure::Denied(text)
        | Failure::Transient(text)
        | Failure::Internal(text) => text,
    }
}
