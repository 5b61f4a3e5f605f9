//! Going on with an execution that ended without success, from the state where it stopped. Step Functions calls it a redrive: the
//! execution stays the same one, with the definition and the documents that it had; nobody can change them.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::response::Redirect;
use maud::{Markup, html};

use super::loaded::{Run, arn_of, load_run};
use super::timeline::ending;
use super::visits::{Visit, Visits};
use crate::app::{App, Shared};
use crate::fault::Fault;
use crate::html::format::{batch_url, clipped};
use crate::html::frame::{Sheet, Tab, framed, token_field};
use crate::html::parts::LONGEST_LINE;

/// How many of the states the page shows; a Map state can have thousands of items.
const MOST: usize = 200;

/// Shows where the execution would go on.
pub(crate) async fn ask(State(app): State<Shared>, Path(name): Path<String>) -> Result<Markup, Fault> {
    let run = load_run(&app, &name).await?;
    if !run.facts.redrive.possible {
        let why = run.facts.redrive.why_not.as_deref().unwrap_or("Step Functions does not say why");
        return Err(Fault::refused(format!("{name} cannot go on from where it stopped: {why}")));
    }
    match &run.unread {
        Some(error) => Err(error.clone().into()),
        None => Ok(page(&app, &name, &run)),
    }
}

fn page(app: &App, name: &str, run: &Run) -> Markup {
    let stopped = stopped(&run.visits);
    let body = html! {
        nav.crumbs aria-label="Where you are" {
            a href="/console" { "Batches" } a href=(batch_url(name)) { (name) }
        }
        h1 { "Go on from where it stopped" }
        p { "The same execution goes on. States that have succeeded keep their results; these begin again, with the input that they had:" }
        ul.stopped {
            @for visit in stopped.iter().take(MOST) {
                li {
                    a href={ (batch_url(name)) "/state/" (visit.event) } { (visit.state) }
                    @let (class, word) = ending(visit.ending);
                    " " span class={ "badge " (class) } { (word) }
                    @if let Some((error, _)) = &visit.fault { " " strong { (clipped(error, LONGEST_LINE)) } }
                }
            }
        }
        @if stopped.len() > MOST { p.note { "The first " (MOST) " of " (stopped.len()) " states are shown." } }
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
fn stopped(visits: &Visits) -> Vec<&Visit> {
    let open = visits.open();
    let around: BTreeSet<usize> =
        visits.all.iter().zip(&open).filter(|(_, open)| **open).filter_map(|(visit, _)| visit.parent).collect();
    let innermost = visits.all.iter().zip(open).enumerate().filter(|(at, (_, open))| *open && !around.contains(at));
    innermost.map(|(_, (visit, _))| visit).collect()
}

/// Lets the execution go on.
pub(crate) async fn go_on(State(app): State<Shared>, Path(name): Path<String>) -> Result<Redirect, Fault> {
    app.parts.executions.redrive(&arn_of(&app, &name)?).await?;
    Ok(Redirect::to(&batch_url(&name)))
}

#[cfg(test)]
mod tests {
    use super::super::reading::tests::history;
    use super::super::reading::visits;
    use super::*;
    use crate::source::executions::ExecutionStatus;

    /// Returns the names of the states in which an execution with this history goes on: number, previous, kind, state.
    fn goes_on_in(events: &[(i64, i64, &str, &str)], status: ExecutionStatus) -> Vec<String> {
        let visits = visits(&history(events), status);
        stopped(&visits).iter().map(|visit| visit.state.clone()).collect()
    }

    #[test]
    fn it_goes_on_in_the_innermost_states_that_were_open() {
        let events = [
            (1, 0, "ExecutionStarted", ""),
            (2, 0, "TaskStateEntered", "Check"),
            (3, 2, "TaskStateExited", "Check"),
            (4, 3, "ParallelStateEntered", "Both"),
            (5, 4, "TaskStateEntered", "Left"),
            (6, 4, "TaskStateEntered", "Right"),
            (7, 6, "TaskStateExited", "Right"),
            (8, 7, "ExecutionAborted", ""),
        ];
        assert_eq!(goes_on_in(&events, ExecutionStatus::Aborted), ["Left"]);
    }

    #[test]
    fn it_goes_on_in_every_branch_whatever_the_order_of_the_entries() {
        let events = [
            (1, 0, "ExecutionStarted", ""),
            (2, 0, "ParallelStateEntered", "Outer"),
            (3, 2, "ParallelStateStarted", ""),
            (4, 3, "ParallelStateEntered", "Inner"),
            (5, 3, "TaskStateEntered", "Beside"),
            (6, 4, "ParallelStateStarted", ""),
            (7, 6, "TaskStateEntered", "Inside"),
            (8, 0, "ExecutionAborted", ""),
        ];
        assert_eq!(goes_on_in(&events, ExecutionStatus::Aborted), ["Beside", "Inside"]);
    }

    #[test]
    fn it_does_not_go_on_inside_a_state_that_failed_and_was_caught() {
        let events = [
            (1, 0, "ExecutionStarted", ""),
            (2, 0, "ParallelStateEntered", "Both"),
            (3, 2, "ParallelStateStarted", ""),
            (4, 3, "TaskStateEntered", "Left"),
            (5, 3, "TaskStateEntered", "Right"),
            (6, 4, "TaskFailed", ""),
            (7, 6, "ParallelStateFailed", ""),
            (8, 7, "ParallelStateExited", "Both"),
            (9, 8, "FailStateEntered", "GiveUp"),
            (10, 9, "ExecutionFailed", ""),
        ];
        assert_eq!(goes_on_in(&events, ExecutionStatus::Failed), ["GiveUp"]);
    }

    #[test]
    fn it_goes_on_in_the_last_try_of_a_state_that_was_tried_again() {
        let events = [
            (1, 0, "ExecutionStarted", ""),
            (2, 0, "ParallelStateEntered", "Both"),
            (3, 2, "ParallelStateStarted", ""),
            (4, 3, "TaskStateEntered", "Left"),
            (5, 3, "TaskStateEntered", "Right"),
            (6, 5, "TaskFailed", ""),
            (7, 6, "ParallelStateStarted", ""),
            (8, 7, "TaskStateEntered", "Right"),
            (9, 0, "ExecutionAborted", ""),
        ];
        assert_eq!(goes_on_in(&events, ExecutionStatus::Aborted), ["Right"]);
    }
}
