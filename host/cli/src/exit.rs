//! Exit codes, for scripts.

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything is done.
    Success = 0,
    /// It could not be done.
    Failure = 1,
    /// It was asked for in the wrong way.
    Usage = 2,
    /// The batch is done but for some of its files.
    Partial = 3,
    /// What was compared is not the same.
    Different = 4,
    /// Ctrl-C, as shells report it.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error in what the person asked for: a missing folder, an unknown state.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Ends the command as wrong usage.
macro_rules! usage {
    ($($text:tt)*) => { anyhow::Error::from($crate::exit::UsageError(format!($($text)*))) };
}
pub(crate) use usage;

/// Wrong usage is told apart from things that failed.
pub fn of_error(error: &anyhow::Error) -> Exit {
    if error.downcast_ref::<UsageError>().is_some() { Exit::Usage } else { Exit::Failure }
}
