//! The playground: one file on one stage.

use axum::extract::State;
use bytes::Bytes;
use maud::{Markup, html};
use serde_json::{Value, json};
use stagehost_batch::{FIRST_STATE, Id};
use time::OffsetDateTime;

use crate::app::{App, Shared};
use crate::batch::{files, state_page};
use crate::fault::Fault;
use crate::html::form::Fields;
use crate::html::format::{duration, rfc3339};
use crate::html::frame::{Sheet, Tab, framed, token_field};
use crate::html::parts::{document, no_calls};
use crate::patience::in_time;
use crate::source::bench::{StageBench, TriedAs};
use crate::source::error::SourceError;
use crate::source::executions::execution_arn;
use crate::source::journal::LoggedCall;

/// The result of a try.
struct Tried {
    millis: f64,
    result: Result<Value, String>,
    calls: Vec<LoggedCall>,
    /// Why the calls cannot be read.
    unread: Option<SourceError>,
}

fn bench(app: &App) -> Result<&dyn StageBench, Fault> {
    let bench = app.parts.bench.as_deref().filter(|_| app.options.allow_changes);
    bench.ok_or_else(|| Fault::missing("stages cannot be tried here"))
}

pub(crate) async fn show(State(app): State<Shared>) -> Result<Markup, Fault> {
    let states = bench(&app)?.states().await?;
    Ok(page(&app, &states, "", None))
}

/// Calls the stage. Any state but the first gets the file as the first state leaves it, as in an execution.
pub(crate) async fn run(State(app): State<Shared>, body: Bytes) -> Result<Markup, Fault> {
    let bench = bench(&app)?;
    let fields = Fields::read(&body);
    let states = bench.states().await?;
    let (state, key) = (fields.text("state"), fields.text("key"));
    if !states.iter().any(|(known, _)| known == state) {
        return Err(Fault::refused(format!("the state {state:?} has no stage that can be tried")));
    }
    let parts = stagehost_batch::KeyParts::parse(key).map_err(|error| Fault::refused(error.to_string()))?;
    let now = OffsetDateTime::now_utc();
    let name = format!("playground-{}", now.unix_timestamp_nanos() / 1_000_000);
    let arn = execution_arn(app.parts.executions.machine(), &name).unwrap_or_default();
    let tried_as = TriedAs { arn, name, started_at: rfc3339(now) };
    let batch = json!({"listingId": Id::from_text(&parts.listing), "batchId": 1, "jobId": 1, "assets": [key]});
    let result = match bench.call(FIRST_STATE, &tried_as, &batch).await {
        Ok(checked) if state != FIRST_STATE => bench.call(state, &tried_as, &checked).await,
        result => result,
    };
    let millis = (OffsetDateTime::now_utc() - now).as_seconds_f64() * 1e3;
    let (calls, unread) = match app.calls(&tried_as.arn).await {
        Ok(known) => (known.calls, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let result = match result {
        Ok(document) => {
            let whole = in_time("the document", app.parts.media.unpacked(document)).await;
            whole.map_err(|error| format!("The stage has ended, and what it made cannot be read: {error}"))
        }
        Err(SourceError::Refused(why)) => Err(why),
        Err(error) => return Err(error.into()),
    };
    Ok(page(&app, &states, state, Some(Tried { millis, result, calls, unread })))
}

fn page(app: &App, states: &[(String, String)], chosen: &str, tried: Option<Tried>) -> Markup {
    let body = html! {
        h1 { "Playground" }
        p.comment { "One file on one stage, with the pinned configuration, limits and grants. The first state checks the file before any other gets it. Start serve with --stage STATE=FILE to try a component of your own." }
        noscript { p.problem { "The file is uploaded by JavaScript. Without it, type the key of a file that is in the bucket." } }
        form.stack id="playground" method="post" action="/console/playground" {
            (token_field(app))
            label for="state" { "State" }
            select id="state" name="state" {
                @for (state, stage) in states {
                    option value=(state) selected[state == chosen] { (state) " · " (stage) }
                }
            }
            label for="listing" { "Listing" }
            input id="listing" name="listing" value="1" autocomplete="off";
            label for="file" { "File" }
            input id="file" type="file";
            label for="key" { "or the key of a file in the bucket" }
            input id="key" name="key" autocomplete="off" placeholder="51/raw/photo/horizontal/2026-01-02/kitchen.jpg";
            p.problem id="playground-problem" role="alert" hidden {}
            button.primary type="submit" { "Call the stage" }
        }
        @if let Some(tried) = tried { (outcome(&tried)) }
    };
    framed(app, Sheet { tab: Tab::Playground, title: "Playground", live: None, body })
}

fn outcome(tried: &Tried) -> Markup {
    html! {
        section {
            h2 { "Result, after " (duration(tried.millis)) }
            @match &tried.result {
                Ok(document) => {
                    @if let Some(batch) = read(document) { (files::grid(&batch, 0)) }
                },
                Err(why) => div.problem { pre tabindex="0" { (why) } },
            }
        }
        @if let Some(error) = &tried.unread { (no_calls(error)) }
        @if !tried.calls.is_empty() { section { h2 { "Calls" } (state_page::table(&tried.calls)) } }
        @if let Ok(result) = &tried.result { section { (document("output", "Output", &result.to_string())) } }
    }
}

/// Reads the batch that a stage has left.
fn read(document: &Value) -> Option<stagehost_batch::Batch> {
    let execution = serde_json::from_value(document.get("execution")?.clone()).ok()?;
    stagehost_batch::resume(document, &execution).ok()
}
