//! The SDK's times.

use aws_sdk_sfn::primitives::DateTime;
use time::OffsetDateTime;

/// Returns a time of the SDK; `None` if it is out of range.
pub(super) fn time(of: &DateTime) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(of.as_nanos()).ok()
}
