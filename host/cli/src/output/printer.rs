//! The one place from which commands write.
//!
//! Results go to standard output, as text or (`--json`) as one document. Progress, notes and problems go to standard error.
//!
//! - **Nobody reads standard output any more**, as after `stagehost cost | head -1`: the rest is dropped in silence and the
//!   command goes on to its end. A batch is never left half-done for it. The exit code is the command's own.
//! - **Standard output cannot be written**, as on a full disk: the command goes on to its end, then names the reason and
//!   exits with 1.
//! - **Standard error cannot be written**: the text is dropped.

use std::fmt::{Arguments, Display};
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, anyhow};
use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;

use super::terminal;

/// Why standard output could not be written; there is one standard output for the whole process.
static FAILED: Mutex<Option<std::io::Error>> = Mutex::new(None);

/// How much a command writes on standard error, and in which way.
#[derive(Clone, Debug)]
pub enum Printer {
    /// `--quiet`: problems only.
    Silent,
    /// Lines: for files, pipes, and terminals without a movable cursor.
    Plain,
    /// Lines, and bars that move.
    Terminal(MultiProgress),
}

impl Printer {
    /// Returns the printer that fits standard error and `--quiet`.
    pub fn new(quiet: bool) -> Self {
        if quiet {
            Self::Silent
        } else if std::io::stderr().is_terminal() && terminal::moves_cursor() {
            Self::Terminal(MultiProgress::with_draw_target(ProgressDrawTarget::stderr()))
        } else {
            Self::Plain
        }
    }

    /// Writes a line of the result.
    pub fn line(&self, text: impl Display) {
        self.result(format_args!("{text}\n"));
    }

    /// Writes the result as a JSON document.
    pub fn document(&self, document: &impl Serialize) {
        match serde_json::to_string_pretty(document) {
            Ok(text) => self.line(text),
            Err(error) => fail(error.into()),
        }
    }

    /// Writes a note on standard error, but not with `--quiet`.
    pub fn note(&self, text: impl Display) {
        if !matches!(self, Self::Silent) {
            self.error(format_args!("{text}\n"));
        }
    }

    /// Writes a problem on standard error, also with `--quiet`.
    pub fn problem(&self, text: impl Display) {
        self.error(format_args!("stagehost: {text}\n"));
    }

    /// Returns where bars are drawn; nowhere unless they can move.
    pub fn screen(&self) -> MultiProgress {
        match self {
            Self::Terminal(screen) => screen.clone(),
            Self::Silent | Self::Plain => MultiProgress::with_draw_target(ProgressDrawTarget::hidden()),
        }
    }

    /// Ends the output.
    ///
    /// # Errors
    /// If standard output could not be written, except because its reader has gone.
    pub fn finish(&self) -> Result<()> {
        if let Err(error) = std::io::stdout().flush() {
            fail(error);
        }
        match FAILED.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(anyhow!("cannot write to standard output: {error}"))
            }
            _ => Ok(()),
        }
    }

    fn result(&self, text: Arguments<'_>) {
        if FAILED.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return;
        }
        self.between_bars(|| {
            if let Err(error) = std::io::stdout().lock().write_fmt(text) {
                fail(error);
            }
        });
    }

    fn error(&self, text: Arguments<'_>) {
        self.between_bars(|| {
            // There is nowhere left to say that it failed.
            let _ = std::io::stderr().lock().write_fmt(text);
        });
    }

    /// Writes while no bar is drawn.
    pub fn between_bars(&self, write: impl FnOnce()) {
        match self {
            Self::Terminal(screen) => screen.suspend(write),
            Self::Silent | Self::Plain => write(),
        }
    }
}

/// Keeps the first failure.
fn fail(error: std::io::Error) {
    FAILED.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
}
