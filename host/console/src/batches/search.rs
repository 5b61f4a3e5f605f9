//! Finding executions: a page of the list, or those that a text is in.

use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::summary::BatchSummary;
use crate::app::App;
use crate::source::error::SourceError;
use crate::source::executions::{ExecutionStatus, ListedExecution};

/// How many executions a page can show; 1,000 is the most that Step Functions lists at once.
pub(super) const SIZES: [u16; 3] = [50, 200, 1_000];
/// How many executions a page reads that are not remembered. Step Functions takes a few hundred `DescribeExecution` at once, and
/// then some ten a second (Step Functions Developer Guide, "Service quotas").
const READ: usize = 200;
/// How many executions a search lists at once.
const SEARCHED: u16 = 100;
/// How many executions one search looks at, before it asks whether to go on.
const LOOKED_AT: usize = 1_000;
/// How many executions are read at once.
const AT_ONCE: usize = 8;

/// Executions for a page.
pub(super) struct Found {
    /// Each with what is in it; `None` if that is not known.
    pub(super) rows: Vec<(ListedExecution, Option<Arc<BatchSummary>>)>,
    /// The token of the next page.
    pub(super) next: Option<String>,
    /// How many were looked at, if it was a search.
    pub(super) looked_at: Option<usize>,
    /// How many of the rows are still to be read.
    pub(super) unread: usize,
}

/// Returns a page of the list, of at most `size` executions, or of those that all `words` are in.
///
/// # Errors
/// If the list cannot be read.
pub(super) async fn find(
    app: &App,
    status: Option<ExecutionStatus>,
    words: &str,
    after: Option<&str>,
    size: u16,
) -> Result<Found, SourceError> {
    let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
    let source = app.parts.executions.as_ref();
    if words.is_empty() {
        let page = source.list(status, after, size).await?;
        let unknown = page.executions.iter().filter(|listed| app.summaries.known(listed).is_none()).count();
        let rows = summarized(app, page.executions, READ).await?;
        return Ok(Found { rows, next: page.next, looked_at: None, unread: unknown.saturating_sub(READ) });
    }
    let (mut rows, mut looked_at, mut token) = (Vec::new(), 0, after.map(str::to_owned));
    loop {
        let page = source.list(status, token.as_deref(), SEARCHED).await?;
        looked_at += page.executions.len();
        let read = summarized(app, page.executions, usize::MAX).await?;
        rows.extend(read.into_iter().filter(|(listed, summary)| {
            let text = summary.as_ref().map_or_else(|| listed.name.to_lowercase(), |summary| summary.text.clone());
            words.iter().all(|word| text.contains(word))
        }));
        token = page.next;
        if token.is_none() || rows.len() >= usize::from(size) || looked_at >= LOOKED_AT {
            return Ok(Found { rows, next: token, looked_at: Some(looked_at), unread: 0 });
        }
    }
}

/// Returns executions with what is in them, in the same order. At most `most` are read; of the others what is remembered counts.
async fn summarized(
    app: &App,
    executions: Vec<ListedExecution>,
    mut most: usize,
) -> Result<Vec<(ListedExecution, Option<Arc<BatchSummary>>)>, SourceError> {
    let known = executions.into_iter().map(|listed| {
        let summary = app.summaries.known(&listed);
        let read = summary.is_none() && most > 0;
        most -= usize::from(read);
        (listed, summary, read)
    });
    stream::iter(known.collect::<Vec<_>>())
        .map(|(listed, summary, read)| async move {
            if !read {
                return Ok((listed, summary));
            }
            match app.summaries.of(app.parts.executions.as_ref(), &listed).await {
                Ok(summary) => Ok((listed, Some(summary))),
                // Step Functions forgets executions 90 days after their end.
                Err(SourceError::Missing(_)) => Ok((listed, None)),
                Err(error) => Err(error),
            }
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await
}
