//! The dead-letter queue: what could not be read, started or delivered, and starting it again.

use axum::extract::{Query, State};
use axum::response::Redirect;
use bytes::Bytes;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;
use stagehost_batch::ExecutionArn;
use time::OffsetDateTime;

use crate::app::{App, Shared};
use crate::batch::actions::new_name;
use crate::fault::Fault;
use crate::html::form::Fields;
use crate::html::format::batch_url;
use crate::html::frame::{Sheet, Tab, framed, token_field};
use crate::html::parts::{beginning, empty};
use crate::patience::in_time;
use crate::source::executions::execution_arn;
use crate::source::journal::{DeadLetter, DeadLetterQueue, SeenLetters};

/// How many messages the page can look at. A queue has no pages: to see more, more are received.
const LOOKS: [usize; 3] = [20, 100, 500];

/// How much of all messages together the page shows, in bytes.
const MOST_BYTES: usize = 4 << 20;

/// How much of one message the page shows, in bytes; a message of SQS has at most 1 MiB.
const LONGEST_BODY: usize = 256 << 10;

/// How many messages are asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    look: Option<usize>,
}

/// Returns the number that is offered and not below the wanted one.
fn look(wanted: Option<usize>) -> usize {
    let wanted = wanted.unwrap_or(LOOKS[0]);
    LOOKS.into_iter().find(|look| *look >= wanted).unwrap_or(LOOKS[LOOKS.len() - 1])
}

pub(crate) async fn show(State(app): State<Shared>, Query(wanted): Query<Wanted>) -> Result<Markup, Fault> {
    let look = look(wanted.look);
    let SeenLetters { letters, more } = in_time("the messages", queue(&app)?.letters(look)).await?;
    let body = html! {
        h1 { "Dead letters" }
        p { "Jobs that could not be read or started, and results that the backend did not accept." }
        @if letters.is_empty() { (empty("There is none that can be seen now.")) }
        @let each = (MOST_BYTES / letters.len().max(1)).min(LONGEST_BODY);
        @for (at, letter) in letters.iter().enumerate() { (shown(&app, (look, each), at, letter)) }
        @if more {
            p.note { "There may be more than the " (letters.len()) " messages above." }
            @if let Some(next) = LOOKS.into_iter().find(|next| *next > look) {
                nav.pages aria-label="Messages" { a href={ "/console/dead-letters?look=" (next) } { "Look at up to " (next) } }
            }
        }
    };
    Ok(framed(&app, Sheet { tab: Tab::Letters, title: "Dead letters", live: None, body }))
}

fn queue(app: &App) -> Result<&dyn DeadLetterQueue, Fault> {
    app.parts.dead_letters.as_deref().ok_or_else(|| Fault::missing("no dead-letter queue is known here"))
}

/// Shows a message, at most `each` bytes of it.
fn shown(app: &App, (look, each): (usize, usize), at: usize, letter: &DeadLetter) -> Markup {
    let execution = execution_of(app, &letter.body);
    html! {
        article.letter {
            header {
                h2 { (why(letter)) }
                p { @if let Some(at) = &letter.at { (at) " · " } code { (letter.id) } }
            }
            @if let Some(name) = &execution { p { "Of the batch " a href=(batch_url(name)) { (name) } "." } }
            (beginning(&format!("letter-{at}"), "Message", &letter.body, each))
            @if app.options.allow_changes && job(&letter.body).is_some() {
                form method="post" action="/console/dead-letters/send" data-confirm="Start this job again?" {
                    (token_field(app))
                    input type="hidden" name="id" value=(letter.id);
                    input type="hidden" name="look" value=(look);
                    button type="submit" { "Start the job again" }
                }
            }
        }
    }
}

/// Says what the message is.
fn why(letter: &DeadLetter) -> String {
    let body: Value = serde_json::from_str(&letter.body).unwrap_or_default();
    let text = |place: &str| body.pointer(place).and_then(Value::as_str);
    match (text("/error/Error").or_else(|| text("/Error")), job(&letter.body)) {
        (Some(error), _) => format!("A result that was not delivered: {error}"),
        (None, Some(_)) => "A job that was not started".to_owned(),
        (None, None) if body.is_null() => "A message that is not JSON".to_owned(),
        (None, None) => "A message that is not a job".to_owned(),
    }
}

/// Returns the job in a message, if it is one that can be started.
fn job(body: &str) -> Option<Value> {
    let job: Value = serde_json::from_str(body).ok()?;
    // A result that was not delivered carries the input of its last state.
    stagehost_batch::parse(&job).ok().map(|_| job)
}

/// Returns the name of the execution that a message is from.
fn execution_of(app: &App, body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    let arn = ["/execution/arn", "/executionArn", "/batch/execution/arn"]
        .iter()
        .find_map(|place| body.pointer(place)?.as_str())?;
    let name = ExecutionArn::parse(arn)?.name();
    (execution_arn(app.parts.executions.machine(), name)? == arn).then(|| name.to_owned())
}

/// Starts the job of a message as a new execution. The message stays in the queue, for the operator who handles it.
pub(crate) async fn send(State(app): State<Shared>, body: Bytes) -> Result<Redirect, Fault> {
    let fields = Fields::read(&body);
    let SeenLetters { letters, .. } = queue(&app)?.letters(look(fields.text("look").parse().ok())).await?;
    let letter = letters.iter().find(|letter| letter.id == fields.text("id"));
    let letter = letter
        .ok_or_else(|| Fault::missing("the message cannot be seen in the queue now; look again in some seconds"))?;
    let job = job(&letter.body).ok_or_else(|| Fault::refused("the message is not a job that can be started"))?;
    let batch = stagehost_batch::parse(&job).map_err(|error| Fault::refused(error.to_string()))?;
    let name = new_name(&batch.execution_name(), OffsetDateTime::now_utc());
    app.parts.executions.start(&name, &job).await?;
    Ok(Redirect::to(&batch_url(&name)))
}
