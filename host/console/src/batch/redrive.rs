//! Going on with an execution that ended without success, from the state where it stopped. Step Functions calls it a redrive: the
//! execution stays the same one, with the definition and the documents that it had; nobody can change them.

use axum::extract::{Path, State};
use axum::response::Redirect;
use maud::{Markup, html};

use super::loaded::{Run, arn_of, load_run};
use super::timeline::ending;
use super::visits::{Ending, Visit};
use crate::app::{App, Shared};
use crate::fault::Fault;
use crate::html::format::batch_url;
use crate::html::frame::{Sheet, Tab, framed, token_field};

/// Shows where the execution would go on.
pub(crate) async fn ask(State(app): State<Shared>, Path(name): Path<String>) -> Result<Markup, Fault> {
    let run = load_run(&app, &name).await?;
    if !run.facts.redrive.possible {
        let why = run.facts.redrive.why_not.as_deref().unwrap_or("Step Functions does not say why");
        return Err(Fault::refused(format!("{name} cannot go on from where it stopped: {why}")));
    }
    Ok(page(&app, &name, &run))
}

fn page(app: &App, name: &str, run: &Run) -> Markup {
    let stopped = stopped(&run.visits.all);
    let body = html! {
        nav.crumbs aria-label="Where you are" {
            a href="/console" { "Batches" } a href=(batch_url(name)) { (name) }
        }
        h1 { "Go on from where it stopped" }
        p { "The same execution goes on. States that have succeeded keep their results; these begin again, with the input that they had:" }
        ul.stopped {
            @for visit in &stopped {
                li {
                    a href={ (batch_url(name)) "/state/" (visit.event) } { (visit.state) }
                    @let (class, word) = ending(visit.ending);
                    " " span class={ "badge " (class) } { (word) }
                    @if let Some((error, _)) = &visit.fault { " " strong { (error) } }
                }
            }
        }
        @if stopped.iter().any(|visit| visit.kind == "Fail") {
            p.problem { "It ended in a Fail state, so it would fail there again: what went wrong was caught before. Run the batch again instead." }
        }
        p.note { "To change the input, run the batch again: a new execution begins at the first state, and what is up to date is not made a second time." }
        form method="post" action={ (batch_url(name)) "/go-on" } {
            (token_field(app))
            div.actions {
                button.primary type="submit" { "Go on" }
                a.button href={ (batch_url(name)) "/again" } { "Run again" }
            }
        }
    };
    framed(app, Sheet { tab: Tab::Batches, title: "Go on", live: None, body })
}

/// Returns the innermost states that were open at the end.
fn stopped(visits: &[Visit]) -> Vec<&Visit> {
    let open = |visit: &&Visit| visit.left.is_none() && matches!(visit.ending, Ending::Failed | Ending::Stopped);
    // What is inside a state follows it.
    let inner =
        |at: usize| visits[at + 1..].iter().take_while(|next| next.depth > visits[at].depth).any(|next| open(&next));
    visits.iter().enumerate().filter(|(at, visit)| open(visit) && !inner(*at)).map(|(_, visit)| visit).collect()
}

/// Lets the execution go on.
pub(crate) async fn go_on(State(app): State<Shared>, Path(name): Path<String>) -> Result<Redirect, Fault> {
    app.parts.executions.redrive(&arn_of(&app, &name)?).await?;
    Ok(Redirect::to(&batch_url(&name)))
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use crate::batch::visits::Visits;
    use crate::source::executions::{ExecutionStatus, PastEvent};

    use super::*;

    #[test]
    fn it_goes_on_in_the_innermost_states_that_were_open() {
        let event = |id: i64, previous: i64, kind: &str, state: &str| PastEvent {
            id,
            previous,
            kind: kind.to_owned(),
            state: (!state.is_empty()).then(|| state.to_owned()),
            at: OffsetDateTime::from_unix_timestamp(1_700_000_000 + id).ok(),
            ..PastEvent::default()
        };
        let events = [
            event(1, 0, "ExecutionStarted", ""),
            event(2, 0, "TaskStateEntered", "Check"),
            event(3, 2, "TaskStateExited", "Check"),
            event(4, 3, "ParallelStateEntered", "Both"),
            event(5, 4, "TaskStateEntered", "Left"),
            event(6, 4, "TaskStateEntered", "Right"),
            event(7, 6, "TaskStateExited", "Right"),
            event(8, 7, "ExecutionAborted", ""),
        ];
        let visits = Visits::of(&events, ExecutionStatus::Aborted);
        let names: Vec<_> = stopped(&visits.all).iter().map(|visit| visit.state.as_str()).collect();
        assert_eq!(names, ["Left"]);
    }
}
