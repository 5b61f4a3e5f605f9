//! The page of one stay in a state: input, output, tries, calls and what they printed.

use axum::extract::{Path, State};
use maud::{Markup, html};
use serde_json::Value;
use stagehost_pins::short_digest;

use super::callback::attempts;
use super::loaded::{load_run, whole};
use super::signature::Signature;
use super::timeline::ending;
use super::visits::{Ending, Visit};
use crate::app::Shared;
use crate::fault::Fault;
use crate::html::format::{batch_url, between, bytes, clipped, duration, file_name};
use crate::html::frame::{Sheet, Tab, framed};
use crate::html::parts::{document, empty, fault, no_calls, time};
use crate::source::error::SourceError;
use crate::source::journal::{KnownCalls, LoggedCall};

/// How much of what a call said is shown, in bytes. The host keeps 8 KiB of what a stage printed.
const LONGEST_TEXT: usize = 16 << 10;

/// The most calls on a page.
const MOST_CALLS: usize = 500;

pub(crate) async fn show(State(app): State<Shared>, Path((name, event)): Path<(String, i64)>) -> Result<Markup, Fault> {
    let run = load_run(&app, &name).await?;
    let visit = run.visit(event)?;
    let (known, signature, input, output) = futures::join!(
        app.calls(&run.facts.listed.arn),
        Signature::of_revision(&app, revision(visit)),
        whole(&app, visit.input.as_deref()),
        whole(&app, visit.output.as_deref()),
    );
    let (known, problem) = match known {
        Ok(known) => (known, None),
        Err(error) => (KnownCalls::default(), Some(no_calls(&error))),
    };
    let calls: Vec<_> = known.calls.into_iter().filter(|call| call.state == visit.state).collect();
    let signature = if calls.is_empty() { Signature::default() } else { signature };
    let comment = run.plan.as_ref().ok().and_then(|plan| plan.state(&visit.state)).map(|state| state.comment.as_str());
    let (class, word) = ending(visit.ending);
    let body = html! {
        nav.crumbs aria-label="Where you are" {
            a href="/console" { "Batches" } a href=(batch_url(&name)) { (name) }
        }
        div.heading {
            h1 { (visit.state) } span class={ "badge " (class) } { (word) }
            @if visit.earlier_try { span.badge.off { "earlier try" } }
            @if app.options.allow_changes && visit.input.is_some() {
                div.actions { a.button href={ (batch_url(&name)) "/again?event=" (event) } { "Run again with this input" } }
            }
        }
        @if let Some(comment) = comment { p.comment { (comment) } }
        (facts(visit))
        @if let Some((error, cause)) = &visit.fault {
            div.problem { (fault(error, cause)) }
        }
        @if !visit.attempts.is_empty() { section { h2 { "Tries" } (attempts(&visit.attempts, visit.ending == Ending::Running)) } }
        @if let Some(problem) = problem { (problem) }
        @if !calls.is_empty() || (visit.kind == "Task" && !known.gaps.is_empty()) {
            section {
                h2 { "Calls" }
                @for gap in &known.gaps { p.note { (gap) } }
                (signature.sentence())
                @if calls.iter().any(|call| signature.lacks(&visit.state, &run.facts.listed.name, &call.digest)) {
                    p.note { "Some of these calls ran other bytes than this revision of the pins has for the state." }
                }
                @if calls.is_empty() { (empty("No call of this state is known.")) } @else { (table(&calls)) }
            }
        }
        @if visit.left_out {
            p.note { "This history has more input and output than a page can hold, so that of its first states is left out here. Step Functions has it; the page of the batch has the command." }
        }
        section.columns {
            (part("input", "Input", visit.input.as_deref(), &input))
            (part("output", "Output", visit.output.as_deref(), &output))
        }
    };
    Ok(framed(&app, Sheet { tab: Tab::Batches, title: &visit.state, live: None, body }))
}

/// Shows a document; of a large one that cannot be read, its head and the reason.
fn part(name: &str, title: &str, head: Option<&str>, whole: &Result<String, SourceError>) -> Markup {
    html! {
        @match whole {
            Ok(whole) => (document(name, title, whole)),
            Err(error) => div {
                (document(name, title, head.unwrap_or_default()))
                p.problem { "This is only the head of a large document, and the rest cannot be read: " (error.to_string()) }
            },
        }
    }
}

/// Returns the revision of the pins that the state's document names, also in the head of a large one.
fn revision(visit: &Visit) -> Option<u64> {
    let mut documents = [&visit.output, &visit.input].into_iter().flatten();
    documents.find_map(|text| serde_json::from_str::<Value>(text).ok()?.get("revision")?.as_u64())
}

fn facts(visit: &Visit) -> Markup {
    html! {
        dl.facts {
            div { dt { "Type" } dd { (visit.kind) } }
            @if let Some(entered) = visit.entered {
                div { dt { "Entered" } dd { (time(entered)) } }
                @if let Some(left) = visit.end() { div { dt { "Took" } dd { (duration(between(entered, left))) } } }
            }
        }
    }
}

/// Shows calls of stages.
pub(crate) fn table(calls: &[LoggedCall]) -> Markup {
    html! {
        table.list {
            thead { tr {
                th scope="col" { "File" } th scope="col" { "Result" } th scope="col" { "Stage" }
                th.number scope="col" { "Try" } th.number scope="col" { "Time" } th.number scope="col" { "Memory" }
            } }
            tbody {
                @for call in calls.iter().take(MOST_CALLS) {
                    tr {
                        td.name {
                            @match &call.key {
                                Some(key) => span title=(key) { (file_name(key)) },
                                None => "the whole batch",
                            }
                            @if !call.text.is_empty() { pre.log tabindex="0" { (clipped(&call.text, LONGEST_TEXT)) } }
                        }
                        td {
                            @match &call.failure {
                                Some(failure) => span.badge.bad { (failure) },
                                None => span.badge.ok { "done" },
                            }
                        }
                        td data-label="Stage" { (call.stage) " " (call.version) " " code title=(call.digest) { (short_digest(&call.digest)) } }
                        td.number data-label="Try" { (call.attempt + 1) }
                        td.number data-label="Time" { (duration(call.millis)) }
                        td.number data-label="Memory" { (bytes(call.memory)) }
                    }
                }
            }
        }
        @if calls.len() > MOST_CALLS { p.note { "The first " (MOST_CALLS) " of " (calls.len()) " calls are shown." } }
    }
}
