//! What a person can do with a batch: run it again, as it was or changed, and stop it.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use bytes::Bytes;
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::loaded::{arn_of, load_run, whole};
use crate::app::{App, Shared};
use crate::fault::Fault;
use crate::html::form::Fields;
use crate::html::format::{batch_url, pretty};
use crate::html::frame::{Sheet, Tab, framed, token_field};
use crate::patience::in_time;
use crate::source::error::SourceError;

/// The longest input of an execution, in bytes (Step Functions Developer Guide, "Service quotas").
const LONGEST_INPUT: usize = 256 << 10;

/// The longest text in the form, in bytes. Encoded, it must fit into what a request may have.
const LONGEST_FORM: usize = 320 << 10;

/// The longest part of the earlier name that the new one begins with.
const NAME_START: usize = 60;

/// Which input is asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    /// The input of the state that was entered with this event, instead of the execution's.
    event: Option<i64>,
}

/// Shows the input, to be changed or not.
pub(crate) async fn edit(
    State(app): State<Shared>,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Markup, Fault> {
    let Some(event) = wanted.event else {
        let arn = arn_of(&app, &name)?;
        let facts = in_time("the execution", app.parts.executions.facts(&arn)).await?;
        return Ok(form(&app, &name, &editable(&facts.input.to_string())?, None));
    };
    let run = load_run(&app, &name).await?;
    let visit = run.visit(event)?;
    let input = editable(&whole(&app, visit.input.as_deref()).await?)?;
    Ok(form(&app, &name, &input, None))
}

/// Returns an input in lines, or in one line where lines would make it too long for the form.
///
/// # Errors
/// If it is too long to be started.
fn editable(input: &str) -> Result<String, Fault> {
    let length = input.len();
    if length > LONGEST_INPUT {
        return Err(Fault::refused(format!(
            "this input has {length} bytes, and Step Functions takes {LONGEST_INPUT}; run the batch again with the input of the \
             execution"
        )));
    }
    let (lines, cut) = pretty(input, LONGEST_FORM);
    Ok(if cut { input.to_owned() } else { lines })
}

fn form(app: &App, name: &str, input: &str, problem: Option<&str>) -> Markup {
    let body = html! {
        nav.crumbs aria-label="Where you are" {
            a href="/console" { "Batches" } a href=(batch_url(name)) { (name) }
        }
        h1 { "Run again" }
        p { "A new execution begins at the first state, whatever the input is: Step Functions cannot begin in the middle. What is up to date is not made a second time, so states that have succeeded are passed quickly." }
        @if let Some(problem) = problem { p.problem role="alert" { (problem) } }
        form.stack method="post" action={ (batch_url(name)) "/again" } {
            (token_field(app))
            label for="input" { "Input" }
            textarea id="input" name="input" rows="22" spellcheck="false" { (input) }
            button type="submit" { "Start" }
        }
    };
    framed(app, Sheet { tab: Tab::Batches, title: "Run again", live: None, body })
}

/// Starts another execution.
pub(crate) async fn again(State(app): State<Shared>, Path(name): Path<String>, body: Bytes) -> Result<Response, Fault> {
    arn_of(&app, &name)?;
    let fields = Fields::read(&body);
    let text = fields.text("input");
    let again = |problem: &str| (StatusCode::BAD_REQUEST, form(&app, &name, text, Some(problem))).into_response();
    let input = match checked(text) {
        Ok(input) => input,
        Err(problem) => return Ok(again(&problem)),
    };
    let new = new_name(&name, OffsetDateTime::now_utc());
    match app.parts.executions.start(&new, &input).await {
        Ok(_) => Ok(Redirect::to(&batch_url(&new)).into_response()),
        Err(SourceError::Refused(problem)) => Ok(again(&problem)),
        Err(error) => Err(error.into()),
    }
}

/// Reads an input, and checks that the first state would accept it.
fn checked(text: &str) -> Result<Value, String> {
    let input: Value = serde_json::from_str(text).map_err(|error| format!("the input is not JSON: {error}"))?;
    // It is started without the indentation of the form.
    let length = input.to_string().len();
    if length > LONGEST_INPUT {
        return Err(format!("the input has {length} bytes; Step Functions takes {LONGEST_INPUT}"));
    }
    stagehost_batch::parse(&input).map_err(|error| format!("the input is not a batch: {error}"))?;
    Ok(input)
}

/// Returns the earlier name's beginning with the time. A second person in the same millisecond is refused by the service.
pub(crate) fn new_name(name: &str, now: OffsetDateTime) -> String {
    let start: String = name.split("-again-").next().unwrap_or(name).chars().take(NAME_START).collect();
    format!("{start}-again-{}", now.unix_timestamp_nanos() / 1_000_000)
}

/// Stops the execution.
pub(crate) async fn stop(State(app): State<Shared>, Path(name): Path<String>) -> Result<Redirect, Fault> {
    app.parts.executions.stop(&arn_of(&app, &name)?, "A person stopped it in the console").await?;
    Ok(Redirect::to(&batch_url(&name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_another_run_is_accepted_by_the_service_and_does_not_grow() {
        let first = new_name(&"x".repeat(80), OffsetDateTime::UNIX_EPOCH);
        assert!(first.len() <= 80, "{first}");
        assert_eq!(new_name("a-again-17", OffsetDateTime::UNIX_EPOCH), "a-again-0");
    }

    #[test]
    fn only_what_the_first_state_reads_is_started() {
        assert!(checked(r#"{"listingId": 51, "assets": []}"#).is_ok());
        for bad in ["", "{", "[]", r#"{"assets": []}"#] {
            assert!(checked(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_indentation_of_the_form_does_not_make_an_input_too_long() {
        let indented = |spaces: usize| format!(r#"{{"listingId": 51,{}"assets": []}}"#, " ".repeat(spaces));
        assert!(checked(&indented(LONGEST_INPUT)).is_ok());
        let long = format!(r#"{{"listingId": 51, "assets": [], "note": "{}"}}"#, "x".repeat(LONGEST_INPUT));
        assert!(checked(&long).is_err_and(|problem| problem.contains("Step Functions takes")));
    }
}
