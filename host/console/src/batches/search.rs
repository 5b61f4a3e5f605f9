//! Finding executions: a page of the list, or those that a text is in.

use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::summary::BatchSummary;
use crate::app::App;
use crate::source::error::SourceError;
use crate::source::executions::{ExecutionStatus, ListedExecution};

/// How many executions a page shows.
const PAGE: u16 = 50;
/// How many executions one search looks at, before it asks whether to go on.
const LOOKED_AT: usize = 1_000;
/// How many executions are read at once.
const AT_ONCE: usize = 8;

/// Executions for a page.
pub(super) struct Found {
    /// Each with what is in it; `None` if it could not be read.
    pub(super) rows: Vec<(ListedExecution, Option<Arc<BatchSummary>>)>,
    /// The token of the next page.
    pub(super) next: Option<String>,
    /// How many were looked at, if it was a search.
    pub(super) looked_at: Option<usize>,
}

/// Returns a page of the list.
///
/// # Errors
/// If the list cannot be read.
pub(super) async fn find(
    app: &App,
    status: Option<ExecutionStatus>,
    words: &str,
    after: Option<&str>,
) -> Result<Found, SourceError> {
    let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
    let source = app.parts.executions.as_ref();
    if words.is_empty() {
        let page = source.list(status, after, PAGE).await?;
        return Ok(Found { rows: summarized(app, page.executions).await?, next: page.next, looked_at: None });
    }
    let (mut rows, mut looked_at, mut token) = (Vec::new(), 0, after.map(str::to_owned));
    loop {
        let page = source.list(status, token.as_deref(), 2 * PAGE).await?;
        looked_at += page.executions.len();
        let read = summarized(app, page.executions).await?;
        rows.extend(read.into_iter().filter(|(listed, summary)| {
            let text = summary.as_ref().map_or_else(|| listed.name.to_lowercase(), |summary| summary.text.clone());
            words.iter().all(|word| text.contains(word))
        }));
        token = page.next;
        if token.is_none() || rows.len() >= usize::from(PAGE) || looked_at >= LOOKED_AT {
            return Ok(Found { rows, next: token, looked_at: Some(looked_at) });
        }
    }
}

/// Returns executions with what is in them, in the same order.
async fn summarized(
    app: &App,
    executions: Vec<ListedExecution>,
) -> Result<Vec<(ListedExecution, Option<Arc<BatchSummary>>)>, SourceError> {
    stream::iter(executions)
        .map(|listed| async move {
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
