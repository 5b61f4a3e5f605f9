//! Chance and time: what a recorded guest saw, and the same for a guest in a replay.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use stagehost_runtime::{Clocks, Surroundings};

use crate::format::Seen;

/// So many readings of each clock are kept: half a megabyte of text. Who looks at the clock more often cannot be recorded.
const READINGS: usize = 32_768;

/// The machine's clocks, and a note of every reading.
pub(crate) struct NotedClocks {
    began: Instant,
    wall: Mutex<Vec<u64>>,
    monotonic: Mutex<Vec<u64>>,
}

/// Surroundings that are recorded: a new seed, and the machine's own time.
pub(crate) struct Noted {
    seed: [u8; 32],
    clocks: Arc<NotedClocks>,
}

impl Noted {
    /// `None` if the machine has no random numbers.
    pub(crate) fn new() -> Option<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).ok()?;
        let clocks = NotedClocks { began: Instant::now(), wall: Mutex::default(), monotonic: Mutex::default() };
        Some(Self { seed, clocks: Arc::new(clocks) })
    }

    pub(crate) fn give(&self) -> Surroundings {
        Surroundings { seed: self.seed, clocks: self.clocks.clone() }
    }

    /// What was seen; a reason if it was more than is kept.
    pub(crate) fn seen(&self) -> (Seen, Option<String>) {
        let taken = |readings: &Mutex<Vec<u64>>| std::mem::take(&mut *lock(readings));
        let (wall, monotonic) = (taken(&self.clocks.wall), taken(&self.clocks.monotonic));
        let lost = (wall.len() > READINGS || monotonic.len() > READINGS)
            .then(|| format!("the stage looked at the clock more than {READINGS} times"));
        (Seen { seed: hex::encode(self.seed), wall, monotonic }, lost)
    }
}

fn lock(readings: &Mutex<Vec<u64>>) -> std::sync::MutexGuard<'_, Vec<u64>> {
    readings.lock().unwrap_or_else(PoisonError::into_inner)
}

fn note(readings: &Mutex<Vec<u64>>, now: Duration) -> u64 {
    let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    let mut readings = lock(readings);
    // One more than are kept, as a sign that it was too many.
    if readings.len() <= READINGS {
        readings.push(now);
    }
    now
}

impl Clocks for NotedClocks {
    fn wall(&self) -> Duration {
        Duration::from_nanos(note(&self.wall, SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()))
    }

    fn monotonic(&self) -> u64 {
        note(&self.monotonic, self.began.elapsed())
    }
}

/// Clocks that show what was recorded, reading by reading, and then go on from there.
pub(crate) struct PlayedClocks {
    wall: Mutex<Playing>,
    monotonic: Mutex<Playing>,
}

struct Playing {
    readings: VecDeque<u64>,
    last: u64,
    /// When the last reading was given.
    since: Instant,
}

impl Playing {
    fn new(readings: &[u64], start: u64) -> Mutex<Self> {
        Mutex::new(Self { readings: readings.iter().copied().collect(), last: start, since: Instant::now() })
    }

    fn next(this: &Mutex<Self>) -> u64 {
        let mut this = this.lock().unwrap_or_else(PoisonError::into_inner);
        match this.readings.pop_front() {
            Some(reading) => {
                (this.last, this.since) = (reading, Instant::now());
                reading
            }
            None => this.last.saturating_add(u64::try_from(this.since.elapsed().as_nanos()).unwrap_or(u64::MAX)),
        }
    }
}

impl Clocks for PlayedClocks {
    fn wall(&self) -> Duration {
        Duration::from_nanos(Playing::next(&self.wall))
    }

    fn monotonic(&self) -> u64 {
        Playing::next(&self.monotonic)
    }
}

/// The surroundings of a recorded call, again. A guest that never looked at the clock then sees the time `began`.
pub(crate) fn again(seen: &Seen, began: u64) -> Surroundings {
    let mut seed = [0; 32];
    // A seed that is none gives other numbers, which shows in what is compared.
    let _ = hex::decode_to_slice(&seen.seed, &mut seed);
    let clocks = PlayedClocks { wall: Playing::new(&seen.wall, began), monotonic: Playing::new(&seen.monotonic, 0) };
    Surroundings { seed, clocks: Arc::new(clocks) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_replay_shows_the_same_times_and_then_goes_on() {
        let noted = Noted::new().unwrap();
        let given = noted.give();
        let first = (given.clocks.wall(), given.clocks.monotonic(), given.clocks.monotonic());
        let (seen, lost) = noted.seen();
        assert_eq!(lost, None);
        let played = again(&seen, 0);
        assert_eq!(played.seed, given.seed);
        assert_eq!((played.clocks.wall(), played.clocks.monotonic(), played.clocks.monotonic()), first);
        assert!(played.clocks.monotonic() >= first.2);
    }

    #[test]
    fn who_looks_at_the_clock_all_the_time_is_not_recorded() {
        let noted = Noted::new().unwrap();
        let given = noted.give();
        for _ in 0..=READINGS {
            given.clocks.monotonic();
        }
        assert!(noted.seen().1.unwrap().contains("clock"));
    }
}
