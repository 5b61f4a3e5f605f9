//! Time in which the process ran. Lambda freezes a process between two invocations, for minutes or hours.

use std::time::Duration;

/// A pause of the process counts as at most this long.
const SLICE: Duration = Duration::from_millis(500);

/// Returns after the process has run for `time`. Neither clock tells: the monotonic one may stand still while the process
/// is frozen, or not.
pub(crate) async fn awake(time: Duration) {
    let mut left = time;
    while !left.is_zero() {
        let slice = left.min(SLICE);
        tokio::time::sleep(slice).await;
        left -= slice;
    }
}
