//! Exit codes, for scripts.

use std::io::Read as _;
use std::path::Path;

use stagehost_pins::PinError;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything is done.
    Success = 0,
    /// It failed.
    Failure = 1,
    /// The command line is wrong, or names a file that cannot be read.
    Usage = 2,
    /// Some parts are done, others failed.
    Partial = 3,
    /// A comparison found differences.
    Different = 4,
    /// Stopped by Ctrl-C, as shells report it.
    Interrupted = 130,
    /// Stopped by SIGTERM, as shells report it.
    Terminated = 143,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A mistake in the command line: a missing folder, an unknown state.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Makes a [`UsageError`].
macro_rules! usage {
    ($($text:tt)*) => { anyhow::Error::from($crate::exit::UsageError(format!($($text)*))) };
}
pub(crate) use usage;

/// Returns the exit code of an error: wrong usage, or a place that has no pins, differs from failure.
pub fn of_error(error: &anyhow::Error) -> Exit {
    let no_pins = matches!(error.downcast_ref::<PinError>(), Some(PinError::None { .. }));
    if no_pins || error.downcast_ref::<UsageError>().is_some() { Exit::Usage } else { Exit::Failure }
}

/// The largest file that a command reads into memory, in bytes. A component from Python has some 20 MiB.
const LARGEST_FILE: u64 = 256 << 20;

/// Reads a file that the command line names; `option` is how, such as `--config`, or empty.
///
/// # Errors
/// If it cannot be read: wrong usage.
pub fn read_named(option: &str, file: &Path) -> anyhow::Result<Vec<u8>> {
    let option = if option.is_empty() { String::new() } else { format!("{option} ") };
    let mut bytes = Vec::new();
    let read = std::fs::File::open(file).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes));
    read.map_err(|error| usage!("cannot read {option}{}: {error}", file.display()))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(usage!("{option}{} is larger than {} MiB", file.display(), LARGEST_FILE >> 20));
    }
    Ok(bytes)
}

/// Reads a text file that the command line names.
///
/// # Errors
/// If it cannot be read or is not UTF-8: wrong usage.
pub fn read_named_text(option: &str, file: &Path) -> anyhow::Result<String> {
    let bytes = read_named(option, file)?;
    String::from_utf8(bytes).map_err(|_| usage!("{} is not a text in UTF-8", file.display()))
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_place_without_pins_is_a_missing_file_and_a_lost_revision_a_failure() {
        let place = || "pins/pins.json".to_owned();
        let none = Err::<(), _>(PinError::None { place: place() }).context("to roll back").map_err(|e| of_error(&e));
        assert_eq!(none, Err(Exit::Usage));
        assert_eq!(of_error(&PinError::Lost { revision: 3, place: place() }.into()), Exit::Failure);
        assert_eq!(of_error(&usage!("no pins are named")), Exit::Usage);
    }
}
