//! One clock for timestamps and waiting.
//!
//! Dates are derived from tokio's clock. So a test that pauses and advances it also moves the dates, and a change of
//! the system clock does not affect a running execution.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::Instant;

/// A clock that started at a known date.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    date: OffsetDateTime,
    instant: Instant,
}

impl Clock {
    /// Returns a clock that shows the current date.
    pub fn new() -> Self {
        Self { date: OffsetDateTime::now_utc(), instant: Instant::now() }
    }

    /// Returns the date in whole milliseconds, as the service does.
    pub fn now(&self) -> OffsetDateTime {
        let date = self.date.checked_add(time::Duration::try_from(self.instant.elapsed()).unwrap_or_default());
        let date = date.unwrap_or(self.date);
        date.replace_millisecond(date.millisecond()).unwrap_or(date)
    }

    /// Returns the time until `date`; zero if it is past.
    pub fn until(&self, date: OffsetDateTime) -> Duration {
        Duration::try_from(date - self.now()).unwrap_or_default()
    }
}

/// Formats a date: `2026-03-14T01:59:00.000Z`.
pub(crate) fn text(date: OffsetDateTime) -> String {
    let format =
        time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    date.to_offset(time::UtcOffset::UTC).format(&format).unwrap_or_default()
}

/// Parses a timestamp of the language: RFC 3339 with a capital `T`, and a capital `Z` if there is no offset.
pub(crate) fn parse(text: &str) -> Option<OffsetDateTime> {
    let capital = text.as_bytes().get(10) == Some(&b'T') && !text.ends_with('z');
    OffsetDateTime::parse(text, &Rfc3339).ok().filter(|_| capital)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn dates_are_written_in_utc_with_milliseconds() {
        let date = parse("2026-03-14T02:59:00.1239+01:00").unwrap();
        assert_eq!(text(date), "2026-03-14T01:59:00.123Z");
    }

    #[test]
    fn only_the_languages_own_form_is_a_timestamp() {
        for wrong in ["2026-03-14 01:59:00Z", "2026-03-14t01:59:00Z", "2026-03-14T01:59:00z", "2026-03-14", "", "ä"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_date_moves_with_the_runtimes_clock() {
        let clock = Clock::new();
        let before = clock.now();
        tokio::time::advance(Duration::from_secs(90)).await;
        assert_eq!(clock.now() - before, time::Duration::seconds(90));
        assert_eq!(clock.until(before), Duration::ZERO);
    }
}
