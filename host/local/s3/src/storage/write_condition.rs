//! Conditions on writes.

use s3s::dto::ETagCondition;
use s3s::{S3ErrorCode, S3Result};

use super::record::ObjectRecord;
use crate::error::refuse;

/// The condition on which an object may be replaced.
#[derive(Clone, Debug, Default)]
pub struct WriteCondition {
    /// `If-Match`: only if the object has this entity tag.
    pub if_match: Option<ETagCondition>,
    /// `If-None-Match: *`: only if the object does not exist.
    pub if_absent: bool,
}

impl WriteCondition {
    /// Returns the condition of a request's headers.
    ///
    /// # Errors
    /// `NotImplemented`, if `If-None-Match` is not `*`.
    pub fn new(if_match: Option<ETagCondition>, if_none_match: Option<ETagCondition>) -> S3Result<Self> {
        match if_none_match {
            Some(ETagCondition::ETag(_)) => {
                refuse(S3ErrorCode::NotImplemented, "If-None-Match on a write takes only *, as on S3")
            }
            if_none_match => Ok(Self { if_match, if_absent: if_none_match.is_some() }),
        }
    }

    /// Returns whether there is no condition.
    pub fn is_none(&self) -> bool {
        self.if_match.is_none() && !self.if_absent
    }

    /// Checks the condition. `current` is the record of an existing object, if one holds.
    pub(super) fn check(&self, key: &str, exists: bool, current: Option<&ObjectRecord>) -> S3Result<()> {
        if self.if_absent && exists {
            return refuse(S3ErrorCode::PreconditionFailed, format!("{key} exists (If-None-Match: *)"));
        }
        match &self.if_match {
            None => Ok(()),
            Some(_) if !exists => refuse(S3ErrorCode::NoSuchKey, format!("{key} does not exist (If-Match)")),
            Some(ETagCondition::Any) => Ok(()),
            Some(ETagCondition::ETag(etag)) if current.is_some_and(|record| record.etag == etag.value()) => Ok(()),
            Some(_) => refuse(S3ErrorCode::PreconditionFailed, format!("{key} has another entity tag (If-Match)")),
        }
    }
}
