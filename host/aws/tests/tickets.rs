#![allow(clippy::unwrap_used, missing_docs)]
//! A waiting state ends exactly when its last job does, in whatever order and however often things happen.

mod support;

use std::sync::Arc;

use serde_json::{Value, json};
use stagehost_aws::{
    AwsOptions, Clients, Endpoints, JobReport, JobStatus, MediaConvertOptions, Progress, Recorder, Ticket, Tickets,
    ticket_id,
};
use stagehost_batch::{Batch, Case, PixelSize};
use stagehost_runtime::capability::{CallScope, Provenance, Submission, TranscodeJob, TranscodeOutput, Transcoder};
use support::bucket::Bucket;
use support::services::Services;

const EXECUTION: &str = "arn:aws:states:eu-west-1:111122223333:execution:media:job-4";
const STATE: &str = "ProcessVideos";

struct World {
    bucket: Bucket,
    services: Services,
    tickets: Tickets,
    transcoder: Arc<dyn Transcoder>,
}

async fn world() -> World {
    world_with(MediaConvertOptions {
        role: Some("arn:aws:iam::111122223333:role/mediaconvert".into()),
        queue: Some("arn:aws:mediaconvert:eu-west-1:111122223333:queues/toq-media-queue-staging".into()),
        job_template: Some("toq-media-video-preset-staging".into()),
        ..MediaConvertOptions::default()
    })
    .await
}

async fn world_with(mediaconvert: MediaConvertOptions) -> World {
    let (bucket, services) = (Bucket::default(), Services::default());
    let (s3, other) = (bucket.start().await, services.start().await);
    let endpoints =
        Endpoints { s3: Some(s3), mediaconvert: Some(other.clone()), states: Some(other), ..Endpoints::default() };
    let options = AwsOptions { bucket: "medias".into(), endpoints, mediaconvert, ..AwsOptions::default() };
    let clients = Clients::new(&support::sdk_config(), options);
    World { bucket, services, tickets: clients.tickets(), transcoder: Arc::new(clients.transcoder()) }
}

fn source(name: &str) -> String {
    format!("51/raw/video/vertical/2025-11-27/{name}.mov")
}

fn batch() -> Batch {
    let assets: Vec<Value> = ["one", "two"]
        .iter()
        .map(|name| json!({"key": source(name), "type": "VIDEO_VERTICAL", "etag": "abc"}))
        .collect();
    stagehost_batch::parse(&json!({"listingId": 51, "jobId": 4, "assets": assets})).unwrap()
}

fn scope(attempt: u32, token: &str) -> CallScope {
    CallScope {
        state: STATE.into(),
        execution: EXECUTION.into(),
        attempt,
        task_token: Some(token.into()),
        batch: Arc::new(batch()),
        provenance: Arc::new(Provenance { stage: "transcode".into(), version: "1.0.0".into(), digest: "d".into() }),
    }
}

fn job(name: &str) -> TranscodeJob {
    let output = |rendition: &str, width, height, audio| TranscodeOutput {
        name: rendition.into(),
        key: format!("51/processed/video/vertical/2025-11-27/{name}_{rendition}.mp4"),
        pixels: PixelSize { width, height },
        video_bitrate: 5_000_000,
        audio_bitrate: Some(audio),
    };
    TranscodeJob {
        source_key: source(name),
        source_etag: "abc".into(),
        outputs: vec![output("1080p", 1080, 1920, 128_000), output("720p", 720, 1280, 96_000)],
    }
}

fn report(id: &str, status: JobStatus) -> JobReport {
    JobReport {
        job_id: id.into(),
        ticket: Some(ticket_id(EXECUTION, STATE)),
        status,
        error_code: (status == JobStatus::Error).then_some(1040),
        error_message: (status == JobStatus::Error).then(|| "no video stream".into()),
        progress: None,
    }
}

impl World {
    /// What a stage and the host do on one attempt of the state, up to the ticket.
    async fn attempt(&self, attempt: u32, token: &str) -> Ticket {
        let recorder = Recorder::new(self.transcoder.clone());
        for name in ["one", "two"] {
            recorder.submit(&scope(attempt, token), job(name)).await.unwrap();
        }
        Ticket {
            execution: EXECUTION.into(),
            state: STATE.into(),
            task_token: token.into(),
            batch: batch(),
            jobs: recorder.jobs(),
        }
    }

    fn write_outputs(&self, name: &str) {
        for rendition in ["1080p", "720p"] {
            self.bucket.put(&format!("51/processed/video/vertical/2025-11-27/{name}_{rendition}.mp4"), b"an mp4");
        }
    }

    fn answers(&self) -> Vec<Value> {
        let answers = self.services.calls("SendTaskSuccess");
        answers.iter().map(|call| serde_json::from_str(call["output"].as_str().unwrap()).unwrap()).collect()
    }
}

fn asset<'a>(batch: &'a Value, name: &str) -> &'a Value {
    batch["assets"].as_array().unwrap().iter().find(|asset| asset["key"] == source(name).as_str()).unwrap()
}

#[tokio::test]
async fn the_state_ends_with_the_renditions_when_the_last_job_is_reported() {
    let world = world().await;
    let ticket = world.attempt(0, "token").await;
    let ids: Vec<String> = ticket.jobs.iter().map(|job| job.id.clone()).collect();
    assert_eq!(world.tickets.open(ticket).await.unwrap(), Progress::Waiting { reported: 0, jobs: 2 });
    for (id, name) in ids.iter().zip(["one", "two"]) {
        assert!(world.answers().is_empty());
        world.write_outputs(name);
        world.tickets.report(&report(id, JobStatus::Complete)).await.unwrap();
    }
    let [answer] = &world.answers()[..] else { panic!("one answer") };
    for name in ["one", "two"] {
        let renditions = asset(answer, name)["renditions"].as_array().unwrap();
        assert_eq!(renditions.len(), 2);
        assert_eq!(renditions[0]["name"], "1080p");
        assert_eq!(renditions[0]["bytes"], 6);
        assert_eq!(renditions[0]["pixels"], json!({"width": 1080, "height": 1920}));
        assert_ne!(renditions[0]["etag"], "");
    }
    assert_eq!(answer["jobId"], 4);
    assert_eq!(world.bucket.keys("pipeline/tickets/"), [""; 0]);
    assert_eq!(world.bucket.keys("pipeline/jobs/"), [""; 0]);
}

#[tokio::test]
async fn jobs_that_end_before_the_ticket_is_written_are_not_lost() {
    let world = world().await;
    let ticket = world.attempt(0, "token").await;
    for (job, name) in ticket.jobs.iter().zip(["one", "two"]) {
        world.write_outputs(name);
        let progress = world.tickets.report(&report(&job.id, JobStatus::Complete)).await.unwrap();
        assert_eq!(progress, Progress::Kept);
    }
    assert_eq!(world.tickets.open(ticket).await.unwrap(), Progress::Ended);
    assert_eq!(world.answers().len(), 1);
}

#[tokio::test]
async fn opening_and_reporting_at_the_same_time_ends_the_state_once_in_every_interleaving() {
    for _ in 0..30 {
        let world = world().await;
        let ticket = world.attempt(0, "token").await;
        world.write_outputs("one");
        world.write_outputs("two");
        let reports: Vec<JobReport> = ticket.jobs.iter().map(|job| report(&job.id, JobStatus::Complete)).collect();
        let (open, first, second) = tokio::join!(
            world.tickets.open(ticket),
            world.tickets.report(&reports[0]),
            world.tickets.report(&reports[1])
        );
        let all = [open.unwrap(), first.unwrap(), second.unwrap()];
        assert_eq!(all.iter().filter(|progress| **progress == Progress::Ended).count(), 1, "{all:?}");
    }
}

#[tokio::test]
async fn repeated_late_and_foreign_events_do_nothing() {
    let world = world().await;
    let ticket = world.attempt(0, "token").await;
    let ids: Vec<String> = ticket.jobs.iter().map(|job| job.id.clone()).collect();
    world.write_outputs("one");
    world.write_outputs("two");
    world.tickets.open(ticket).await.unwrap();
    for id in [&ids[0], &ids[0], &ids[1]] {
        world.tickets.report(&report(id, JobStatus::Complete)).await.unwrap();
    }
    assert_eq!(world.answers().len(), 1);
    assert_eq!(world.tickets.report(&report(&ids[1], JobStatus::Complete)).await.unwrap(), Progress::Kept);
    let foreign = JobReport { ticket: None, ..report("1-x", JobStatus::Complete) };
    assert_eq!(world.tickets.report(&foreign).await.unwrap(), Progress::Foreign);
    let unknown = report("1-unknown", JobStatus::Complete);
    assert_eq!(world.tickets.report(&unknown).await.unwrap(), Progress::Kept);
    assert_eq!(world.answers().len(), 1);
}

#[tokio::test]
async fn a_failed_job_is_a_problem_of_its_video_and_the_other_one_gets_its_renditions() {
    let world = world().await;
    let ticket = world.attempt(0, "token").await;
    let ids: Vec<String> = ticket.jobs.iter().map(|job| job.id.clone()).collect();
    world.write_outputs("two");
    world.tickets.open(ticket).await.unwrap();
    world.tickets.report(&report(&ids[0], JobStatus::Error)).await.unwrap();
    assert_eq!(world.tickets.report(&report(&ids[1], JobStatus::Complete)).await.unwrap(), Progress::Ended);
    let answer = &world.answers()[0];
    let problem = &asset(answer, "one")["problem"];
    assert_eq!((problem["state"].as_str(), problem["code"].as_str()), (Some(STATE), Some("Stage.Corrupt")));
    assert!(problem["message"].as_str().unwrap().contains("no video stream"));
    assert_eq!(asset(answer, "two")["renditions"].as_array().unwrap().len(), 2);
    assert_eq!(asset(answer, "two").get("problem"), None);
}

#[tokio::test]
async fn a_completed_job_without_its_file_is_a_problem_and_not_a_rendition() {
    let world = world().await;
    let ticket = world.attempt(0, "token").await;
    let ids: Vec<String> = ticket.jobs.iter().map(|job| job.id.clone()).collect();
    world.write_outputs("one");
    world.tickets.open(ticket).await.unwrap();
    for id in &ids {
        world.tickets.report(&report(id, JobStatus::Complete)).await.unwrap();
    }
    assert_eq!(asset(&world.answers()[0], "two")["problem"]["code"], "Stage.Missing");
}

#[tokio::test]
async fn a_state_that_is_tried_again_waits_with_its_new_token_for_the_same_jobs() {
    let world = world().await;
    let first = world.attempt(0, "token-0").await;
    let ids: Vec<String> = first.jobs.iter().map(|job| job.id.clone()).collect();
    world.tickets.open(first).await.unwrap();
    world.write_outputs("one");
    world.tickets.report(&report(&ids[0], JobStatus::Complete)).await.unwrap();
    // The first attempt timed out: nobody waits with its token.
    world.services.end("token-0");
    let second = world.attempt(1, "token-1").await;
    assert_eq!(second.jobs.iter().map(|job| job.id.clone()).collect::<Vec<_>>(), ids, "no job is made twice");
    assert_eq!(world.tickets.open(second).await.unwrap(), Progress::Waiting { reported: 1, jobs: 2 });
    world.write_outputs("two");
    assert_eq!(world.tickets.report(&report(&ids[1], JobStatus::Complete)).await.unwrap(), Progress::Ended);
    let calls = world.services.calls("SendTaskSuccess");
    assert_eq!(calls.last().unwrap()["taskToken"], "token-1");
}

#[tokio::test]
async fn a_state_that_timed_out_is_gone_and_its_reports_are_kept_for_the_next_attempt() {
    let world = world().await;
    let first = world.attempt(0, "token-0").await;
    let ids: Vec<String> = first.jobs.iter().map(|job| job.id.clone()).collect();
    world.tickets.open(first).await.unwrap();
    world.services.end("token-0");
    world.write_outputs("one");
    world.write_outputs("two");
    world.tickets.report(&report(&ids[0], JobStatus::Complete)).await.unwrap();
    assert_eq!(world.tickets.report(&report(&ids[1], JobStatus::Complete)).await.unwrap(), Progress::Gone);
    let second = world.attempt(1, "token-1").await;
    assert!(second.jobs.is_empty() || world.tickets.open(second.clone()).await.unwrap() == Progress::Ended);
}

#[tokio::test]
async fn a_state_without_jobs_ends_at_once() {
    let world = world().await;
    let ticket = Ticket {
        execution: EXECUTION.into(),
        state: STATE.into(),
        task_token: "token".into(),
        batch: batch(),
        jobs: Vec::new(),
    };
    assert_eq!(world.tickets.open(ticket).await.unwrap(), Progress::Ended);
    assert_eq!(world.answers().len(), 1);
}

#[tokio::test]
async fn a_running_job_keeps_its_state_alive() {
    let world = world().await;
    let ticket = world.attempt(0, "token").await;
    let id = ticket.jobs[0].id.clone();
    assert_eq!(world.tickets.report(&report(&id, JobStatus::Running)).await.unwrap(), Progress::Kept);
    world.tickets.open(ticket).await.unwrap();
    world.tickets.report(&report(&id, JobStatus::Running)).await.unwrap();
    assert_eq!(world.services.calls("SendTaskHeartbeat").len(), 1);
    world.services.end("token");
    assert_eq!(world.tickets.report(&report(&id, JobStatus::Running)).await.unwrap(), Progress::Gone);
}

#[tokio::test]
async fn a_second_batch_with_the_same_video_transcodes_nothing_until_an_output_changes() {
    let world = world().await;
    let ticket = world.attempt(0, "token").await;
    world.write_outputs("one");
    world.write_outputs("two");
    let ids: Vec<String> = ticket.jobs.iter().map(|job| job.id.clone()).collect();
    world.tickets.open(ticket).await.unwrap();
    for id in &ids {
        world.tickets.report(&report(id, JobStatus::Complete)).await.unwrap();
    }
    let later = CallScope { execution: "arn:later".into(), ..scope(0, "later") };
    let Submission::UpToDate(renditions) = world.transcoder.submit(&later, job("one")).await.unwrap() else {
        panic!("nothing has changed")
    };
    assert!(renditions.iter().all(|rendition| rendition.reused && rendition.bytes == 6));
    assert_eq!(world.services.jobs().len(), 2);

    let mut smaller = job("one");
    smaller.outputs[0].video_bitrate = 1_000_000;
    assert!(matches!(world.transcoder.submit(&later, smaller).await.unwrap(), Submission::Running(_)));
    let replaced = TranscodeJob { source_etag: "other".into(), ..job("one") };
    assert!(matches!(world.transcoder.submit(&later, replaced).await.unwrap(), Submission::Running(_)));
    world.write_outputs("one");
    assert!(matches!(world.transcoder.submit(&later, job("one")).await.unwrap(), Submission::Running(_)));
}

#[tokio::test]
async fn a_job_names_the_queue_the_role_the_template_and_the_ticket() {
    let world = world().await;
    world.attempt(0, "token").await;
    let job = &world.services.jobs()[0];
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
async fn a_job_that_an_earlier_attempt_saw_fail_is_reported_again_and_not_waited_for() {
    let world = world().await;
    let failed = json!({"status": "ERROR", "errorCode": 1040, "errorMessage": "no video stream"});
    world.services.answer_jobs_with(failed);
    let ticket = world.attempt(1, "token").await;
    assert_eq!(world.tickets.open(ticket).await.unwrap(), Progress::Ended);
    assert_eq!(asset(&world.answers()[0], "one")["problem"]["code"], "Stage.Corrupt");
}

#[tokio::test]
async fn the_services_refusals_are_typed_failures() {
    let world = world().await;
    for (status, case) in [(400, Case::InvalidInput), (403, Case::Denied), (404, Case::Missing)] {
        world.services.refuse_jobs_with(status);
        let failure = world.transcoder.submit(&scope(0, "token"), job("one")).await.unwrap_err();
        assert_eq!(failure.case, case, "{failure}");
    }
}

#[tokio::test]
async fn a_busy_service_is_a_passing_fault() {
    let world = world().await;
    world.services.refuse_jobs_with(429);
    let failure = world.transcoder.submit(&scope(0, "token"), job("one")).await.unwrap_err();
    assert_eq!(failure.case, Case::Transient, "{failure}");
}

#[tokio::test]
async fn without_a_role_no_job_is_submitted() {
    let world = world_with(MediaConvertOptions::default()).await;
    let failure = world.transcoder.submit(&scope(0, "token"), job("one")).await.unwrap_err();
    assert_eq!(failure.case, Case::Denied);
    assert!(world.services.jobs().is_empty());
}
