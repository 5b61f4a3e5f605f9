//! The EventBridge event of a job.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::job::{Job, JobStatus, Phase};
use crate::events::JobEvent;

/// The reason of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The status of the job changed.
    Status,
    /// The job progressed.
    Progress,
}

/// Returns the event for the current state of `job`.
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
            .outputs
            .iter()
            .map(|group| {
                let details: Vec<_> = group
                    .iter()
                    .map(|output| {
                        json!({
                            "outputFilePaths": [output.path],
                            "durationInMs": output.duration_ms,
                            "videoDetails": {"widthInPx": output.width, "heightInPx": output.height},
                        })
                    })
                    .collect();
                let is_stream = group.first().is_some_and(|output| output.path.ends_with(".m3u8"));
                let kind = if is_stream { "HLS_GROUP" } else { "FILE_GROUP" };
                json!({"outputDetails": details, "type": kind})
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

/// Returns `jobProgress`: every phase before the current one is complete.
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
