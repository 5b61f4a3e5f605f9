//! How long a page waits for a source.

use std::time::Duration;

use crate::source::error::SourceError;

/// How long a page waits for one source. A history of 25,000 events takes some seconds on AWS.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Returns what a source answers. `what` begins the sentence of the error: "the history".
///
/// # Errors
/// Those of the source, and [`SourceError::Failed`] if it does not answer within [`PATIENCE`].
pub(crate) async fn in_time<T>(
    what: &str,
    answer: impl Future<Output = Result<T, SourceError>>,
) -> Result<T, SourceError> {
    let late = |_| {
        let seconds = PATIENCE.as_secs();
        SourceError::Failed(format!("{what} did not come within {seconds} seconds; load the page again"))
    };
    tokio::time::timeout(PATIENCE, answer).await.map_err(late)?
}
