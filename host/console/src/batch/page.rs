//! The page of one batch.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use maud::{Markup, html};
use serde::Deserialize;
use time::OffsetDateTime;

use super::archives::archives;
use super::loaded::{Loaded, load};
use super::stages_that_ran::stages_that_ran;
use super::timeline::{ending, timeline};
use super::visits::Visits;
use super::{callback, cli, files};
use crate::app::{App, Shared};
use crate::fault::Fault;
use crate::html::format::{batch_url, between, duration, encoded};
use crate::html::frame::{Sheet, Tab, framed, token_field};
use crate::html::parts::{badge, command, empty, time};
use crate::plan::svg::{Mark, svg};
use crate::source::executions::ExecutionFacts;

/// Which part of the page is asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    /// The first file that is shown.
    #[serde(default)]
    files: usize,
}

pub(crate) async fn show(
    State(app): State<Shared>,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Markup, Fault> {
    let loaded = load(&app, &name).await?;
    let body = body(&app, &name, &loaded, wanted.files).await;
    let runs = !loaded.facts.listed.status.is_over();
    let live = runs.then(|| format!("/console/live/{}", encoded(&name)));
    Ok(framed(&app, Sheet { tab: Tab::Batches, title: &name, live, body }))
}

/// Returns the page's content. What needs other services is asked for at the same time, and each costs its own section at most.
async fn body(app: &App, name: &str, loaded: &Loaded, first_file: usize) -> Markup {
    let listed = &loaded.facts.listed;
    let until = listed.stopped.unwrap_or_else(OffsetDateTime::now_utc);
    let url = |event: i64| format!("{}/state/{event}", batch_url(name));
    let bundles = loaded.batch.as_ref().map(|batch| batch.bundles.as_slice()).unwrap_or_default();
    let (archives, stages, callback) =
        futures::join!(archives(app, bundles), stages_that_ran(app, loaded), callback::shown(app, loaded));
    html! {
        nav.crumbs aria-label="Where you are" { a href="/console" { "Batches" } }
        div.heading data-part="heading" {
            h1 { (name) } (badge(listed.status))
            @if app.options.allow_changes { (actions(app, name, &loaded.facts)) }
        }
        div data-part="facts" { (facts(loaded, until)) }
        section.wide data-part="plan" {
            h2 { "States" }
            (drawing(loaded, &url))
        }
        section data-part="timeline" {
            h2 { "Timeline" }
            @match &loaded.unread {
                Some(error) => p.problem { "The history cannot be read, so nothing is known about the states: " (error.to_string()) },
                None if loaded.visits.all.is_empty() => (empty("No state was entered yet.")),
                None => {},
            }
            (timeline(&loaded.visits, listed.started, until, url))
        }
        section data-part="files" { (all_files(name, loaded, first_file)) }
        section data-part="archives" { (archives) }
        section data-part="stages" { (stages) }
        section data-part="callback" { (callback) }
        section {
            h2 { "AWS CLI" }
            (command("cli-history", &cli::history(app, &listed.arn)))
            (command("cli-start", &cli::start(app, &loaded.facts.input.to_string())))
            @if let Some(batch) = &loaded.batch { (command("cli-copy", &cli::copy(app, &batch.listing.id.to_string()))) }
            @if loaded.facts.redrive.possible { (command("cli-redrive", &cli::redrive(app, &listed.arn))) }
            @if !listed.status.is_over() { (command("cli-stop", &cli::stop(app, &listed.arn))) }
        }
    }
}

fn actions(app: &App, name: &str, facts: &ExecutionFacts) -> Markup {
    html! {
        div.actions {
            @if facts.redrive.possible { a.button href={ (batch_url(name)) "/go-on" } { "Go on from where it stopped" } }
            a.button href={ (batch_url(name)) "/again" } { "Run again" }
            @if !facts.listed.status.is_over() {
                form method="post" action={ (batch_url(name)) "/stop" } data-confirm="Stop this batch?" {
                    (token_field(app))
                    button.danger type="submit" { "Stop" }
                }
            }
        }
    }
}

fn facts(loaded: &Loaded, until: OffsetDateTime) -> Markup {
    let (facts, listed) = (&loaded.facts, &loaded.facts.listed);
    let id = |id: Option<&stagehost_batch::Id>| id.map_or_else(|| "–".to_owned(), ToString::to_string);
    html! {
        dl.facts {
            @if let Some(batch) = &loaded.batch {
                div { dt { "Listing" } dd { (batch.listing.id) } }
                div { dt { "Batch" } dd { (id(batch.batch_id.as_ref())) } }
                div { dt { "Job" } dd { (id(batch.job_id.as_ref())) @if batch.retry > 0 { ", retry " (batch.retry) } } }
                div { dt { "Files" } dd { (batch.counts.assets) } }
                div { dt { "Failed" } dd class=(if batch.counts.failed > 0 { "bad" } else { "" }) { (batch.counts.failed) } }
                @if let Some(revision) = batch.revision {
                    div { dt { "Pins" } dd { a href={ "/console/pins?revision=" (revision) } { "revision " (revision) } } }
                }
            }
            div { dt { "Began" } dd { (time(listed.started)) } }
            div { dt { "Took" } dd { (duration(between(listed.started, until))) } }
            @if facts.redrive.count > 0 { div { dt { "Went on" } dd { @if facts.redrive.count == 1 { "once" } @else { (facts.redrive.count) " times" } " after its end" } } }
        }
        @if let Some(why) = &loaded.unreadable { p.problem { "The batch cannot be shown: " (why) } }
        @if facts.error.is_some() || facts.cause.is_some() {
            div.problem role="status" {
                strong { (facts.error.as_deref().unwrap_or("The execution ended without the name of an error.")) }
                @if let Some(cause) = &facts.cause { pre tabindex="0" { (cause) } }
            }
        }
        @for problem in loaded.batch.iter().flat_map(|batch| &batch.problems) {
            p.problem { strong { (problem.code) } " in " (problem.state) ": " (problem.message) }
        }
    }
}

fn drawing(loaded: &Loaded, url: &impl Fn(i64) -> String) -> Markup {
    let plan = match &loaded.plan {
        Ok(plan) => plan,
        Err(why) => return empty(why),
    };
    let marks = marks(&loaded.visits, url);
    match svg(plan, &marks, &loaded.visits.taken) {
        Some(drawing) => {
            html! { div.canvas tabindex="0" role="group" aria-label="Drawing of the state machine" { (drawing) } }
        }
        None => empty("The state machine is too large to be drawn; the timeline has all of it."),
    }
}

/// Returns what became of each state; of one that was entered several times, the last.
fn marks(visits: &Visits, url: &impl Fn(i64) -> String) -> BTreeMap<String, Mark> {
    let marks = visits.all.iter().map(|visit| {
        let (class, word) = ending(visit.ending);
        (visit.state.clone(), Mark { class, word, tries: visit.attempts.len(), url: url(visit.event) })
    });
    marks.collect()
}

fn all_files(name: &str, loaded: &Loaded, first: usize) -> Markup {
    let Some(batch) = &loaded.batch else { return html! {} };
    let more = |first: usize| format!("{}?files={first}", batch_url(name));
    html! {
        h2 { "Files" }
        @if batch.assets.is_empty() { (empty("The batch has no files.")) }
        (files::grid(batch, first))
        @if batch.assets.len() > files::ON_A_PAGE {
            nav.pages aria-label="Files" {
                @for start in (0..batch.assets.len()).step_by(files::ON_A_PAGE) {
                    a href=(more(start)) aria-current=[(start == first).then_some("page")] {
                        (start + 1) "–" ((start + files::ON_A_PAGE).min(batch.assets.len()))
                    }
                }
            }
        }
    }
}
