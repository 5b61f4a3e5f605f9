//! The page of one batch.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use maud::{Markup, html};
use serde::Deserialize;
use time::OffsetDateTime;

use super::archives::archives;
use super::loaded::{Loaded, load};
use super::stages_that_ran::stages_that_ran;
use super::timeline::{self, ending, timeline};
use super::visits::Visits;
use super::{callback, cli, files};
use crate::app::{App, Shared};
use crate::fault::Fault;
use crate::html::format::{batch_url, between, clipped, duration, encoded};
use crate::html::frame::{Sheet, Tab, framed, token_field};
use crate::html::parts::{badge, command, empty, fault, time};
use crate::plan::svg::{Mark, svg};
use crate::source::executions::ExecutionFacts;

/// How many problems of the whole batch are shown, and how much of each, in bytes.
const MOST_PROBLEMS: usize = 50;
const LONGEST_MESSAGE: usize = 4 << 10;

/// To how many pages before and after the one that is shown a long part has links.
const NEIGHBOURS: usize = 5;

/// Which part of the page is asked for.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    /// The first file that is shown.
    #[serde(default)]
    files: usize,
    /// The first stay in a state that the timeline shows.
    #[serde(default)]
    states: usize,
}

pub(crate) async fn show(
    State(app): State<Shared>,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Markup, Fault> {
    let loaded = load(&app, &name).await?;
    let body = body(&app, &name, &loaded, wanted).await;
    let runs = !loaded.facts.listed.status.is_over();
    let live = runs.then(|| format!("/console/live/{}", encoded(&name)));
    Ok(framed(&app, Sheet { tab: Tab::Batches, title: &name, live, body }))
}

/// Returns the page's content. What needs other services is asked for at the same time, and each costs its own section at most.
async fn body(app: &App, name: &str, loaded: &Loaded, wanted: Wanted) -> Markup {
    let listed = &loaded.facts.listed;
    let until = listed.stopped.unwrap_or_else(OffsetDateTime::now_utc);
    let url = |event: i64| format!("{}/state/{event}", batch_url(name));
    let bundles = loaded.batch.as_ref().map(|batch| batch.bundles.as_slice()).unwrap_or_default();
    let (archives, stages, callback) =
        futures::join!(archives(app, bundles), stages_that_ran(app, loaded), callback::shown(app, loaded));
    let timeline = states(name, loaded, wanted, until, url);
    html! {
        nav.crumbs aria-label="Where you are" { a href="/console" { "Batches" } }
        div.heading data-part="heading" {
            h1 { (name) } (badge(listed.status))
            @if app.options.allow_changes { (actions(app, name, &loaded.facts)) }
        }
        div data-part="facts" { (facts(loaded, until)) }
        nav.contents aria-label="On this page" data-part="contents" { (contents(app, loaded)) }
        details open {
            summary { h2 { "States" } }
            label.full { input type="checkbox"; " Full size" }
            div id="plan" data-part="plan" { (drawing(loaded, &url)) }
        }
        (section("timeline", "Timeline", true, &timeline))
        (section("files", "Files", true, &all_files(name, loaded, wanted)))
        (section("archives", "Archives", true, &archives))
        (section("stages", "Stages", true, &stages))
        @if app.parts.callbacks.is_some() { (section("callback", "Callback", false, &callback)) }
        (section("cli", "AWS CLI", false, &commands(app, loaded)))
    }
}

/// Shows a part of the page that can be closed, also without a script.
fn section(id: &str, title: &str, open: bool, content: &Markup) -> Markup {
    html! {
        details open[open] {
            summary { h2 { (title) } }
            div id=(id) data-part=(id) { (content) }
        }
    }
}

/// Shows the page's parts with links to them; a browser opens a closed one.
fn contents(app: &App, loaded: &Loaded) -> Markup {
    let (files, archives) = loaded.batch.as_ref().map_or((0, 0), |batch| (batch.assets.len(), batch.bundles.len()));
    html! {
        a href="#plan" { "States" }
        a href="#timeline" { "Timeline (" (loaded.visits.all.len()) ")" }
        a href="#files" { "Files (" (files) ")" }
        a href="#archives" { "Archives (" (archives) ")" }
        a href="#stages" { "Stages" }
        @if app.parts.callbacks.is_some() { a href="#callback" { "Callback" } }
        a href="#cli" { "AWS CLI" }
    }
}

fn commands(app: &App, loaded: &Loaded) -> Markup {
    let listed = &loaded.facts.listed;
    html! {
        (command("cli-history", &cli::history(app, &listed.arn)))
        (command("cli-start", &cli::start(app, &loaded.facts.input.to_string())))
        @if let Some(batch) = &loaded.batch { (command("cli-copy", &cli::copy(app, &batch.listing.id.to_string()))) }
        @if loaded.facts.redrive.possible { (command("cli-redrive", &cli::redrive(app, &listed.arn))) }
        @if !listed.status.is_over() { (command("cli-stop", &cli::stop(app, &listed.arn))) }
    }
}

/// Shows the timeline, or says why there is none.
fn states(name: &str, loaded: &Loaded, wanted: Wanted, until: OffsetDateTime, url: impl Fn(i64) -> String) -> Markup {
    let all = loaded.visits.all.len();
    html! {
        @match &loaded.unread {
            Some(error) => p.problem { "The history cannot be read, so nothing is known about the states: " (error.to_string()) },
            None if all == 0 => (empty("No state was entered yet.")),
            None => {
                (timeline(&loaded.visits, wanted.states, loaded.facts.listed.started, until, url))
                (pages(name, "states", (wanted.states, all, timeline::ON_A_PAGE)))
            }
        }
    }
}

/// Shows links to the pages of a long part: the one that begins with `first` of `all`, its neighbours and both ends.
fn pages(name: &str, what: &str, (first, all, on_a_page): (usize, usize, usize)) -> Markup {
    let near = first.saturating_sub(NEIGHBOURS * on_a_page)..=first.saturating_add(NEIGHBOURS * on_a_page);
    let last = all.saturating_sub(1) / on_a_page * on_a_page;
    html! {
        @if all > on_a_page {
            nav.pages aria-label={ "Pages of " (what) } {
                @for start in (0..all).step_by(on_a_page).filter(|start| near.contains(start) || *start == 0 || *start == last) {
                    a href={ (batch_url(name)) "?" (what) "=" (start) "#" (if what == "states" { "timeline" } else { what }) }
                        aria-current=[(start == first).then_some("page")] {
                        (start + 1) "–" ((start + on_a_page).min(all))
                    }
                }
            }
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
                @let error = facts.error.as_deref().unwrap_or("The execution ended without the name of an error.");
                (fault(error, facts.cause.as_deref().unwrap_or_default()))
            }
        }
        @for problem in loaded.batch.iter().flat_map(|batch| &batch.problems).take(MOST_PROBLEMS) {
            p.problem { strong { (problem.code) } " in " (problem.state) ": " (clipped(&problem.message, LONGEST_MESSAGE)) }
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

/// Returns the result of each state; of one that was entered several times, that of the last visit.
fn marks(visits: &Visits, url: &impl Fn(i64) -> String) -> BTreeMap<String, Mark> {
    let marks = visits.all.iter().map(|visit| {
        let (class, word) = ending(visit.ending);
        (visit.state.clone(), Mark { class, word, tries: visit.attempts.len(), url: url(visit.event) })
    });
    marks.collect()
}

fn all_files(name: &str, loaded: &Loaded, wanted: Wanted) -> Markup {
    let Some(batch) = &loaded.batch else {
        return empty("The batch cannot be shown, so nothing is known about its files.");
    };
    html! {
        @if batch.assets.is_empty() { (empty("The batch has no files.")) }
        (files::grid(batch, wanted.files))
        (pages(name, "files", (wanted.files, batch.assets.len(), files::ON_A_PAGE)))
    }
}
