//! Values that several tables have.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Returns the current time as the tables store it.
pub(super) fn now() -> String {
    OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default()
}
