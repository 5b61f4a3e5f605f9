//! MediaConvert's events, as EventBridge delivers them, read leniently.
//!
//! Shapes: <https://docs.aws.amazon.com/mediaconvert/latest/ug/mediaconvert_cwe_events.html>. Fields that are not needed
//! are not looked at, a status that is not known is not an error: AWS adds both.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an event says of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobReport {
    /// MediaConvert's id of the job.
    pub job_id: String,
    /// The ticket that the job was submitted under (see [`ticket_id`](crate::ticket_id)); `None` for a job of somebody
    /// else's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ticket: Option<String>,
    /// Where the job is.
    pub status: JobStatus,
    /// MediaConvert's number of an error.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error_code: Option<i64>,
    /// And its text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error_message: Option<String>,
    /// Percent, in a status update.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub progress: Option<u8>,
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobStatus {
    /// Every output is written.
    Complete,
    /// It failed; outputs may or may not be there.
    Error,
    /// Somebody stopped it.
    Canceled,
    /// It goes on: any other status.
    Running,
}

impl JobStatus {
    /// Whether nothing more comes of this job.
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

/// Why an event is none of MediaConvert's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Another service's event, or another kind.
    #[error(
        "the event is not a \"MediaConvert Job State Change\" of aws.mediaconvert (source {source_name:?}, detail-type {detail_type:?})"
    )]
    NotMediaConvert {
        /// `source`
        source_name: String,
        /// `detail-type`
        detail_type: String,
    },
    /// Without this field there is nothing to report.
    #[error("the MediaConvert event has no usable {0:?}")]
    Missing(&'static str),
}

/// The longest text that is kept of an error message.
const MAX_MESSAGE: usize = 2000;

impl JobReport {
    /// Reads an EventBridge event.
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

/// Ids become parts of keys, so nothing else may be in them.
pub(crate) fn is_job_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

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
        let ticket = crate::ticket_id("arn:e", "ProcessVideos");
        let report = JobReport::from_event(&event(json!({
            "timestamp": 1, "queue": "arn:q", "jobId": "1515368087458-qnoxtd", "status": "COMPLETE",
            "userMetadata": {"ticket": ticket}, "outputGroupDetails": [{"type": "FILE_GROUP"}]
        })))
        .unwrap();
        assert_eq!(report.status, JobStatus::Complete);
        assert_eq!(report.ticket.as_deref(), Some(ticket.as_str()));
    }

    #[test]
    fn an_error_keeps_its_number_and_text_whether_the_number_is_one_or_a_string() {
        for code in [json!(1040), json!("1040")] {
            let detail = json!({"jobId": "a-1", "status": "ERROR", "errorCode": code, "errorMessage": "no video"});
            let report = JobReport::from_event(&event(detail)).unwrap();
            assert_eq!(report.error_code, Some(1040));
            assert_eq!(report.error_message.as_deref(), Some("no video"));
            assert_eq!(report.ticket, None);
        }
    }

    #[test]
    fn a_status_that_is_not_known_means_that_the_job_goes_on() {
        for status in ["PROGRESSING", "STATUS_UPDATE", "INPUT_INFORMATION", "NEW_WARNING", "something else"] {
            let report = JobReport::from_event(&event(json!({"jobId": "a-1", "status": status}))).unwrap();
            assert!(!report.status.is_final(), "{status}");
        }
    }

    #[test]
    fn another_services_event_is_refused_by_name() {
        let error = JobReport::from_event(&json!({"source": "aws.s3", "detail-type": "Object Created"})).unwrap_err();
        assert!(error.to_string().contains("aws.s3"));
    }

    #[test]
    fn ids_that_would_lead_out_of_their_folder_are_not_taken() {
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
        fn no_event_whatever_its_detail_makes_the_host_panic(detail in any_json()) {
            if let Ok(report) = JobReport::from_event(&event(detail)) {
                prop_assert!(is_job_id(&report.job_id));
            }
        }
    }
}
