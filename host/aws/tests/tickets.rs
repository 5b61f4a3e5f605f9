#![allow(clippy::unwrap_used, missing_docs)]
//! A waiting state ends exactly when its last job ends, in any order of events and however often they arrive.

mod support;

use serde_json::json;
use stagehost_aws::{JobReport, JobStatus, MediaConvertOptions, Ticket, TicketProgress, ticket_id};
use stagehost_batch::Case;
use stagehost_runtime::capability::{CallScope, Submission, TranscodeJob};
use support::fixture::{EXECUTION, STATE, asset, batch, fixture, fixture_with, job, report, scope};

#[tokio::test]
async fn a_state_ends_with_the_renditions_when_its_last_job_is_reported() {
    let fixture = fixture().await;
    let ticket = fixture.attempt(0, "token").await;
    let ids: Vec<String> = ticket.jobs.iter().map(|job| job.id.clone()).collect();
    assert_eq!(fixture.tickets.open(ticket).await.unwrap(), TicketProgress::Waiting { reported: 0, jobs: 2 });
    for (id, name) in ids.iter().zip(["one", "two"]) {
        assert!(fixture.answers().is_empty());
        fixture.write_outputs(name);
        fixture.tickets.report(&report(id, JobStatus::Complete)).await.unwrap();
    }
    let [answer] = &fixture.answers()[..] else { panic!("one answer") };
    for name in ["one", "two"] {
        let renditions = asset(answer, name)["renditions"].as_array().unwrap();
        assert_eq!(renditions.len(), 2);
        assert_eq!(renditions[0]["name"], "1080p");
        assert_eq!(renditions[0]["bytes"], 6);
        assert_eq!(renditions[0]["pixels"], json!({"width": 1080, "height": 1920}));
        assert_ne!(renditions[0]["etag"], "");
    }
    assert_eq!(answer["jobId"], 4);
    assert_eq!(fixture.bucket.keys("pipeline/tickets/"), [""; 0]);
    assert_eq!(fixture.bucket.keys("pipeline/jobs/"), [""; 0]);
}

#[tokio::test]
async fn jobs_that_end_before_the_ticket_is_written_are_not_lost() {
    let fixture = fixture().await;
    let ticket = fixture.attempt(0, "token").await;
    for (job, name) in ticket.jobs.iter().zip(["one", "two"]) {
        fixture.write_outputs(name);
        let progress = fixture.tickets.report(&report(&job.id, JobStatus::Complete)).await.unwrap();
        assert_eq!(progress, TicketProgress::NoTicket);
    }
    assert_eq!(fixture.tickets.open(ticket).await.unwrap(), TicketProgress::Ended);
    assert_eq!(fixture.answers().len(), 1);
}

#[tokio::test]
async fn opening_and_reporting_at_the_same_time_ends_the_state_once_in_every_interleaving() {
    for _ in 0..30 {
        let fixture = fixture().await;
        let ticket = fixture.attempt(0, "token").await;
        fixture.write_outputs("one");
        fixture.write_outputs("two");
        let reports: Vec<JobReport> = ticket.jobs.iter().map(|job| report(&job.id, JobStatus::Complete)).collect();
        let (open, first, second) = tokio::join!(
            fixture.tickets.open(ticket),
            fixture.tickets.report(&reports[0]),
            fixture.tickets.report(&reports[1])
        );
        let all = [open.unwrap(), first.unwrap(), second.unwrap()];
        assert_eq!(all.iter().filter(|progress| **progress == TicketProgress::Ended).count(), 1, "{all:?}");
    }
}

#[tokio::test]
async fn repeated_late_and_foreign_events_have_no_effect() {
    let fixture = fixture().await;
    let ticket = fixture.attempt(0, "token").await;
    let ids: Vec<String> = ticket.jobs.iter().map(|job| job.id.clone()).collect();
    fixture.write_outputs("one");
    fixture.write_outputs("two");
    fixture.tickets.open(ticket).await.unwrap();
    for id in [&ids[0], &ids[0], &ids[1]] {
        fixture.tickets.report(&report(id, JobStatus::Complete)).await.unwrap();
    }
    assert_eq!(fixture.answers().len(), 1);
    assert_eq!(fixture.tickets.report(&report(&ids[1], JobStatus::Complete)).await.unwrap(), TicketProgress::NoTicket);
    let foreign = JobReport { ticket: None, ..report("1-x", JobStatus::Complete) };
    assert_eq!(fixture.tickets.report(&foreign).await.unwrap(), TicketProgress::Foreign);
    let unknown = report("1-unknown", JobStatus::Complete);
    assert_eq!(fixture.tickets.report(&unknown).await.unwrap(), TicketProgress::NoTicket);
    assert_eq!(fixture.answers().len(), 1);
}

#[tokio::test]
async fn a_failed_job_is_a_problem_of_its_video_and_the_other_video_gets_its_renditions() {
    let fixture = fixture().await;
    let ticket = fixture.attempt(0, "token").await;
    let ids: Vec<String> = ticket.jobs.iter().map(|job| job.id.clone()).collect();
    fixture.write_outputs("two");
    fixture.tickets.open(ticket).await.unwrap();
    fixture.tickets.report(&report(&ids[0], JobStatus::Error)).await.unwrap();
    assert_eq!(fixture.tickets.report(&report(&ids[1], JobStatus::Complete)).await.unwrap(), TicketProgress::Ended);
    let answer = &fixture.answers()[0];
    let problem = &asset(answer, "one")["problem"];
    assert_eq!((problem["state"].as_str(), problem["code"].as_str()), (Some(STATE), Some("Stage.Corrupt")));
    assert!(problem["message"].as_str().unwrap().contains("no video stream"));
    assert_eq!(asset(answer, "two")["renditions"].as_array().unwrap().len(), 2);
    assert_eq!(asset(answer, "two").get("problem"), None);
}

#[tokio::test]
async fn a_completed_job_whose_output_does_not_exist_is_a_problem_and_not_a_rendition() {
    let fixture = fixture().await;
    let ticket = fixture.attempt(0, "token").await;
    let ids: Vec<String> = ticket.jobs.iter().map(|job| job.id.clone()).collect();
    fixture.write_outputs("one");
    fixture.tickets.open(ticket).await.unwrap();
    for id in &ids {
        fixture.tickets.report(&report(id, JobStatus::Complete)).await.unwrap();
    }
    assert_eq!(asset(&fixture.answers()[0], "two")["problem"]["code"], "Stage.Missing");
}

#[tokio::test]
async fn a_state_that_is_tried_again_waits_with_its_new_token_for_the_same_jobs() {
    let fixture = fixture().await;
    let first = fixture.attempt(0, "token-0").await;
    let ids: Vec<String> = first.jobs.iter().map(|job| job.id.clone()).collect();
    fixture.tickets.open(first).await.unwrap();
    fixture.write_outputs("one");
    fixture.tickets.report(&report(&ids[0], JobStatus::Complete)).await.unwrap();
    // The first attempt has timed out, so nothing waits with its token.
    fixture.services.end("token-0");
    let second = fixture.attempt(1, "token-1").await;
    assert_eq!(
        second.jobs.iter().map(|job| job.id.clone()).collect::<Vec<_>>(),
        ids,
        "the attempts have the same jobs"
    );
    assert_eq!(fixture.tickets.open(second).await.unwrap(), TicketProgress::Waiting { reported: 1, jobs: 2 });
    fixture.write_outputs("two");
    assert_eq!(fixture.tickets.report(&report(&ids[1], JobStatus::Complete)).await.unwrap(), TicketProgress::Ended);
    let calls = fixture.services.calls("SendTaskSuccess");
    assert_eq!(calls.last().unwrap()["taskToken"], "token-1");
}

#[tokio::test]
async fn a_late_try_does_not_replace_the_ticket_of_the_next_one() {
    let fixture = fixture().await;
    let first = fixture.attempt(0, "token-0").await;
    let ids: Vec<String> = first.jobs.iter().map(|job| job.id.clone()).collect();
    // Step Functions no longer waits for the first try, whose call still goes on.
    fixture.services.end("token-0");
    let second = fixture.attempt(1, "token-1").await;
    assert_eq!(fixture.tickets.open(second).await.unwrap(), TicketProgress::Waiting { reported: 0, jobs: 2 });
    assert_eq!(fixture.tickets.open(first).await.unwrap(), TicketProgress::Gone);
    fixture.write_outputs("one");
    fixture.write_outputs("two");
    fixture.tickets.report(&report(&ids[0], JobStatus::Complete)).await.unwrap();
    assert_eq!(fixture.tickets.report(&report(&ids[1], JobStatus::Complete)).await.unwrap(), TicketProgress::Ended);
    assert_eq!(fixture.services.calls("SendTaskSuccess").last().unwrap()["taskToken"], "token-1");
}

#[tokio::test]
async fn the_first_try_of_a_redriven_execution_replaces_the_ticket_of_the_last_one_before() {
    let fixture = fixture().await;
    let before = fixture.attempt(2, "token-before").await;
    let ids: Vec<String> = before.jobs.iter().map(|job| job.id.clone()).collect();
    fixture.tickets.open(before).await.unwrap();
    fixture.services.end("token-before");
    let redriven = fixture.attempt(0, "token-redriven").await;
    assert_eq!(fixture.tickets.open(redriven).await.unwrap(), TicketProgress::Waiting { reported: 0, jobs: 2 });
    for (id, name) in ids.iter().zip(["one", "two"]) {
        fixture.write_outputs(name);
        fixture.tickets.report(&report(id, JobStatus::Complete)).await.unwrap();
    }
    assert_eq!(fixture.services.calls("SendTaskSuccess").last().unwrap()["taskToken"], "token-redriven");
}

#[tokio::test]
async fn the_reports_of_a_state_that_timed_out_are_kept_for_its_next_attempt() {
    let fixture = fixture().await;
    let first = fixture.attempt(0, "token-0").await;
    let ids: Vec<String> = first.jobs.iter().map(|job| job.id.clone()).collect();
    fixture.tickets.open(first).await.unwrap();
    fixture.services.end("token-0");
    fixture.write_outputs("one");
    fixture.write_outputs("two");
    fixture.tickets.report(&report(&ids[0], JobStatus::Complete)).await.unwrap();
    assert_eq!(fixture.tickets.report(&report(&ids[1], JobStatus::Complete)).await.unwrap(), TicketProgress::Gone);
    let second = fixture.attempt(1, "token-1").await;
    assert!(second.jobs.is_empty() || fixture.tickets.open(second.clone()).await.unwrap() == TicketProgress::Ended);
}

#[tokio::test]
async fn a_state_without_jobs_ends_at_once() {
    let fixture = fixture().await;
    let ticket = Ticket {
        execution: EXECUTION.into(),
        state: STATE.into(),
        task_token: "token".into(),
        attempt: 0,
        batch: batch(),
        jobs: Vec::new(),
    };
    assert_eq!(fixture.tickets.open(ticket).await.unwrap(), TicketProgress::Ended);
    assert_eq!(fixture.answers().len(), 1);
}

#[tokio::test]
async fn a_running_job_keeps_its_state_alive() {
    let fixture = fixture().await;
    let ticket = fixture.attempt(0, "token").await;
    let id = ticket.jobs[0].id.clone();
    assert_eq!(fixture.tickets.report(&report(&id, JobStatus::Running)).await.unwrap(), TicketProgress::NoTicket);
    fixture.tickets.open(ticket).await.unwrap();
    fixture.tickets.report(&report(&id, JobStatus::Running)).await.unwrap();
    assert_eq!(fixture.services.calls("SendTaskHeartbeat").len(), 1);
    fixture.services.end("token");
    assert_eq!(fixture.tickets.report(&report(&id, JobStatus::Running)).await.unwrap(), TicketProgress::Gone);
}

#[tokio::test]
async fn a_second_batch_with_the_same_video_transcodes_nothing_until_an_output_changes() {
    let fixture = fixture().await;
    let ticket = fixture.attempt(0, "token").await;
    fixture.write_outputs("one");
    fixture.write_outputs("two");
    let ids: Vec<String> = ticket.jobs.iter().map(|job| job.id.clone()).collect();
    fixture.tickets.open(ticket).await.unwrap();
    for id in &ids {
        fixture.tickets.report(&report(id, JobStatus::Complete)).await.unwrap();
    }
    let later = CallScope { execution: "arn:later".into(), ..scope(0, "later") };
    let Submission::UpToDate(renditions) = fixture.transcoder.submit(&later, job("one")).await.unwrap() else {
        panic!("nothing has changed")
    };
    assert!(renditions.iter().all(|rendition| rendition.reused && rendition.bytes == 6));
    assert_eq!(fixture.services.jobs().len(), 2);

    let mut smaller = job("one");
    smaller.outputs[0].video_bitrate = 1_000_000;
    assert!(matches!(fixture.transcoder.submit(&later, smaller).await.unwrap(), Submission::Running(_)));
    let replaced = TranscodeJob { source_etag: "other".into(), ..job("one") };
    assert!(matches!(fixture.transcoder.submit(&later, replaced).await.unwrap(), Submission::Running(_)));
    fixture.write_outputs("one");
    assert!(matches!(fixture.transcoder.submit(&later, job("one")).await.unwrap(), Submission::Running(_)));
}

#[tokio::test]
async fn a_job_is_submitted_with_queue_role_template_and_ticket() {
    let fixture = fixture().await;
    fixture.attempt(0, "token").await;
    let job = &fixture.services.jobs()[0];
    assert_eq!(job["jobTemplate"], "toq-media-video-preset-staging");
    assert!(job["queue"].as_str().unwrap().ends_with("toq-media-queue-staging"));
    assert!(job["role"].as_str().unwrap().ends_with("mediaconvert"));
    assert_eq!(job["statusUpdateInterval"], "SECONDS_60");
    assert_eq!(job["userMetadata"]["ticket"], ticket_id(EXECUTION, STATE).as_str());
    let metadata = job["userMetadata"].as_object().unwrap();
    assert!(metadata.values().all(|value| value.as_str().unwrap().len() <= 256));
    assert!(!job.to_string().contains("\"token\""), "the task token stays in the bucket");
}

#[tokio::test]
async fn a_job_that_failed_in_an_earlier_attempt_is_reported_again_and_not_waited_for() {
    let fixture = fixture().await;
    let failed = json!({"status": "ERROR", "errorCode": 1040, "errorMessage": "no video stream"});
    fixture.services.answer_jobs_with(failed);
    let ticket = fixture.attempt(1, "token").await;
    assert_eq!(fixture.tickets.open(ticket).await.unwrap(), TicketProgress::Ended);
    assert_eq!(asset(&fixture.answers()[0], "one")["problem"]["code"], "Stage.Corrupt");
}

#[tokio::test]
async fn refusals_of_the_service_are_typed_failures() {
    let fixture = fixture().await;
    for (status, case) in [(400, Case::InvalidInput), (403, Case::Denied), (404, Case::Missing)] {
        fixture.services.refuse_jobs_with(Some(status));
        let failure = fixture.transcoder.submit(&scope(0, "token"), job("one")).await.unwrap_err();
        assert_eq!(failure.case, case, "{failure}");
    }
}

#[tokio::test]
async fn throttling_by_the_service_is_a_transient_failure() {
    let fixture = fixture().await;
    fixture.services.refuse_jobs_with(Some(429));
    let failure = fixture.transcoder.submit(&scope(0, "token"), job("one")).await.unwrap_err();
    assert_eq!(failure.case, Case::Transient, "{failure}");
}

#[tokio::test]
async fn without_a_role_no_job_is_submitted() {
    let fixture = fixture_with(MediaConvertOptions::default()).await;
    let failure = fixture.transcoder.submit(&scope(0, "token"), job("one")).await.unwrap_err();
    assert_eq!(failure.case, Case::Denied);
    assert!(fixture.services.jobs().is_empty());
}
