//! Finding executions: a page of the list, or those that a text is in.

use std::sync::Arc;

use futures::{StreamExt as _, stream};
use tokio::time::Instant;

use super::summary::BatchSummary;
use crate::app::App;
use crate::patience::{in_time_since, is_over};
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
/// How many words of a search count.
const MOST_WORDS: usize = 16;
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
    /// How many executions are still to be read.
    pub(super) unread: usize,
}

/// Returns a page of the list, of at most `size` executions, or of those that all `words` are in. All answers of the source
/// share the time that a page waits for one. A search that needs more returns what it has found, and its next page goes on.
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
    let words: Vec<String> = words.split_whitespace().take(MOST_WORDS).map(str::to_lowercase).collect();
    let source = app.parts.executions.as_ref();
    let began = Instant::now();
    if words.is_empty() {
        let page = in_time_since(began, "the list", source.list(status, after, size)).await?;
        let read = summarized(app, page.executions, READ, began).await;
        let unread = read.iter().filter(|row| row.unread).count();
        let rows = read.into_iter().map(|row| (row.listed, row.summary)).collect();
        return Ok(Found { rows, next: page.next, looked_at: None, unread });
    }
    let (mut rows, mut looked_at, mut unread, mut token) = (Vec::new(), 0, 0, after.map(str::to_owned));
    loop {
        let page = in_time_since(began, "the list", source.list(status, token.as_deref(), SEARCHED)).await?;
        looked_at += page.executions.len();
        for Row { listed, summary, unread: now_unread } in summarized(app, page.executions, usize::MAX, began).await {
            unread += usize::from(now_unread);
            let text = summary.as_ref().map_or_else(|| listed.name.to_lowercase(), |summary| summary.text.clone());
            if words.iter().all(|word| text.contains(word)) {
                rows.push((listed, summary));
            }
        }
        token = page.next;
        if token.is_none() || rows.len() >= usize::from(size) || looked_at >= LOOKED_AT || is_over(began) {
            return Ok(Found { rows, next: token, looked_at: Some(looked_at), unread });
        }
    }
}

/// An execution with what is in it.
struct Row {
    listed: ListedExecution,
    summary: Option<Arc<BatchSummary>>,
    /// It was not read, or could not be read now.
    unread: bool,
}

/// Returns executions with what is in them, in the same order. At most `most` are read, and only those that come in time since
/// `began`; of the others what is remembered counts. One that cannot be read now, as when Step Functions is asked too often,
/// costs what is in it and not the list.
async fn summarized(app: &App, executions: Vec<ListedExecution>, mut most: usize, began: Instant) -> Vec<Row> {
    let known = executions.into_iter().map(|listed| {
        let summary = app.summaries.known(&listed);
        let read = summary.is_none() && most > 0;
        most -= usize::from(read);
        (listed, summary, read)
    });
    stream::iter(known.collect::<Vec<_>>())
        .map(|(listed, summary, read)| async move {
            if !read {
                return Row { unread: summary.is_none(), listed, summary };
            }
            let source = app.parts.executions.as_ref();
            match in_time_since(began, "the execution", app.summaries.of(source, &listed)).await {
                Ok(summary) => Row { listed, summary: Some(summary), unread: false },
                // Step Functions forgets executions 90 days after their end.
                Err(error) => Row { listed, summary: None, unread: !matches!(error, SourceError::Missing(_)) },
            }
        })
        .buffered(AT_ONCE)
        .collect()
        .await
}
