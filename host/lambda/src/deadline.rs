//! The deadline of an invocation.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The longest that a Lambda function may run (AWS Lambda Developer Guide, "Lambda quotas").
const LONGEST: Duration = Duration::from_secs(900);

/// Time reserved for what follows the calls: aborting uploads, sending the answer. A tenth of the time left, within these
/// bounds.
const MARGIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(2));

/// Returns when calls of stages must end, from the runtime API's deadline in milliseconds since 1970.
///
/// Some emulators give impossible deadlines, in 1970 or years ahead. They count as the longest time of a function.
pub fn calls_end_at(deadline_ms: u64, now: SystemTime) -> Instant {
    let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = Duration::from_millis(deadline_ms).checked_sub(since_epoch).filter(|left| *left <= LONGEST);
    let left = left.unwrap_or(LONGEST);
    Instant::now() + left.saturating_sub((left / 10).clamp(MARGIN.0, MARGIN.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds_left(deadline_ms: u64) -> f64 {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        (calls_end_at(deadline_ms, now) - Instant::now()).as_secs_f64().round()
    }

    #[test]
    fn a_margin_is_reserved() {
        assert_eq!(seconds_left(1_800_000_060_000), 58.0);
        assert_eq!(seconds_left(1_800_000_003_000), 2.0);
        assert_eq!(seconds_left(1_800_000_000_500), 0.0);
    }

    #[test]
    fn an_impossible_deadline_counts_as_the_longest_time() {
        for odd in [0, 1, 3_000, 1_799_999_999_999, 1_900_000_000_000, u64::MAX] {
            assert_eq!(seconds_left(odd), 898.0, "{odd}");
        }
    }
}
