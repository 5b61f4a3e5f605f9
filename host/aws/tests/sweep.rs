#![allow(clippy::unwrap_used, missing_docs)]
//! What the scheduled sweep does for states whose events do not come.

mod support;

use serde_json::json;
use stagehost_aws::{JobStatus, SweepReport, Ticket, TicketProgress};
use stagehost_runtime::capability::Submission;
use support::fixture::{EXECUTION, Fixture, asset, fixture, job, report, scope};

/// Returns a state that waits for two jobs, and the ids of these.
async fn waiting() -> (Fixture, [String; 2]) {
    let fixture = fixture().await;
    let ticket: Ticket = fixture.attempt(0, "token").await;
    let ids: Vec<String> = ticket.jobs.iter().map(|job| job.id.clone()).collect();
    fixture.tickets.open(ticket).await.unwrap();
    (fixture, ids.try_into().unwrap())
}

#[tokio::test]
async fn a_job_that_waits_in_mediaconverts_queue_for_an_hour_keeps_its_state_alive() {
    let (fixture, _) = waiting().await;
    // Every five minutes.
    for _ in 0..12 {
        let swept = fixture.tickets.sweep().await.unwrap();
        assert_eq!(swept, SweepReport { tickets: 1, alive: 1, ..SweepReport::default() });
    }
    assert_eq!(fixture.services.calls("SendTaskHeartbeat").len(), 12);
    assert_eq!(fixture.services.statuses(), ["SUBMITTED", "SUBMITTED"]);
}

#[tokio::test]
async fn a_state_whose_last_event_was_lost_is_ended_by_the_next_sweep() {
    let (fixture, [one, two]) = waiting().await;
    fixture.write_outputs("one");
    fixture.tickets.report(&report(&one, JobStatus::Complete)).await.unwrap();
    fixture.services.change_job(&two, json!({"status": "ERROR", "errorCode": 1040, "errorMessage": "no video stream"}));
    let swept = fixture.tickets.sweep().await.unwrap();
    assert_eq!(swept, SweepReport { tickets: 1, ended: 1, ..SweepReport::default() });
    let answer = &fixture.answers()[0];
    assert_eq!(asset(answer, "one")["renditions"].as_array().unwrap().len(), 2);
    assert_eq!(asset(answer, "two")["problem"]["code"], "Stage.Corrupt");
    assert_eq!(fixture.bucket.keys("pipeline/tickets/"), [""; 0]);
    // The event arrives after all.
    let late = fixture.tickets.report(&report(&two, JobStatus::Error)).await.unwrap();
    assert_eq!((late, fixture.answers().len()), (TicketProgress::NoTicket, 1));
    assert_eq!(fixture.tickets.sweep().await.unwrap(), SweepReport::default());
}

#[tokio::test]
async fn the_jobs_of_a_stopped_execution_are_cancelled_and_nothing_of_it_stays() {
    let (fixture, [one, _]) = waiting().await;
    fixture.services.change_job(&one, json!({"status": "PROGRESSING"}));
    fixture.services.end("token");
    fixture.services.end_execution(EXECUTION, "ABORTED");
    let swept = fixture.tickets.sweep().await.unwrap();
    assert_eq!(swept, SweepReport { tickets: 1, removed: 1, cancelled: 1, ..SweepReport::default() });
    assert_eq!(fixture.services.statuses(), ["PROGRESSING", "CANCELED"], "what has begun goes on");
    for prefix in ["pipeline/tickets/", "pipeline/jobs/", "pipeline/tickets-submitted/"] {
        assert_eq!(fixture.bucket.keys(prefix), [""; 0], "{prefix}");
    }
}

#[tokio::test]
async fn a_state_between_two_tries_keeps_its_jobs() {
    let (fixture, ids) = waiting().await;
    // The first try has timed out; the execution runs, or waits to be redriven.
    fixture.services.end("token");
    for status in ["RUNNING", "PENDING_REDRIVE"] {
        fixture.services.end_execution(EXECUTION, status);
        let swept = fixture.tickets.sweep().await.unwrap();
        assert_eq!(swept, SweepReport { tickets: 1, ..SweepReport::default() });
    }
    let second = fixture.attempt(1, "token-1").await;
    assert_eq!(second.jobs.iter().map(|job| job.id.clone()).collect::<Vec<_>>(), ids);
    fixture.tickets.open(second).await.unwrap();
    assert_eq!(fixture.tickets.sweep().await.unwrap().alive, 1);
}

#[tokio::test]
async fn a_job_that_mediaconvert_does_not_know_is_said_and_gives_no_heartbeat() {
    let (fixture, [one, _]) = waiting().await;
    let key = &fixture.bucket.keys("pipeline/tickets/")[0];
    let ticket = fixture.bucket.text(key).unwrap().replace(&one, "1700000000000-unknown");
    fixture.bucket.put_text(key, ticket);
    assert_eq!(fixture.tickets.sweep().await.unwrap().failed, 1);
    assert!(fixture.services.calls("SendTaskHeartbeat").is_empty());
}

#[tokio::test]
async fn a_job_whose_function_died_before_its_ticket_is_cancelled_once_the_execution_is_over() {
    let fixture = fixture().await;
    let Submission::Running(_) = fixture.transcoder.submit(&scope(0, "token"), job("one")).await.unwrap() else {
        panic!("nothing was made before")
    };
    fixture.services.end_execution(EXECUTION, "FAILED");
    assert_eq!(fixture.tickets.sweep().await.unwrap(), SweepReport::default(), "its function may still run");
    let key = &fixture.bucket.keys("pipeline/tickets-submitted/")[0];
    let mut record: serde_json::Value = serde_json::from_str(&fixture.bucket.text(key).unwrap()).unwrap();
    record["began"] = json!(record["began"].as_i64().unwrap() - 3_600_000);
    fixture.bucket.put_text(key, record.to_string());
    let swept = fixture.tickets.sweep().await.unwrap();
    assert_eq!(swept, SweepReport { removed: 1, cancelled: 1, ..SweepReport::default() });
    assert_eq!(fixture.services.statuses(), ["CANCELED"]);
    assert_eq!(fixture.bucket.keys("pipeline/tickets-submitted/"), [""; 0]);
}
