//! How long a page waits for a source.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

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
    in_time_since(Instant::now(), what, answer).await
}

/// Returns one of many answers of a source, of which only some are asked for at once. They share [`PATIENCE`], which is counted
/// from `began`; otherwise a source that never answers would be waited for again and again.
///
/// # Errors
/// As those of [`in_time`].
pub(crate) async fn in_time_since<T>(
    began: Instant,
    what: &str,
    answer: impl Future<Output = Result<T, SourceError>>,
) -> Result<T, SourceError> {
    // What is too late already is not asked for.
    if !is_over(began)
        && let Ok(answered) = timeout_at(began + PATIENCE, answer).await
    {
        return answered;
    }
    let seconds = PATIENCE.as_secs();
    Err(SourceError::Failed(format!("{what} did not come within {seconds} seconds; load the page again")))
}

/// Returns whether answers that are waited for since `began` have had their time.
pub(crate) fn is_over(began: Instant) -> bool {
    began.elapsed() >= PATIENCE
}
