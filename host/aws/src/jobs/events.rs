//! MediaConvert's events, as EventBridge delivers them.
//!
//! Shapes: <https://docs.aws.amazon.com/mediaconvert/latest/ug/mediaconvert_cwe_events.html>. AWS adds fields and
//! statuses over time, so fields that are not needed are not read, and an unknown status is not an error.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an event reports about a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobReport {
    /// MediaConvert's id of the job.
    pub job_id: String,
    /// The id of the ticket that the job was submitted under; `None` for a job that this host did not submit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ticket: Option<String>,
    /// The job's status.
    pub status: JobStatus,
    /// MediaConvert's error number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error_code: Option<i64>,
    /// MediaConvert's error message.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error_message: Option<String>,
    /// How much of the job is done, in percent. Present in status updates.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub progress: Option<u8>,
}

/// A job's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobStatus {
    /// All outputs are written.
    Complete,
    /// The job failed. Some outputs may exist.
    Error,
    /// The job was cancelled.
    Canceled,
    /// The job goes on. Every other status counts as this one.
    Running,
}

impl JobStatus {
    /// Returns whether the job has ended.
    pub fn is_final(self) -> bool {
        self != JobStatus::Running
    }

    pub(crate) fn of(status: &str) -> Self {
        match status {
            "COMPLETE" => Self::Complete,
            "ERROR" => Self::Error,
            "CANCELED" => Self::Canceled,
            _ => Self::Running,
        }
    }
}

/// The user metadata of a job with the time of its submission, in milliseconds since 1970.
pub(crate) const SUBMITTED: &str = "submitted";

/// A job from its submission to its end, for its batch's trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpan {
    /// The batch's `traceparent`.
    pub traceparent: String,
    /// The state that submitted it.
    pub state: String,
    /// The listing.
    pub listing: String,
    /// When it was submitted, by the host's clock.
    pub submitted: SystemTime,
    /// When it ended, by the event.
    pub ended: SystemTime,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

impl JobSpan {
    /// Reads the event of a job's end; `None` if it is not one, or lacks a time or the trace.
    pub fn from_event(event: &Value, report: &JobReport) -> Option<Self> {
        let metadata = |name: &str| event.pointer(&format!("/detail/userMetadata/{name}"))?.as_str().map(str::to_owned);
        let time = |milliseconds: u64| SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds));
        let submitted = time(metadata(SUBMITTED)?.parse().ok()?)?;
        let ended = time(event.pointer("/detail/timestamp")?.as_u64()?)?;
        let failure = match report.status {
            JobStatus::Complete => None,
            JobStatus::Error => Some(report.error_message.clone().unwrap_or_else(|| "no message".to_owned())),
            JobStatus::Canceled => Some("cancelled".to_owned()),
            JobStatus::Running => return None,
        };
        let text = |name: &str| metadata(name).unwrap_or_default();
        let (traceparent, state, listing) = (metadata("traceparent")?, text("state"), text("listing"));
        Some(Self { traceparent, state, listing, submitted, ended, failure })
    }
}

/// Why an event cannot be read as one of MediaConvert's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// An event of another service or another kind.
    #[error(
        "the event is not a \"MediaConvert Job State Change\" of aws.mediaconvert: its source is {source_name:?}, its \
         detail-type {detail_type:?}; check the EventBridge rule"
    )]
    NotMediaConvert {
        /// `source`
        source_name: String,
        /// `detail-type`
        detail_type: String,
    },
    /// A field that every report needs is missing or invalid.
    #[error("the MediaConvert event has no valid {0:?}")]
    Missing(&'static str),
}

/// How many characters of an error message are kept.
const MAX_MESSAGE: usize = 2000;

impl JobReport {
    /// Reads an EventBridge event.
    ///
    /// # Errors
    /// [`EventError`] if it is not one of MediaConvert's job events, or lacks the job's id or status.
    pub fn from_event(event: &Value) -> Result<Self, EventError> {
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (source_name, detail_type) = (text("source"), text("detail-type"));
        if source_name != "aws.mediaconvert" || detail_type != "MediaConvert Job State Change" {
            return Err(EventError::NotMediaConvert { source_name, detail_type });
        }
        let detail = event.get("detail").ok_or(EventError::Missing("detail"))?;
        let job_id = detail.get("jobId").and_then(Value::as_str).filter(|id| is_job_id(id));
        let job_id = job_id.ok_or(EventError::Missing("detail.jobId"))?.to_owned();
        let status = detail.get("status").and_then(Value::as_str).ok_or(EventError::Missing("detail.status"))?;
        let ticket = detail.pointer("/userMetadata/ticket").and_then(Value::as_str).filter(|id| is_ticket_id(id));
        let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
        Ok(Self {
            job_id,
            ticket: ticket.map(str::to_owned),
            status: JobStatus::of(status),
            error_code: detail.get("errorCode").and_then(number),
            error_message: detail
                .get("errorMessage")
                .and_then(Value::as_str)
                .map(|message| message.chars().take(MAX_MESSAGE).collect()),
            progress: detail
                .pointer("/jobProgress/jobPercentComplete")
                .and_then(number)
                .and_then(|percent| u8::try_from(percent.clamp(0, 100)).ok()),
        })
    }
}

/// Returns whether `id` may be a job id: ids become parts of object keys, so they may contain nothing else.
pub(crate) fn is_job_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Returns whether `id` has the form of [`ticket_id`](crate::ids::ticket_id).
pub(crate) fn is_ticket_id(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn event(detail: Value) -> Value {
        json!({
            "version": "0", "id": "1", "detail-type": "MediaConvert Job State Change", "source": "aws.mediaconvert",
            "account": "111122223333", "time": "2026-01-07T23:35:20Z", "region": "eu-west-1", "resources": [],
            "detail": detail
        })
    }

    #[test]
    fn a_completed_job_is_reported_with_its_ticket() {
        let ticket = crate::ids::ticket_id("arn:e", "ProcessVideos");
        let report = JobReport::from_event(&event(json!({
            "timestamp": 1, "queue": "arn:q", "jobId": "1515368087458-qnoxtd", "status": "COMPLETE",
            "userMetadata": {"ticket": ticket}, "outputGroupDetails": [{"type": "FILE_GROUP"}]
        })))
        .unwrap();
        assert_eq!(report.status, JobStatus::Complete);
        assert_eq!(report.ticket.as_deref(), Some(ticket.as_str()));
    }

    #[test]
    fn an_error_keeps_its_text_and_its_number_be_it_a_json_number_or_a_string() {
        for code in [json!(1040), json!("1040")] {
            let detail = json!({"jobId": "a-1", "status": "ERROR", "errorCode": code, "errorMessage": "no video"});
            let report = JobReport::from_event(&event(detail)).unwrap();
            assert_eq!(report.error_code, Some(1040));
            assert_eq!(report.error_message.as_deref(), Some("no video"));
            assert_eq!(report.ticket, None);
        }
    }

    #[test]
    fn the_event_of_a_jobs_end_has_its_span_from_the_submission() {
        let event_of = |status: &str, submitted: &str| {
            event(json!({
                "timestamp": 1_767_312_090_000_u64, "jobId": "a-1", "status": status, "errorMessage": "no video",
                "userMetadata": {"traceparent": "00-a-b-01", "submitted": submitted, "state": "ProcessVideos", "listing": "51"}
            }))
        };
        let span = |event: &Value| JobSpan::from_event(event, &JobReport::from_event(event).unwrap());
        let failed = span(&event_of("ERROR", "1767312000000")).unwrap();
        assert_eq!(failed.ended.duration_since(failed.submitted).unwrap(), Duration::from_secs(90));
        assert_eq!((failed.traceparent.as_str(), failed.failure.as_deref()), ("00-a-b-01", Some("no video")));
        assert_eq!(span(&event_of("COMPLETE", "1767312000000")).unwrap().failure, None);
        assert_eq!(span(&event_of("STATUS_UPDATE", "1767312000000")), None, "it goes on");
        assert_eq!(span(&event_of("COMPLETE", "a minute ago")), None, "no time is made up");
    }

    #[test]
    fn a_job_with_an_unknown_status_goes_on() {
        for status in ["PROGRESSING", "STATUS_UPDATE", "INPUT_INFORMATION", "NEW_WARNING", "something else"] {
            let report = JobReport::from_event(&event(json!({"jobId": "a-1", "status": status}))).unwrap();
            assert!(!report.status.is_final(), "{status}");
        }
    }

    #[test]
    fn an_event_of_another_service_is_refused_and_the_service_is_named() {
        let error = JobReport::from_event(&json!({"source": "aws.s3", "detail-type": "Object Created"})).unwrap_err();
        assert!(error.to_string().contains("aws.s3"));
    }

    #[test]
    fn ids_that_would_lead_to_another_key_are_not_accepted() {
        for id in ["../../pins", "a/b", "", "a.json"] {
            let result = JobReport::from_event(&event(json!({"jobId": id, "status": "COMPLETE"})));
            assert_eq!(result, Err(EventError::Missing("detail.jobId")), "{id}");
        }
        let detail = json!({"jobId": "a-1", "status": "COMPLETE", "userMetadata": {"ticket": "../jobs/x"}});
        assert_eq!(JobReport::from_event(&event(detail)).unwrap().ticket, None);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            let name = prop_oneof![
                "jobId",
                "status",
                "errorCode",
                "errorMessage",
                "userMetadata",
                "ticket",
                "jobProgress",
                ".{0,5}"
            ];
            proptest::collection::btree_map(name, inner, 0..5).prop_map(|map| Value::Object(map.into_iter().collect()))
        })
    }

    proptest! {
        #[test]
        fn no_detail_of_an_event_makes_the_host_panic(detail in any_json()) {
            if let Ok(report) = JobReport::from_event(&event(detail)) {
                prop_assert!(is_job_id(&report.job_id));
            }
        }
    }
}
