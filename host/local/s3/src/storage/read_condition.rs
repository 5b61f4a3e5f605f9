//! Conditions on reads (RFC 9110 §13, in S3's order of precedence).

use std::time::SystemTime;

use s3s::dto::{ETag, ETagCondition, Timestamp};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::record::ObjectRecord;

/// The four conditional headers of a request.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct ReadCondition {
    pub if_match: Option<ETagCondition>,
    pub if_none_match: Option<ETagCondition>,
    pub if_modified_since: Option<Timestamp>,
    pub if_unmodified_since: Option<Timestamp>,
}

/// The result of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionResult {
    /// The condition is true.
    Holds,
    /// `If-Match` or `If-Unmodified-Since` is false.
    Fails,
    /// `If-None-Match` or `If-Modified-Since` is false: the caller has this version.
    NotModified,
}

impl ReadCondition {
    /// Evaluates the condition for an object. An entity tag takes precedence over a date.
    pub fn evaluate(&self, record: &ObjectRecord) -> ConditionResult {
        let modified: SystemTime = record.stamp.modified_second();
        let later_than = |date: &Timestamp| Timestamp::from(modified) > *date;
        match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) if !matches(condition, record) => return ConditionResult::Fails,
            (None, Some(date)) if later_than(date) => return ConditionResult::Fails,
            _ => {}
        }
        match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) if matches(condition, record) => ConditionResult::NotModified,
            (None, Some(date)) if !later_than(date) => ConditionResult::NotModified,
            _ => ConditionResult::Holds,
        }
    }

    /// Checks the condition for GetObject and HeadObject.
    pub fn check(&self, record: &ObjectRecord) -> S3Result<()> {
        match self.evaluate(record) {
            ConditionResult::Holds => Ok(()),
            ConditionResult::Fails => Err(failed()),
            ConditionResult::NotModified => {
                let mut error = S3Error::new(S3ErrorCode::NotModified);
                if let Ok(etag) = ETag::Strong(record.etag.clone()).to_http_header() {
                    error.set_headers([(hyper::header::ETAG, etag)].into_iter().collect());
                }
                Err(error)
            }
        }
    }

    /// Checks the condition for the source of a copy, where "not modified" is a failure too.
    pub fn check_source(&self, record: &ObjectRecord) -> S3Result<()> {
        if self.evaluate(record) == ConditionResult::Holds { Ok(()) } else { Err(failed()) }
    }
}

fn failed() -> S3Error {
    let message = "At least one of the pre-conditions you specified did not hold";
    S3Error::with_message(S3ErrorCode::PreconditionFailed, message)
}

fn matches(condition: &ETagCondition, record: &ObjectRecord) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == record.etag,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::digest::{WantedAlgorithms, hash};
    use crate::storage::record::Stamp;

    fn record() -> ObjectRecord {
        let stamp = Stamp { size: 0, modified: 1_000_500_000_000 };
        ObjectRecord::of_found_file("k", stamp, hash(std::io::empty(), WantedAlgorithms::default()).unwrap())
    }

    fn etag(value: &str) -> Option<ETagCondition> {
        Some(ETagCondition::ETag(ETag::Strong(value.to_owned())))
    }

    fn second(second: u64) -> Option<Timestamp> {
        Some((UNIX_EPOCH + Duration::from_secs(second)).into())
    }

    #[test]
    fn an_entity_tag_takes_precedence_over_a_date() {
        let own = record().etag;
        let holds = ReadCondition { if_match: etag(&own), if_unmodified_since: second(1), ..Default::default() };
        assert_eq!(holds.evaluate(&record()), ConditionResult::Holds);
        let changed =
            ReadCondition { if_none_match: etag("other"), if_modified_since: second(5000), ..Default::default() };
        assert_eq!(changed.evaluate(&record()), ConditionResult::Holds);
    }

    #[test]
    fn dates_are_compared_in_whole_seconds() {
        let since = |at| ReadCondition { if_modified_since: second(at), ..Default::default() }.evaluate(&record());
        assert_eq!(
            [since(999), since(1000), since(1001)],
            [ConditionResult::Holds, ConditionResult::NotModified, ConditionResult::NotModified]
        );
        let until = |at| ReadCondition { if_unmodified_since: second(at), ..Default::default() }.evaluate(&record());
        assert_eq!([until(999), until(1000)], [ConditionResult::Fails, ConditionResult::Holds]);
    }

    #[test]
    fn not_modified_is_304_on_a_read_and_412_on_a_copy() {
        let condition = ReadCondition { if_none_match: etag(&record().etag), ..Default::default() };
        assert_eq!(condition.check(&record()).unwrap_err().code(), &S3ErrorCode::NotModified);
        assert_eq!(condition.check_source(&record()).unwrap_err().code(), &S3ErrorCode::PreconditionFailed);
    }
}
