//! What a stage logs and measures in one call, bounded.

use stagehost_batch::is_plain_name;

use crate::observer::{Measure, MeasuredValue};

/// The most lines of one call.
const MAX_LINES: u32 = 1000;
/// The most bytes of all lines of one call.
const MAX_BYTES: usize = 256 << 10;
/// The most names of measurements of one call.
const MAX_NAMES: usize = 16;
/// The most values of one name, as CloudWatch takes them at once.
const MAX_VALUES: usize = 100;

/// How much a call has logged.
#[derive(Debug, Default)]
pub(crate) struct Logged {
    lines: u32,
    bytes: usize,
    dropped: u64,
}

impl Logged {
    /// Counts a line. Returns whether there is room for it.
    pub(crate) fn count(&mut self, bytes: usize) -> bool {
        let after = self.bytes.saturating_add(bytes);
        let room = self.lines < MAX_LINES && after <= MAX_BYTES;
        if room {
            (self.lines, self.bytes) = (self.lines + 1, after);
        } else {
            self.dropped += 1;
        }
        room
    }

    /// Returns how many lines were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// What a call has measured.
#[derive(Debug, Default)]
pub(crate) struct Measures {
    all: Vec<Measure>,
    dropped: u64,
}

impl Measures {
    /// Returns everything that was measured, and how many numbers were dropped.
    pub(crate) fn take(&mut self) -> (Vec<Measure>, u64) {
        (std::mem::take(&mut self.all), std::mem::take(&mut self.dropped))
    }

    pub(crate) fn count(&mut self, name: String, amount: u64) {
        match self.entry(name, || MeasuredValue::Count(0)) {
            Some(MeasuredValue::Count(sum)) => *sum = sum.saturating_add(amount),
            _ => self.dropped += 1,
        }
    }

    pub(crate) fn time(&mut self, name: String, milliseconds: f64) {
        match self.entry(name, || MeasuredValue::Milliseconds(Vec::new())) {
            Some(MeasuredValue::Milliseconds(values)) if milliseconds.is_finite() && values.len() < MAX_VALUES => {
                values.push(milliseconds);
            }
            _ => self.dropped += 1,
        }
    }

    /// Returns the place of a name; `None` if it cannot be taken.
    fn entry(&mut self, name: String, new: impl FnOnce() -> MeasuredValue) -> Option<&mut MeasuredValue> {
        let place = match self.all.iter().position(|one| one.name == name) {
            Some(place) => place,
            None if self.all.len() < MAX_NAMES && is_plain_name(&name) => {
                self.all.push(Measure { name, value: new() });
                self.all.len() - 1
            }
            None => return None,
        };
        self.all.get_mut(place).map(|one| &mut one.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_until_their_number_or_their_bytes_are_reached() {
        let mut many = Logged::default();
        assert_eq!((0..1200).filter(|_| many.count(10)).count(), 1000);
        assert_eq!(many.dropped(), 200);
        let mut long = Logged::default();
        assert_eq!((0..100).filter(|_| long.count(4 << 10)).count(), 64);
        assert!(!long.count(usize::MAX));
        assert_eq!(long.dropped(), 37);
    }

    #[test]
    fn counters_add_up_and_timings_are_kept_one_by_one() {
        let mut measures = Measures::default();
        for amount in [1, 2, u64::MAX] {
            measures.count("faces".into(), amount);
        }
        for milliseconds in [1.5, 2.5] {
            measures.time("decode".into(), milliseconds);
        }
        let counted = Measure { name: "faces".into(), value: MeasuredValue::Count(u64::MAX) };
        let timed = Measure { name: "decode".into(), value: MeasuredValue::Milliseconds(vec![1.5, 2.5]) };
        assert_eq!(measures.take(), (vec![counted, timed], 0));
    }

    #[test]
    fn numbers_that_cannot_be_taken_are_dropped_and_counted() {
        let mut measures = Measures::default();
        measures.count("two words".into(), 1);
        measures.count("n".into(), 1);
        measures.time("n".into(), 1.0);
        measures.time("t".into(), f64::NAN);
        for number in 0..20 {
            measures.count(format!("name{number}"), 1);
        }
        for _ in 0..101 {
            measures.time("t".into(), 1.0);
        }
        let (all, dropped) = measures.take();
        assert_eq!((all.len(), dropped), (16, 3 + 6 + 1));
    }
}
