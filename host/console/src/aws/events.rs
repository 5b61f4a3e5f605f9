//! The events of a history. The SDK has a type for the details of each kind; pages need a few fields that many share.

use aws_sdk_sfn::types::HistoryEvent;

use super::times::time;
use crate::source::executions::PastEvent;

/// Returns an event without the fields that no page shows.
pub(super) fn past_event(event: &HistoryEvent) -> PastEvent {
    let mut past = PastEvent {
        id: event.id,
        previous: event.previous_event_id,
        at: time(&event.timestamp),
        kind: event.r#type.as_str().to_owned(),
        ..PastEvent::default()
    };
    if let Some(details) = &event.state_entered_event_details {
        past.state = Some(details.name.clone());
        past.input = details.input.clone();
    }
    if let Some(details) = &event.state_exited_event_details {
        past.state = Some(details.name.clone());
        past.output = details.output.clone();
    }
    let iterations = [
        &event.map_iteration_started_event_details,
        &event.map_iteration_succeeded_event_details,
        &event.map_iteration_failed_event_details,
        &event.map_iteration_aborted_event_details,
    ];
    if let Some(details) = iterations.into_iter().flatten().next() {
        past.state = details.name.clone();
    }
    if let Some((error, cause)) = failure(event) {
        (past.error, past.cause) = (error, cause);
    }
    past
}

/// Returns error and cause of the kinds of events that can have them.
fn failure(event: &HistoryEvent) -> Option<(Option<String>, Option<String>)> {
    macro_rules! first_of {
        ($($details:ident),* $(,)?) => {
            $(if let Some(details) = &event.$details {
                return Some((details.error.clone(), details.cause.clone()));
            })*
        };
    }
    first_of!(
        task_failed_event_details,
        task_timed_out_event_details,
        task_start_failed_event_details,
        task_submit_failed_event_details,
        lambda_function_failed_event_details,
        lambda_function_timed_out_event_details,
        lambda_function_start_failed_event_details,
        lambda_function_schedule_failed_event_details,
        activity_failed_event_details,
        activity_timed_out_event_details,
        activity_schedule_failed_event_details,
        map_run_failed_event_details,
        evaluation_failed_event_details,
        execution_failed_event_details,
        execution_timed_out_event_details,
        execution_aborted_event_details,
    );
    None
}
