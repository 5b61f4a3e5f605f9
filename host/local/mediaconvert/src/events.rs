//! The events that MediaConvert sends to EventBridge.

use async_trait::async_trait;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::job::{Job, JobStatus, Phase};

/// A change of a job, as EventBridge would deliver it.
#[derive(Clone, Debug, PartialEq)]
pub struct JobEvent {
    /// The job's identifier.
    pub job_id: String,
    /// The queue's ARN.
    pub queue: String,
    /// `detail.status`: `PROGRESSING`, `STATUS_UPDATE`, `COMPLETE`, `ERROR` or `CANCELED`.
    pub status: &'static str,
    /// How far the job is, 0 to 100.
    pub percent: u32,
    /// The whole event.
    pub event: Value,
}

/// Takes the events. A job waits for the call, so what takes long belongs into a task of its own.
#[async_trait]
pub trait EventSink: Send + Sync + 'static {
    /// Called in order for each job.
    async fn publish(&self, event: JobEvent);
}

/// For those who only ask.
pub struct NoEvents;

#[async_trait]
impl EventSink for NoEvents {
    async fn publish(&self, _: JobEvent) {}
}

/// What the event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The job has the status that it shows.
    Status,
    /// It is further than it was.
    Progress,
}

/// Makes the event of `job` as it is now.
pub(crate) fn event(job: &Job, change: Change, region: &str, account: &str) -> JobEvent {
    let now = OffsetDateTime::now_utc();
    let status = match change {
        Change::Status => job.status.as_str(),
        Change::Progress => "STATUS_UPDATE",
    };
    let mut detail = json!({
        "timestamp": now.unix_timestamp_nanos().div_euclid(1_000_000) as i64,
        "accountId": account,
        "queue": job.queue,
        "jobId": job.id,
        "status": status,
        "userMetadata": job.metadata,
    });
    if change == Change::Progress {
        detail["framesDecoded"] = json!(job.frames);
        detail["jobProgress"] = progress(job);
    }
    if let Some(error) = &job.error {
        detail["errorCode"] = json!(error.code);
        detail["errorMessage"] = json!(error.message);
    }
    if job.status == JobStatus::Complete {
        detail["outputGroupDetails"] = job
            .made
            .iter()
            .map(|group| {
                let details: Vec<_> = group
                    .iter()
                    .map(|made| {
                        json!({
                            "outputFilePaths": [made.path],
                            "durationInMs": made.duration_ms,
                            "videoDetails": {"widthInPx": made.width, "heightInPx": made.height},
                        })
                    })
                    .collect();
                json!({"outputDetails": details, "type": "FILE_GROUP"})
            })
            .collect();
    }
    let time = now.replace_nanosecond(0).unwrap_or(now).format(&Rfc3339).unwrap_or_default();
    JobEvent {
        job_id: job.id.clone(),
        queue: job.queue.clone(),
        status,
        percent: job.percent,
        event: json!({
            "version": "0",
            "id": uuid::Uuid::new_v4().to_string(),
            "detail-type": "MediaConvert Job State Change",
            "source": "aws.mediaconvert",
            "account": account,
            "time": time,
            "region": region,
            "resources": [job.arn],
            "detail": detail,
        }),
    }
}

/// `jobProgress`: every phase before the current one is done.
fn progress(job: &Job) -> Value {
    let mut phases = json!({});
    let mut before = true;
    for phase in Phase::ALL {
        let (status, percent) = if phase == job.phase {
            before = false;
            ("PROGRESSING", if phase == Phase::Transcoding { job.percent } else { 0 })
        } else if before {
            ("COMPLETE", 100)
        } else {
            ("PENDING", 0)
        };
        phases[phase.as_str()] = json!({"status": status, "percentComplete": percent});
    }
    json!({
        "phaseProgress": phases,
        "jobPercentComplete": job.percent,
        "currentPhase": job.phase.as_str(),
        "retryCount": 0,
    })
}
