//! The page with all batches.

use axum::extract::{Query, State};
use maud::{Markup, html};
use serde::Deserialize;
use time::OffsetDateTime;

use super::search::{Found, SIZES, find};
use super::summary::BatchSummary;
use crate::app::Shared;
use crate::fault::Fault;
use crate::html::format::{batch_url, between, duration, encoded};
use crate::html::frame::{Sheet, Tab, framed};
use crate::html::parts::{badge, empty, time};
use crate::source::executions::{ExecutionStatus, ListedExecution};

/// What the page is asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    status: String,
    #[serde(default)]
    q: String,
    after: Option<String>,
    rows: Option<u16>,
}

impl Wanted {
    fn status(&self) -> Option<ExecutionStatus> {
        Some(ExecutionStatus::named(&self.status)).filter(|status| *status != ExecutionStatus::Other)
    }

    /// Returns how many executions the page shows: one of the sizes that are offered.
    fn size(&self) -> u16 {
        self.rows.filter(|rows| SIZES.contains(rows)).unwrap_or(SIZES[0])
    }

    /// Returns the address of the same list with another status or another page.
    fn url(&self, status: Option<ExecutionStatus>, after: Option<&str>) -> String {
        self.sized(status, after, self.size())
    }

    fn sized(&self, status: Option<ExecutionStatus>, after: Option<&str>, size: u16) -> String {
        let mut parts = Vec::new();
        parts.extend((size != SIZES[0]).then(|| format!("rows={size}")));
        parts.extend(status.map(|status| format!("status={}", status.name())));
        if !self.q.is_empty() {
            parts.push(format!("q={}", encoded(&self.q)));
        }
        parts.extend(after.map(|token| format!("after={}", encoded(token))));
        if parts.is_empty() { "/console".to_owned() } else { format!("/console?{}", parts.join("&")) }
    }
}

pub(crate) async fn show(State(app): State<Shared>, Query(wanted): Query<Wanted>) -> Result<Markup, Fault> {
    let found = find(&app, wanted.status(), wanted.q.trim(), wanted.after.as_deref(), wanted.size()).await?;
    let now = OffsetDateTime::now_utc();
    let body = html! {
        div.heading {
            h1 { "Batches" }
            form.search method="get" action="/console" role="search" {
                @if wanted.size() != SIZES[0] { input type="hidden" name="rows" value=(wanted.size()); }
                @if let Some(status) = wanted.status() { input type="hidden" name="status" value=(status.name()); }
                input type="search" name="q" value=(wanted.q) aria-label="Search by listing, batch, file or execution"
                    placeholder="Listing, batch, file or execution" autocomplete="off";
                button type="submit" { "Search" }
            }
        }
        nav.filters aria-label="Status" {
            a href=(wanted.url(None, None)) aria-current=[wanted.status().is_none().then_some("true")] { "All" }
            @for status in ExecutionStatus::ALL {
                a href=(wanted.url(Some(status), None)) aria-current=[(wanted.status() == Some(status)).then_some("true")] {
                    (label(status))
                }
            }
        }
        section data-part="list" { (list(&found, &wanted, now)) }
        nav.filters.sizes aria-label="Batches on a page" {
            @for size in SIZES {
                a href=(wanted.sized(wanted.status(), None, size)) aria-current=[(size == wanted.size()).then_some("true")] { (size) }
            }
            span { "on a page" }
        }
    };
    // Later pages do not move while somebody reads them.
    let live = wanted.after.is_none().then(|| "/console/live".to_owned());
    Ok(framed(&app, Sheet { tab: Tab::Batches, title: "Batches", live, body }))
}

fn label(status: ExecutionStatus) -> &'static str {
    match status {
        ExecutionStatus::Running => "Running",
        ExecutionStatus::Succeeded => "Succeeded",
        ExecutionStatus::Failed => "Failed",
        ExecutionStatus::TimedOut => "Timed out",
        ExecutionStatus::Aborted => "Stopped",
        ExecutionStatus::Other => "Other",
    }
}

fn list(found: &Found, wanted: &Wanted, now: OffsetDateTime) -> Markup {
    html! {
        @if found.rows.is_empty() {
            @if let Some(looked_at) = found.looked_at {
                (empty(&format!("Nothing was found in {looked_at} executions.")))
            } @else if wanted.status().is_some() {
                (empty("There is no such batch."))
            } @else {
                (empty("There is no batch yet. Upload a folder, send a message to the queue, or start an execution."))
            }
        } @else {
            table.list {
                thead { tr {
                    th scope="col" { "Status" }
                    th scope="col" { "Batch" }
                    th scope="col" { "Listing" }
                    th.number scope="col" { "Files" }
                    th.number scope="col" { "Failed" }
                    th scope="col" { "Began" }
                    th.number scope="col" { "Took" }
                } }
                tbody { @for (listed, summary) in &found.rows { (row(listed, summary.as_deref(), now)) } }
            }
        }
        @if found.unread > 0 {
            p.note { "Of " (found.unread) " batches only the name and the times are known yet; the page reads more each time that it is loaded." }
        }
        @if wanted.after.is_some() || found.next.is_some() {
            nav.pages aria-label="Pages" {
                @if wanted.after.is_some() { a href=(wanted.url(wanted.status(), None)) { "Newest" } }
                @if let Some(next) = &found.next {
                    a href=(wanted.url(wanted.status(), Some(next))) rel="next" {
                        @if found.looked_at.is_some() { "Search on" } @else { "Older" }
                    }
                }
            }
        }
    }
}

fn row(listed: &ListedExecution, summary: Option<&BatchSummary>, now: OffsetDateTime) -> Markup {
    let took = between(listed.started, listed.stopped.unwrap_or(now));
    let number = |count: Option<u64>| count.map_or_else(|| "–".to_owned(), |count| count.to_string());
    html! {
        tr {
            td { (badge(listed.status)) }
            td.name {
                a href=(batch_url(&listed.name)) { (listed.name) }
                @if let Some(error) = summary.and_then(|summary| summary.error.as_ref()) { span.why { (error) } }
            }
            td data-label="Listing" { (summary.and_then(|summary| summary.listing.as_deref()).unwrap_or("–")) }
            td.number data-label="Files" { (number(summary.and_then(|summary| summary.files))) }
            td.number data-label="Failed" {
                @match summary.and_then(|summary| summary.failed) {
                    Some(failed) if failed > 0 => strong.bad { (failed) },
                    failed => (number(failed)),
                }
            }
            td data-label="Began" { (time(listed.started)) }
            td.number data-label="Took" { (duration(took)) }
        }
    }
}
