//! Clocks and random numbers: recorded for a guest, and repeated for a guest in a replay.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use stagehost_runtime::{Clocks, ClocksAndRandom, lock};

use crate::cut::CutReason;
use crate::log::CallLog;
use crate::record_format::SeedAndReadings;

/// The most readings of each clock in a record: half a megabyte of text. With more, the record is cut.
const MAX_READINGS: usize = 32_768;

/// What a reading takes in the record, in bytes.
const READING: u64 = 21;

/// The machine's clocks, with a list of every reading.
struct RecordingClocks {
    began: Instant,
    log: Arc<CallLog>,
    wall: Mutex<Vec<u64>>,
    monotonic: Mutex<Vec<u64>>,
    remaining: Mutex<Vec<u64>>,
}

/// Records the clocks and random numbers of one call: a new seed, and the machine's own time.
pub(crate) struct ClockRecorder {
    seed: [u8; 32],
    clocks: Arc<RecordingClocks>,
}

impl ClockRecorder {
    /// Returns `None` if the machine has no random numbers. Readings are charged to `log`.
    pub(crate) fn new(log: Arc<CallLog>) -> Option<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).ok()?;
        let (wall, monotonic, remaining) = Default::default();
        let clocks = RecordingClocks { began: Instant::now(), log, wall, monotonic, remaining };
        Some(Self { seed, clocks: Arc::new(clocks) })
    }

    /// Returns the clocks and random numbers for the guest.
    pub(crate) fn clocks_and_random(&self) -> ClocksAndRandom {
        ClocksAndRandom { seed: self.seed, clocks: self.clocks.clone() }
    }

    /// Returns the seed and all readings.
    pub(crate) fn finish(&self) -> SeedAndReadings {
        let take = |readings: &Mutex<Vec<u64>>| std::mem::take(&mut *lock(readings));
        let RecordingClocks { wall, monotonic, remaining, .. } = &*self.clocks;
        SeedAndReadings {
            seed: hex::encode(self.seed),
            wall: take(wall),
            monotonic: take(monotonic),
            remaining: take(remaining),
        }
    }
}

impl RecordingClocks {
    fn note(&self, readings: &Mutex<Vec<u64>>, now: Duration) -> u64 {
        self.note_number(readings, u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
    }

    fn note_number(&self, readings: &Mutex<Vec<u64>>, now: u64) -> u64 {
        let mut readings = lock(readings);
        if readings.len() >= MAX_READINGS {
            self.log.cut(CutReason::TooManyReadings);
        } else if self.log.charge(READING) {
            readings.push(now);
        }
        now
    }
}

impl Clocks for RecordingClocks {
    fn wall(&self) -> Duration {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Duration::from_nanos(self.note(&self.wall, now))
    }

    fn monotonic(&self) -> u64 {
        self.note(&self.monotonic, self.began.elapsed())
    }

    fn remaining_ms(&self, left: u64) -> u64 {
        self.note_number(&self.remaining, left)
    }
}

/// Clocks that return the recorded readings one by one and then continue from the last one.
struct ReplayedClocks {
    wall: Mutex<ReplayedClock>,
    monotonic: Mutex<ReplayedClock>,
    remaining: Mutex<VecDeque<u64>>,
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

    fn remaining_ms(&self, left: u64) -> u64 {
        lock(&self.remaining).pop_front().unwrap_or(left)
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
        remaining: Mutex::new(recorded.remaining.iter().copied().collect()),
    };
    ClocksAndRandom { seed, clocks: Arc::new(clocks) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::budget::RecordBudget;
    use crate::log::RecordLimits;

    fn recorder() -> (ClockRecorder, Arc<CallLog>) {
        let log = Arc::new(CallLog::new(RecordLimits::default(), &RecordBudget::default()));
        (ClockRecorder::new(log.clone()).unwrap(), log)
    }

    #[test]
    fn a_replay_shows_the_recorded_times_and_then_continues() {
        let (recorder, log) = recorder();
        let original = recorder.clocks_and_random();
        let first = (original.clocks.wall(), original.clocks.monotonic(), original.clocks.monotonic());
        assert_eq!([original.clocks.remaining_ms(70), original.clocks.remaining_ms(60)], [70, 60]);
        let recorded = recorder.finish();
        assert_eq!(log.state().cut, None);
        let replay = replayed(&recorded, 0);
        assert_eq!(replay.seed, original.seed);
        assert_eq!((replay.clocks.wall(), replay.clocks.monotonic(), replay.clocks.monotonic()), first);
        assert!(replay.clocks.monotonic() >= first.2);
        assert_eq!([1, 2, 3].map(|left| replay.clocks.remaining_ms(left)), [70, 60, 3]);
    }

    #[test]
    fn with_too_many_clock_readings_the_record_is_cut() {
        let (recorder, log) = recorder();
        let guest = recorder.clocks_and_random();
        for _ in 0..MAX_READINGS {
            guest.clocks.monotonic();
        }
        assert_eq!(log.state().cut, None);
        guest.clocks.monotonic();
        assert_eq!(log.state().cut.unwrap().reason, CutReason::TooManyReadings);
        assert_eq!(recorder.finish().monotonic.len(), MAX_READINGS);
    }
}
