//! What Wait states of both query languages have in common.

/// The fields of which a Wait state has one, in the service's order.
pub(super) const WAITS: [&str; 4] = ["SecondsPath", "Seconds", "TimestampPath", "Timestamp"];
/// The service's message about a date that it cannot read.
pub(super) const NO_TIMESTAMP: &str = "String does not match RFC3339 timestamp";
