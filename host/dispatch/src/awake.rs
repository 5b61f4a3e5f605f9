//! Time in which the process ran. Lambda freezes a process between two invocations, for minutes or hours.

use std::time::Duration;

/// A pause of the process counts as at most this long.
const SLICE: Duration = Duration::from_millis(500);

/// Returns after the process has run for `time`, not counting the time in which it was frozen. No clock measures this:
/// the wall clock goes on meanwhile, and whether the monotonic one does depends on the machine.
pub(crate) async fn awake(time: Duration) {
    let mut left = time;
    while !left.is_zero() {
        let slice = left.min(SLICE);
        tokio::time::sleep(slice).await;
        left -= slice;
    }
}
