//! Clocks and random numbers: recorded for a guest, and repeated for a guest in a replay.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use stagehost_runtime::{Clocks, ClocksAndRandom, lock};

use crate::record_format::SeedAndReadings;

/// The most readings of each clock in a record: half a megabyte of text. A call with more is not recorded.
const MAX_READINGS: usize = 32_768;

/// The machine's clocks, with a list of every reading.
struct RecordingClocks {
    began: Instant,
    wall: Mutex<Vec<u64>>,
    monotonic: Mutex<Vec<u64>>,
}

/// Records the clocks and random numbers of one call: a new seed, and the machine's own time.
pub(crate) struct ClockRecorder {
    seed: [u8; 32],
    clocks: Arc<RecordingClocks>,
}

impl ClockRecorder {
    /// Returns `None` if the machine has no random numbers.
    pub(crate) fn new() -> Option<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).ok()?;
        let clocks = RecordingClocks { began: Instant::now(), wall: Mutex::default(), monotonic: Mutex::default() };
        Some(Self { seed, clocks: Arc::new(clocks) })
    }

    /// Returns the clocks and random numbers for the guest.
    pub(crate) fn clocks_and_random(&self) -> ClocksAndRandom {
        ClocksAndRandom { seed: self.seed, clocks: self.clocks.clone() }
    }

    /// Returns the seed and all readings, and a reason if there were too many readings.
    pub(crate) fn finish(&self) -> (SeedAndReadings, Option<String>) {
        let take = |readings: &Mutex<Vec<u64>>| std::mem::take(&mut *lock(readings));
        let (wall, monotonic) = (take(&self.clocks.wall), take(&self.clocks.monotonic));
        let too_many = (wall.len() > MAX_READINGS || monotonic.len() > MAX_READINGS)
            .then(|| format!("the stage read the clock more than {MAX_READINGS} times"));
        (SeedAndReadings { seed: hex::encode(self.seed), wall, monotonic }, too_many)
    }
}

fn note(readings: &Mutex<Vec<u64>>, now: Duration) -> u64 {
    let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    let mut readings = lock(readings);
    // One more than the limit, to mark that there were too many.
    if readings.len() <= MAX_READINGS {
        readings.push(now);
    }
    now
}

impl Clocks for RecordingClocks {
    fn wall(&self) -> Duration {
        Duration::from_nanos(note(&self.wall, SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()))
    }

    fn monotonic(&self) -> u64 {
        note(&self.monotonic, self.began.elapsed())
    }
}

/// Clocks that return the recorded readings one by one and then continue from the last one.
struct ReplayedClocks {
    wall: Mutex<ReplayedClock>,
    monotonic: Mutex<ReplayedClock>,
}

struct ReplayedClock {
    readings: VecDeque<u64>,
    last: u64,
    /// When the last reading was returned.
    since: Instant,
}

impl ReplayedClock {
    fn new(readings: &[u64], start: u64) -> Mutex<Self> {
        Mutex::new(Self { readings: readings.iter().copied().collect(), last: start, since: Instant::now() })
    }

    fn next(this: &Mutex<Self>) -> u64 {
        let mut this = lock(this);
        match this.readings.pop_front() {
            Some(reading) => {
                (this.last, this.since) = (reading, Instant::now());
                reading
            }
            None => this.last.saturating_add(u64::try_from(this.since.elapsed().as_nanos()).unwrap_or(u64::MAX)),
        }
    }
}

impl Clocks for ReplayedClocks {
    fn wall(&self) -> Duration {
        Duration::from_nanos(ReplayedClock::next(&self.wall))
    }

    fn monotonic(&self) -> u64 {
        ReplayedClock::next(&self.monotonic)
    }
}

/// Returns the clocks and random numbers of a recorded call for a replay. If the recorded guest never read the wall clock,
/// it starts at `began`.
pub(crate) fn replayed(recorded: &SeedAndReadings, began: u64) -> ClocksAndRandom {
    let mut seed = [0; 32];
    // An invalid seed gives other numbers, which the comparison then shows.
    let _ = hex::decode_to_slice(&recorded.seed, &mut seed);
    let clocks = ReplayedClocks {
        wall: ReplayedClock::new(&recorded.wall, began),
        monotonic: ReplayedClock::new(&recorded.monotonic, 0),
    };
    ClocksAndRandom { seed, clocks: Arc::new(clocks) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_replay_shows_the_recorded_times_and_then_continues() {
        let recorder = ClockRecorder::new().unwrap();
        let original = recorder.clocks_and_random();
        let first = (original.clocks.wall(), original.clocks.monotonic(), original.clocks.monotonic());
        let (recorded, too_many) = recorder.finish();
        assert_eq!(too_many, None);
        let replay = replayed(&recorded, 0);
        assert_eq!(replay.seed, original.seed);
        assert_eq!((replay.clocks.wall(), replay.clocks.monotonic(), replay.clocks.monotonic()), first);
        assert!(replay.clocks.monotonic() >= first.2);
    }

    #[test]
    fn a_call_with_too_many_clock_readings_is_not_recorded() {
        let recorder = ClockRecorder::new().unwrap();
        let guest = recorder.clocks_and_random();
        for _ in 0..=MAX_READINGS {
            guest.clocks.monotonic();
        }
        assert!(recorder.finish().1.unwrap().contains("clock"));
    }
}
