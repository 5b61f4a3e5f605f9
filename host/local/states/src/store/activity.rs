//! An activity as the service stores it.

use std::collections::BTreeMap;

use time::OffsetDateTime;

/// An activity.
#[derive(Clone, Debug)]
pub(crate) struct Activity {
    /// `arn:aws:states:REGION:ACCOUNT:activity:NAME`
    pub arn: String,
    pub name: String,
    pub created_at: OffsetDateTime,
    pub tags: BTreeMap<String, String>,
}
