//! Failures: made from the errors of `std::io`, and with their context.

use std::io;

use crate::bindings::toq::media::types::Failure;

impl Failure {
    /// Returns its text.
    pub fn message(&self) -> &str {
        match self {
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

    /// Returns the same failure with `context` and a colon before its text.
    #[must_use]
    pub fn in_context(mut self, context: impl std::fmt::Display) -> Self {
        let text = text_mut(&mut self);
        *text = format!("{context}: {text}");
        self
    }

    /// Returns a failure for every status of an answer that is not from 200 to 299.
    pub(crate) fn of_status(host: &str, status: u16) -> Result<(), Self> {
        match status {
            200..=299 => Ok(()),
            408 | 425 | 429 | 500.. => Err(Self::Transient(format!("{host} answered with {status}"))),
            _ => Err(Self::Denied(format!("{host} answered with {status}"))),
        }
    }
}

fn text_mut(failure: &mut Failure) -> &mut String {
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

/// Adds a place to a failure.
pub trait FailureContext<T> {
    /// Returns the same result, with `context` and a colon before the text of its failure.
    ///
    /// # Errors
    /// The failure of the result itself.
    fn context(self, context: impl std::fmt::Display) -> Result<T, Failure>;
}

impl<T, E: Into<Failure>> FailureContext<T> for Result<T, E> {
    fn context(self, context: impl std::fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| error.into().in_context(context))
    }
}

/// A failure of the host comes back as it was. What a reader of a format says of its bytes is `corrupt`; everything else is
/// a defect of the stage.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let (kind, text) = (error.kind(), error.to_string());
        match (error.downcast::<Failure>(), kind) {
            (Ok(failure), _) => failure,
            (Err(_), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData) => Failure::Corrupt(text),
            (Err(_), _) => Failure::Internal(text),
        }
    }
}

/// Returns a failure as an error of `std::io`, which [`Failure::from`] turns back.
pub(crate) fn io_error(failure: Failure) -> io::Error {
    let kind = match &failure {
        Failure::Missing(_) => io::ErrorKind::NotFound,
        Failure::Denied(_) => io::ErrorKind::PermissionDenied,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_the_host_survives_std_io() {
        let failure = Failure::Transient("no answer".into());
        assert_eq!(Failure::from(io_error(failure.clone())), failure);
        assert_eq!(io_error(Failure::Missing("a".into())).kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_a_decoder_says_of_the_bytes_is_corrupt() {
        let cut_off = io::Error::new(io::ErrorKind::UnexpectedEof, "cut off");
        assert_eq!(Failure::from(cut_off), Failure::Corrupt("cut off".into()));
        assert_eq!(Failure::from(io::Error::other("oh")), Failure::Internal("oh".into()));
    }

    #[test]
    fn a_context_stands_before_the_text() {
        let result: Result<(), _> = Err(io::Error::new(io::ErrorKind::InvalidData, "no header"));
        assert_eq!(result.context("a.png"), Err(Failure::Corrupt("a.png: no header".into())));
        assert_eq!(Failure::Denied("no".into()).message(), "no");
    }
}
