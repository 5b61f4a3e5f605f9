//! A state that waits for the jobs of two videos.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stagehost_aws::{
    AwsOptions, Clients, Endpoints, JobRecorder, JobReport, JobStatus, MediaConvertOptions, Ticket, Tickets, ticket_id,
};
use stagehost_batch::{Batch, PixelSize};
use stagehost_runtime::capability::{CallScope, Provenance, TranscodeJob, TranscodeOutput, Transcoder};

use super::bucket::MemoryBucket;
use super::services::FakeServices;

pub const EXECUTION: &str = "arn:aws:states:eu-west-1:111122223333:execution:media:job-4";
pub const STATE: &str = "ProcessVideos";

/// How long an unanswered request stays undecided in these tests.
pub const UNDECIDED: Duration = Duration::from_millis(300);

/// A bucket and both services, and what uses them.
pub struct Fixture {
    pub bucket: MemoryBucket,
    pub services: FakeServices,
    pub tickets: Tickets,
    pub transcoder: Arc<dyn Transcoder>,
}

pub async fn fixture() -> Fixture {
    fixture_with(MediaConvertOptions {
        role: Some("arn:aws:iam::111122223333:role/mediaconvert".into()),
        queue: Some("arn:aws:mediaconvert:eu-west-1:111122223333:queues/toq-media-queue-staging".into()),
        job_template: Some("toq-media-video-preset-staging".into()),
        undecided: UNDECIDED,
        ..MediaConvertOptions::default()
    })
    .await
}

pub async fn fixture_with(mediaconvert: MediaConvertOptions) -> Fixture {
    let (bucket, services) = (MemoryBucket::default(), FakeServices::default());
    let (s3, other) = (bucket.start().await, services.start().await);
    let endpoints =
        Endpoints { s3: Some(s3), mediaconvert: Some(other.clone()), states: Some(other), ..Endpoints::default() };
    let options = AwsOptions { bucket: "medias".into(), endpoints, mediaconvert, ..AwsOptions::default() };
    let clients = Clients::new(&super::sdk_config(), options);
    Fixture { bucket, services, tickets: clients.tickets(), transcoder: Arc::new(clients.transcoder()) }
}

pub fn source(name: &str) -> String {
    format!("51/raw/video/vertical/2025-11-27/{name}.mov")
}

pub fn batch() -> Batch {
    let assets: Vec<Value> = ["one", "two"]
        .iter()
        .map(|name| json!({"key": source(name), "type": "VIDEO_VERTICAL", "etag": "abc"}))
        .collect();
    stagehost_batch::parse(&json!({"listingId": 51, "jobId": 4, "assets": assets})).unwrap()
}

pub fn scope(attempt: u32, token: &str) -> CallScope {
    CallScope {
        state: STATE.into(),
        execution: EXECUTION.into(),
        attempt,
        task_token: Some(token.into()),
        batch: Arc::new(batch()),
        provenance: Arc::new(Provenance { stage: "transcode".into(), version: "1.0.0".into(), digest: "d".into() }),
    }
}

pub fn job(name: &str) -> TranscodeJob {
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

pub fn report(id: &str, status: JobStatus) -> JobReport {
    JobReport {
        job_id: id.into(),
        ticket: Some(ticket_id(EXECUTION, STATE)),
        status,
        error_code: (status == JobStatus::Error).then_some(1040),
        error_message: (status == JobStatus::Error).then(|| "no video stream".into()),
        progress: None,
    }
}

impl Fixture {
    /// Submits the jobs of one attempt of the state, as a stage does, and returns its ticket.
    pub async fn attempt(&self, attempt: u32, token: &str) -> Ticket {
        let recorder = JobRecorder::new(self.transcoder.clone());
        for name in ["one", "two"] {
            recorder.submit(&scope(attempt, token), job(name)).await.unwrap();
        }
        Ticket {
            execution: EXECUTION.into(),
            state: STATE.into(),
            task_token: token.into(),
            attempt,
            batch: batch(),
            jobs: recorder.jobs(),
        }
    }

    pub fn write_outputs(&self, name: &str) {
        for rendition in ["1080p", "720p"] {
            self.bucket.put(&format!("51/processed/video/vertical/2025-11-27/{name}_{rendition}.mp4"), b"an mp4");
        }
    }

    /// Returns the batches that ended a state.
    pub fn answers(&self) -> Vec<Value> {
        let answers = self.services.calls("SendTaskSuccess");
        answers.iter().map(|call| serde_json::from_str(call["output"].as_str().unwrap()).unwrap()).collect()
    }
}

pub fn asset<'a>(batch: &'a Value, name: &str) -> &'a Value {
    batch["assets"].as_array().unwrap().iter().find(|asset| asset["key"] == source(name).as_str()).unwrap()
}
