//! Stages and pins: what runs for which state, who changed it and why, and changing it.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Query, State};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use maud::{Markup, html};
use serde::Deserialize;
use stagehost_pins::{Difference, Pin, Pins, differences, short_digest};
use tokio::time::Instant;

use crate::app::{App, Shared};
use crate::fault::Fault;
use crate::html::form::Fields;
use crate::html::frame::{Sheet, Tab, framed, token_field};
use crate::html::parts::{document, signer};
use crate::patience::{in_time, in_time_since};
use crate::pins_signature::signature;
use crate::shadows;
use crate::source::error::SourceError;
use crate::source::pins::{CandidateNews, PastRevision, PinsDesk, PinsOutlook, PinsWish, SignedPins};

/// How many revisions the page shows.
const REVISIONS: usize = 20;

/// For how many states canaries and shadows are looked up at once.
const AT_ONCE: usize = 8;

/// Which pins are asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    revision: Option<u64>,
}

pub(crate) async fn show(State(app): State<Shared>, Query(wanted): Query<Wanted>) -> Result<Markup, Fault> {
    let desk = desk(&app)?;
    let (current, history) =
        futures::join!(in_time("the pins", desk.current()), in_time("the history", desk.history(REVISIONS + 1)));
    let in_force = current.as_ref().ok().map(|signed| signed.pins.revision);
    let shown = match wanted.revision.filter(|revision| Some(*revision) != in_force) {
        Some(revision) => in_time("the pins", desk.revision(revision)).await,
        None => current.clone(),
    };
    let shown = match shown {
        Err(error @ SourceError::Missing(_)) => return Err(error.into()),
        shown => shown,
    };
    let news = match &shown {
        Ok(signed) => news(desk, &signed.pins).await,
        Err(_) => BTreeMap::new(),
    };
    let may_change = app.options.allow_changes && desk.fixed().is_none();
    let body = html! {
        (heading(desk, &shown, in_force))
        @if let (true, Some(why)) = (app.options.allow_changes, desk.fixed()) { p.note { (why) } }
        @if let Ok(SignedPins { pins, .. }) = &shown {
            @let may_change = may_change && in_force == Some(pins.revision);
            ul.stages { @for (state, pin) in &pins.states { li { (stage(pins, state, pin, news.get(state.as_str()), may_change)) } } }
            @if may_change { (change_form()) }
        }
        (signature(shown.as_ref()))
        section {
            h2 { "History" }
            @match (&history, &current) {
                (Ok(history), Ok(current)) => (past(history, &current.pins, may_change)),
                (Err(error), _) | (_, Err(error)) => p.problem { "The history cannot be shown: " (error.to_string()) },
            }
        }
        @if let Ok(SignedPins { pins, .. }) = &shown {
            (document("pins", "The whole document", &serde_json::to_string(pins).unwrap_or_default()))
        }
    };
    Ok(framed(&app, Sheet { tab: Tab::Pins, title: "Stages and pins", live: None, body }))
}

fn heading(desk: &dyn PinsDesk, shown: &Result<SignedPins, SourceError>, in_force: Option<u64>) -> Markup {
    html! {
        div.heading {
            h1 { "Stages and pins" }
            @match shown {
                Ok(SignedPins { pins, .. }) if in_force == Some(pins.revision) => span.badge.ok { "revision " (pins.revision) ", in force" },
                Ok(SignedPins { pins, .. }) => span.badge.off { "revision " (pins.revision) ", not in force" },
                Err(_) => span.badge.bad { "not verified" },
            }
        }
        p.comment {
            (desk.place())
            @if let Ok(SignedPins { pins, signer: key }) = shown {
                @if let Some(environment) = &pins.environment { " · " (environment) }
                " · " @match key { Some(key) => { "signed by " (signer(key)) }, None => "not signed" }
            }
        }
    }
}

/// Returns what is known about canaries and shadows, by state. The page is complete without it.
async fn news<'a>(desk: &dyn PinsDesk, pins: &'a Pins) -> BTreeMap<&'a str, CandidateNews> {
    let states: BTreeSet<&str> = pins.canaries.keys().chain(pins.shadows.keys()).map(String::as_str).collect();
    let unknown = |error: SourceError| CandidateNews { sentences: vec![error.to_string()], ..CandidateNews::default() };
    let began = Instant::now();
    let known = states.into_iter().map(|state| async move {
        let news = in_time_since(began, "what is known about it", desk.candidates(pins, state)).await;
        (state, news.unwrap_or_else(unknown))
    });
    let known: Vec<_> = known.collect();
    stream::iter(known).buffered(AT_ONCE).collect().await
}

fn desk(app: &App) -> Result<&dyn PinsDesk, Fault> {
    app.parts.pins.as_deref().ok_or_else(|| Fault::missing("no store of pins is known here; name one with --pins"))
}

fn stage(pins: &Pins, state: &str, pin: &Pin, news: Option<&CandidateNews>, may_change: bool) -> Markup {
    html! {
        article.stage {
            h2 { (state) }
            p.version { strong { (pin.stage) } " " (pin.version) }
            p.digest { code title=(pin.digest) { (short_digest(&pin.digest)) } " · " (pin.world.to_string()) " · " (pin.limits.memory_mib) " MiB · " (pin.limits.deadline_ms as f64 / 1000.0) " s" }
            @if let Some(canary) = pins.canaries.get(state) {
                div.candidate {
                    p { span.badge.run { "canary" } " " strong { (canary.pin.stage) " " (canary.pin.version) } " for " (canary.percent) " %" }
                    meter min="0" max="100" value=(canary.percent) aria-label={ "Share of the canary of " (state) } { (canary.percent) " %" }
                    @if let Some(limit) = canary.abort_above_percent {
                        p.note { "Given up if " (limit) " % of its runs more end in a defect." }
                    }
                    @if may_change {
                        p.links { (link("promote", state, "Promote")) " " (link("abort", state, "Abort")) }
                    }
                }
            }
            @if let Some(shadow) = pins.shadows.get(state) {
                div.candidate { p { span.badge.off { "shadow" } " " strong { (shadow.pin.stage) " " (shadow.pin.version) } " beside " (shadow.percent) " %" } }
            }
            @for sentence in news.iter().flat_map(|news| &news.sentences) { p.note { (sentence) } }
            @if let Some(news) = news.filter(|news| !news.differing.is_empty()) { (shadows::differing_calls(&news.differing)) }
            @if let Some(percent) = pins.recordings.get(state) { p.note { "Recorded: " (percent) " % of executions." } }
            @if may_change { p.links { (link("set", state, "Set a version")) " " (link("canary", state, "Canary")) } }
        }
    }
}

fn link(kind: &str, state: &str, word: &str) -> Markup {
    html! {
        a href={ "/console/pins/change?kind=" (kind) "&state=" (crate::html::format::encoded(state)) }
            aria-label={ (word) ": " (state) } { (word) }
    }
}

fn change_form() -> Markup {
    html! { p.links { a.button href="/console/pins/change?kind=rollback" { "Roll back" } } }
}

fn past(history: &[PastRevision], current: &Pins, may_change: bool) -> Markup {
    let before = |at: usize| history.get(at + 1).and_then(|entry| entry.pins.as_ref().ok());
    html! {
        ol.history {
            @for (at, entry) in history.iter().enumerate().take(REVISIONS) {
                li {
                    @match &entry.pins {
                        Ok(pins) => {
                            h3 {
                                a href={ "/console/pins?revision=" (entry.revision) } { "Revision " (entry.revision) }
                                @if current.revoked.contains(&entry.revision) { " " span.badge.bad { "revoked" } }
                            }
                            @if let Some(change) = &pins.change {
                                p { strong { (change.by) } ", " (change.at) ": " q { (change.why) } }
                                @if let Some(restores) = change.restores { p.note { "Puts revision " (restores) " in force again." } }
                            }
                            @if let Some(before) = before(at) { (differing(&differences(before, pins))) }
                            @if may_change && entry.revision != current.revision && !current.revoked.contains(&entry.revision) {
                                p.links {
                                    a href={ "/console/pins/change?kind=rollback&revision=" (entry.revision) } { "Roll back to revision " (entry.revision) }
                                    " "
                                    a href={ "/console/pins/change?kind=revoke&revision=" (entry.revision) } { "Revoke revision " (entry.revision) }
                                }
                            }
                        }
                        Err(why) => { h3 { "Revision " (entry.revision) } p.problem { "Not to be trusted: " (why) } }
                    }
                }
            }
        }
    }
}

fn differing(found: &[Difference]) -> Markup {
    html! {
        @if !found.is_empty() {
            ul.differences { @for difference in found { li { code { (difference.to_string()) } } } }
        }
    }
}

/// What is asked for by the address of the form.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    state: String,
    revision: Option<u64>,
}

/// Shows the form of a change.
pub(crate) async fn ask(State(app): State<Shared>, Query(asked): Query<Asked>) -> Result<Markup, Fault> {
    desk(&app)?;
    let mut fields = vec![("kind", asked.kind), ("state", asked.state)];
    fields.extend(asked.revision.map(|revision| ("revision", revision.to_string())));
    Ok(form_page(&app, &Fields::of(fields), &Stage::Asked))
}

/// How far a change is.
enum Stage {
    /// Nothing was checked yet.
    Asked,
    /// It was checked; it can be made.
    Checked(PinsOutlook),
    /// It was refused.
    Refused(String),
    /// It is in force.
    Done(PinsOutlook),
}

/// Checks a change or, if the form says so, makes it.
pub(crate) async fn change(State(app): State<Shared>, body: Bytes) -> Result<Markup, Fault> {
    let fields = Fields::read(&body);
    let desk = desk(&app)?;
    let wish = match wish(&fields) {
        Ok(wish) => wish,
        Err(why) => return Ok(form_page(&app, &fields, &Stage::Refused(why))),
    };
    let makes = fields.text("step") == "make";
    if makes && (fields.given("by").is_none() || fields.given("why").is_none()) {
        let why = "give your name and the reason, for the history".to_owned();
        return Ok(form_page(&app, &fields, &Stage::Refused(why)));
    }
    let stage = match desk.change(&wish, makes.then(|| (fields.text("by"), fields.text("why")))).await {
        Ok(outlook) if makes => Stage::Done(outlook),
        Ok(outlook) => Stage::Checked(outlook),
        Err(SourceError::Refused(why)) => Stage::Refused(why),
        Err(error) => return Err(error.into()),
    };
    Ok(form_page(&app, &fields, &stage))
}

/// Reads what the form wants.
fn wish(fields: &Fields) -> Result<PinsWish, String> {
    let state = || fields.given("state").map(str::to_owned).ok_or("name the state");
    let version = || fields.given("version").map(str::to_owned).ok_or("name the version, such as 1.5.0");
    let number = |name: &str| -> Result<Option<u64>, String> {
        let text = fields.given(name);
        text.map(|text| text.parse().map_err(|_| format!("{text:?} is not a number"))).transpose()
    };
    let percent = |name: &str, least: u64| -> Result<Option<u8>, String> {
        let found = number(name)?.filter(|percent| (least..=99).contains(percent)).map(|percent| percent as u8);
        match (found, fields.given(name)) {
            (None, Some(given)) => Err(format!("{given} % is not from {least} to 99")),
            (found, _) => Ok(found),
        }
    };
    Ok(match fields.text("kind") {
        "set" => PinsWish::Set { state: state()?, version: version()? },
        "canary" => PinsWish::Canary {
            state: state()?,
            version: version()?,
            percent: percent("percent", 1)?.ok_or("give the share of executions, 1 to 99 %")?,
            abort_above: percent("abort_above", 0)?,
        },
        "promote" => PinsWish::Promote { state: state()? },
        "abort" => PinsWish::Abort { state: state()? },
        "rollback" => PinsWish::Rollback { revision: number("revision")? },
        "revoke" => PinsWish::Revoke { revision: number("revision")?.ok_or("name the revision")? },
        other => return Err(format!("there is no change {other:?}")),
    })
}

fn form_page(app: &App, fields: &Fields, stage: &Stage) -> Markup {
    let (kind, state) = (fields.text("kind"), fields.text("state"));
    let title = match kind {
        "set" => format!("Set a version for {state}"),
        "canary" => format!("Canary of {state}"),
        "promote" => format!("Promote the canary of {state}"),
        "abort" => format!("Abort the canary of {state}"),
        "rollback" => "Roll back".to_owned(),
        "revoke" => format!("Revoke revision {}", fields.text("revision")),
        _ => "Change the pins".to_owned(),
    };
    let field = |name: &'static str, label: &str, hint: &str, required: bool| {
        html! {
            label for=(name) { (label) }
            input id=(name) name=(name) value=(fields.text(name)) placeholder=(hint) required[required] autocomplete="off";
        }
    };
    let done = matches!(stage, Stage::Done(_));
    let body = html! {
        nav.crumbs aria-label="Where you are" { a href="/console/pins" { "Stages and pins" } }
        h1 { (title) }
        @match stage {
            Stage::Asked => {},
            Stage::Refused(why) => div.problem role="alert" { pre tabindex="0" { (why) } },
            Stage::Checked(outlook) => (looks(outlook, "This would change:")),
            Stage::Done(outlook) => {
                p.done role="status" { "Revision " (outlook.revision.unwrap_or_default()) " is in force." }
                (looks(outlook, "Changed:"))
                p { a.button href="/console/pins" { "All stages and pins" } }
            },
        }
        @if !done {
            form.stack method="post" action="/console/pins/change" {
                (token_field(app))
                input type="hidden" name="kind" value=(kind);
                @if matches!(kind, "set" | "canary" | "promote" | "abort") { input type="hidden" name="state" value=(state); }
                @if matches!(kind, "set" | "canary") { (field("version", "Version", "1.5.0, or NAME@1.5.0", true)) }
                @if kind == "canary" {
                    (field("percent", "Share of executions, in percent", "5", true))
                    (field("abort_above", "Give it up if this many of a hundred runs more end in a defect", "2", false))
                }
                @if kind == "rollback" { (field("revision", "To revision", "the one before", false)) }
                @if kind == "revoke" { input type="hidden" name="revision" value=(fields.text("revision")); }
                @if matches!(stage, Stage::Checked(_)) || fields.text("step") == "make" {
                    (field("by", "Your name", "who changes it", true))
                    (field("why", "Reason", "for the history", true))
                    div.actions {
                        button.danger type="submit" name="step" value="make" { "Put in force" }
                        button type="submit" name="step" value="check" formnovalidate { "Check again" }
                    }
                } @else {
                    button type="submit" name="step" value="check" { "Check" }
                }
            }
        }
    };
    framed(app, Sheet { tab: Tab::Pins, title: &title, live: None, body })
}

fn looks(outlook: &PinsOutlook, words: &str) -> Markup {
    html! {
        section {
            h2 { (words) }
            (differing(&outlook.differences))
            ul.checks { @for check in &outlook.checks { li { (check) } } }
        }
    }
}
