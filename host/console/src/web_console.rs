//! The console as a whole.

use std::sync::Arc;

use axum::Router;
use tokio::sync::watch;

use crate::app::{App, ConsoleOptions, ConsoleParts};
use crate::batches::summary::Summaries;
use crate::guard::SessionToken;
use crate::router;
use crate::source::error::SourceError;

/// The console's pages.
pub struct WebConsole {
    app: Arc<App>,
}

impl WebConsole {
    /// Returns the console over these parts.
    ///
    /// # Errors
    /// If the machine has no random numbers for the session's token.
    pub fn new(parts: ConsoleParts, options: ConsoleOptions) -> Result<Self, SourceError> {
        let token = SessionToken::random()
            .ok_or_else(|| SourceError::Failed("this machine has no random numbers for the console's token".into()))?;
        let closing = watch::channel(false).0;
        Ok(Self { app: Arc::new(App { parts, options, token, summaries: Summaries::default(), closing }) })
    }

    /// Returns the pages, below `/console`.
    pub fn router(&self) -> Router {
        router::router(self.app.clone())
    }

    /// Returns the session's token.
    #[cfg(test)]
    pub(crate) fn token(&self) -> &str {
        self.app.token.text()
    }

    /// Ends the streams of news, so that a server that stops need not wait for open pages.
    pub fn close(&self) {
        self.app.closing.send_replace(true);
    }
}
