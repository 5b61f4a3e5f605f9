#![allow(clippy::unwrap_used, missing_docs)]
//! A video is submitted once, whatever is lost and however late a state is tried again.

mod support;

use serde_json::{Value, json};
use stagehost_aws::{JobStatus, TicketProgress};
use stagehost_batch::Case;
use stagehost_runtime::capability::Submission;
use support::fixture::{Fixture, UNDECIDED, asset, fixture, job, report, scope};

const SUBMITTED: &str = "pipeline/tickets-submitted/";

/// Returns the only record of a submission.
fn record(fixture: &Fixture) -> (String, Value) {
    let [key] = fixture.bucket.keys(SUBMITTED).try_into().unwrap();
    let text = fixture.bucket.text(&key).unwrap();
    (key, serde_json::from_str(&text).unwrap())
}

async fn submitted(fixture: &Fixture, attempt: u32) -> String {
    match fixture.transcoder.submit(&scope(attempt, "token"), job("one")).await.unwrap() {
        Submission::Running(id) => id,
        Submission::UpToDate(_) => panic!("nothing was made before"),
    }
}

#[tokio::test]
async fn a_try_that_comes_after_mediaconvert_has_forgotten_the_token_gets_the_same_job() {
    let fixture = fixture().await;
    let first = submitted(&fixture, 0).await;
    assert_eq!(record(&fixture).1["phase"], json!({"is": "accepted", "job": first}));
    fixture.services.forget_tokens();
    assert_eq!(submitted(&fixture, 1).await, first);
    assert_eq!(fixture.services.jobs().len(), 1);
}

#[tokio::test]
async fn a_lost_answer_within_one_request_is_made_good_by_its_token() {
    let fixture = fixture().await;
    fixture.services.lose_answers(1);
    submitted(&fixture, 0).await;
    assert_eq!(fixture.services.jobs().len(), 1);
}

#[tokio::test]
async fn a_job_whose_answers_were_all_lost_is_found_by_its_metadata() {
    let fixture = fixture().await;
    fixture.services.lose_answers(3);
    let failure = fixture.transcoder.submit(&scope(0, "token"), job("one")).await.unwrap_err();
    assert_eq!(failure.case, Case::Transient, "{failure}");
    assert_eq!(record(&fixture).1["phase"], json!({"is": "intended"}));
    fixture.services.forget_tokens();
    let found = submitted(&fixture, 1).await;
    assert_eq!(fixture.services.jobs().len(), 1);
    assert_eq!(record(&fixture).1["phase"], json!({"is": "accepted", "job": found}));
}

#[tokio::test]
async fn an_intention_without_a_job_is_taken_over_once_no_request_can_be_under_way() {
    let fixture = fixture().await;
    // The process of the first try has died between its intention and its request.
    submitted(&fixture, 0).await;
    let (key, mut noted) = record(&fixture);
    let other = support::fixture::fixture().await;
    noted["phase"] = json!({"is": "intended"});
    noted["began"] = json!(time::OffsetDateTime::now_utc().unix_timestamp() * 1000);
    other.bucket.put_text(&key, noted.to_string());
    let before = std::time::Instant::now();
    submitted(&other, 1).await;
    assert!(before.elapsed() + std::time::Duration::from_secs(1) >= UNDECIDED, "it waits until that is certain");
    assert_eq!(other.services.jobs().len(), 1);
    assert_eq!(record(&other).1["round"], 1);
}

#[tokio::test]
async fn two_tries_at_the_same_time_submit_one_job() {
    for _ in 0..20 {
        let fixture = fixture().await;
        let (first, second) = tokio::join!(submitted(&fixture, 0), submitted(&fixture, 1));
        assert_eq!(first, second);
        assert_eq!(fixture.services.jobs().len(), 1);
    }
}

#[tokio::test]
async fn a_refused_request_leaves_nothing_to_wait_for() {
    let fixture = fixture().await;
    fixture.services.refuse_jobs_with(Some(429));
    let failure = fixture.transcoder.submit(&scope(0, "token"), job("one")).await.unwrap_err();
    assert_eq!((failure.case, &record(&fixture).1["phase"]), (Case::Transient, &json!({"is": "void"})));
    fixture.services.refuse_jobs_with(None);
    submitted(&fixture, 1).await;
    assert_eq!(fixture.services.jobs().len(), 1);
}

#[tokio::test]
async fn the_record_of_a_submission_goes_with_the_ticket_of_its_state() {
    let fixture = fixture().await;
    let ticket = fixture.attempt(0, "token").await;
    assert_eq!(fixture.bucket.keys(SUBMITTED).len(), 2);
    let ids: Vec<String> = ticket.jobs.iter().map(|job| job.id.clone()).collect();
    fixture.tickets.open(ticket).await.unwrap();
    fixture.write_outputs("one");
    fixture.tickets.report(&report(&ids[0], JobStatus::Complete)).await.unwrap();
    let last = fixture.tickets.report(&report(&ids[1], JobStatus::Error)).await.unwrap();
    assert_eq!(last, TicketProgress::Ended);
    assert_eq!(asset(&fixture.answers()[0], "two")["problem"]["code"], "Stage.Corrupt");
    assert_eq!(fixture.bucket.keys(SUBMITTED), [""; 0]);
}
