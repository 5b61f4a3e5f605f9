//! What the backend was told.

use maud::{Markup, html};

use super::loaded::Loaded;
use super::visits::Attempt;
use crate::app::App;
use crate::html::format::{between, clock, duration};
use crate::html::parts::{document, empty, fault};
use crate::patience::in_time;

/// How many callbacks, headers of each and tries of a state are shown.
const MOST_CALLBACKS: usize = 20;
const MOST_HEADERS: usize = 100;
const MOST_TRIES: usize = 100;

/// Shows the callbacks of an execution, or says why they cannot be read.
pub(super) async fn shown(app: &App, loaded: &Loaded) -> Markup {
    let Some(journal) = &app.parts.callbacks else { return html! {} };
    let listing = loaded.batch.as_ref().map(|batch| batch.listing.id.to_string());
    let callbacks = in_time("the callbacks", journal.callbacks(&loaded.facts.listed.arn, listing.as_deref())).await;
    let callbacks = match callbacks {
        Ok(callbacks) => callbacks,
        Err(error) => {
            return html! { p.problem { "What the backend got cannot be read: " (error.to_string()) } };
        }
    };
    html! {
        @if callbacks.is_empty() { (empty("No callback of this batch is known.")) }
        @for (at, callback) in callbacks.iter().enumerate().take(MOST_CALLBACKS) {
            @if callbacks.len() > 1 { h3 { "Callback " (at + 1) } }
            p { "The backend accepted it at " (callback.at) "." }
            (document(&format!("callback-{at}"), "Body", &callback.body))
            table.list.headers {
                thead { tr { th scope="col" { "Header" } th scope="col" { "Value" } } }
                tbody { @for (name, value) in callback.headers.iter().take(MOST_HEADERS) { tr { td { code { (name) } } td { code { (value) } } } } }
            }
        }
    }
}

/// Shows the tries of a state, which is in it now or not.
pub(super) fn attempts(attempts: &[Attempt], runs: bool) -> Markup {
    html! {
        ol.attempts {
            @for attempt in attempts.iter().take(MOST_TRIES) {
                li {
                    @if let Some(began) = attempt.began { span { "from " (clock(began)) } }
                    @if let (Some(began), Some(ended)) = (attempt.began, attempt.ended) { span { (duration(between(began, ended))) } }
                    @match (&attempt.fault, attempt.ended) {
                        (Some((error, cause)), _) => { span.badge.bad { "failed" } @if error.is_empty() { span { "because of a state inside" } } (fault(error, cause)) },
                        (None, Some(_)) => span.badge.ok { "done" },
                        (None, None) if runs => span.badge.run { "not ended" },
                        (None, None) => span.badge.off { "stopped" },
                    }
                }
            }
        }
        @if attempts.len() > MOST_TRIES { p.note { "The first " (MOST_TRIES) " of " (attempts.len()) " tries are shown." } }
    }
}
