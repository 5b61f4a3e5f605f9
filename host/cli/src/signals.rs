//! Ctrl-C and SIGTERM.

use anyhow::{Context as _, Result};

use crate::exit::Exit;
use crate::output::printer::Printer;

/// The signals that ask this process to stop, from now on. While one of these exists, a signal does nothing by itself.
pub struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// If the system refuses it.
    pub fn listen() -> Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let listen = |kind| signal(kind).context("cannot listen for signals");
            Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for a signal. Returns how a command ends by it.
    pub async fn stopped(&mut self) -> Exit {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
        }
        #[cfg(not(unix))]
        {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            Exit::Interrupted
        }
    }

    /// Does the work, or drops it at a signal.
    pub async fn or<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Exit> {
        tokio::select! {
            done = work => Ok(done),
            exit = self.stopped() => Err(exit),
        }
    }
}

/// Does a command's work, or drops it at a signal, with the temporary files and processes that it holds.
///
/// # Errors
/// If the work fails.
pub async fn stoppable(printer: &Printer, work: impl Future<Output = Result<Exit>>) -> Result<Exit> {
    match Signals::listen()?.or(work).await {
        Ok(outcome) => outcome,
        Err(stopped) => {
            printer.problem("stopped");
            Ok(stopped)
        }
    }
}
