//! The visits of states as bars over time.

use maud::{Markup, html};
use time::OffsetDateTime;

use super::visits::{Ending, Visit, Visits};
use crate::html::format::{between, clipped, clock, duration};

/// The width of the whole time, in units of the drawing.
const WIDTH: f64 = 1000.0;

/// Returns the class and the word for the ending of a visit.
pub(super) fn ending(ending: Ending) -> (&'static str, &'static str) {
    match ending {
        Ending::Running => ("run", "running"),
        Ending::Left => ("ok", "done"),
        Ending::Caught => ("caught", "failed, caught"),
        Ending::Failed => ("bad", "failed"),
        Ending::Stopped => ("off", "stopped"),
    }
}

/// How many visits a page shows. A history can have 25,000 events.
pub(super) const ON_A_PAGE: usize = 200;

/// Shows the visits from `first` on, each with a link to its page.
pub(super) fn timeline(
    visits: &Visits,
    first: usize,
    began: OffsetDateTime,
    until: OffsetDateTime,
    url: impl Fn(i64) -> String,
) -> Markup {
    let whole = between(began, until).max(1.0);
    html! {
        ol.timeline {
            @for visit in visits.all.iter().skip(first).take(ON_A_PAGE) {
                @let (class, word) = ending(visit.ending);
                li class={ "depth" (visit.depth.min(4)) } {
                    a href=(url(visit.event)) {
                        span.state { (visit.state) }
                        span class={ "badge " (class) } { (word) }
                        @if visit.earlier_try { span.again { "earlier try" } }
                        span.took { (took(visit, until)) }
                    }
                    (bar(visit, began, until, whole, class))
                    @if let Some((error, cause)) = &visit.fault {
                        p.fault { strong { (clipped(error, 300)) } @if !cause.is_empty() { " " (clipped(cause, 300)) } }
                    }
                }
            }
        }
    }
}

fn took(visit: &Visit, until: OffsetDateTime) -> String {
    visit.entered.map_or_else(String::new, |entered| duration(between(entered, visit.end().unwrap_or(until))))
}

/// Returns a bar for the visit, with a mark for each failed try.
fn bar(visit: &Visit, began: OffsetDateTime, until: OffsetDateTime, whole: f64, class: &str) -> Markup {
    let at = |time: OffsetDateTime| (between(began, time) / whole * WIDTH).clamp(0.0, WIDTH).round();
    let Some(entered) = visit.entered else { return html! {} };
    let left = at(entered);
    let width = (at(visit.end().unwrap_or(until)) - left).max(4.0).min(WIDTH - left + 4.0);
    let from = clock(entered);
    html! {
        svg.bar viewBox="0 0 1004 10" preserveAspectRatio="none" aria-hidden="true" {
            title { "from " (from) }
            rect.ground x="0" y="4" width="1004" height="2" {}
            rect class=(class) x=(left) y="0" width=(width) height="10" rx="2" {}
            @for attempt in visit.attempts.iter().filter(|attempt| attempt.fault.is_some()) {
                @if let Some(ended) = attempt.ended { rect.failed x=(at(ended)) y="0" width="4" height="10" {} }
            }
        }
    }
}
