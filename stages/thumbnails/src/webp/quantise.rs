//! From frequencies to levels, and back.

use super::tables::{AC_STEPS, DC_STEPS};
use super::tokens::{Costs, Kind, LARGEST, ZIGZAG};

/// The fractional bits of a reciprocal.
const FRACTION: u32 = 20;

/// The steps of one kind of block.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    /// Of the lowest frequency, and of all others.
    steps: [i32; 2],
    reciprocals: [i64; 2],
}

impl Steps {
    fn new(lowest: i32, others: i32) -> Self {
        let steps = [lowest, others];
        Self { steps, reciprocals: steps.map(|step| (1 << FRACTION) / i64::from(step) + 1) }
    }

    /// Returns the step at a place.
    fn step(&self, n: usize) -> i32 {
        self.steps[usize::from(n > 0)]
    }

    /// Returns how often the step at a place fits into a positive number and a part of a step, in 1/64.
    fn fit(&self, n: usize, value: i32, part: i64) -> i32 {
        let product = i64::from(value) * self.reciprocals[usize::from(n > 0)];
        (((product + (part << (FRACTION - 6))) >> FRACTION) as i32).min(LARGEST)
    }

    /// Returns the frequency of a level at a place.
    pub(super) fn frequency(&self, n: usize, level: i16) -> i32 {
        i32::from(level) * self.step(n)
    }

    /// Returns the frequencies of levels.
    pub(super) fn frequencies(&self, levels: &[i16; 16]) -> [i32; 16] {
        let mut block = [0; 16];
        for (n, &level) in levels.iter().enumerate() {
            block[ZIGZAG[n]] = self.frequency(n, level);
        }
        block
    }

    /// Returns the levels of a block, small ones rounded towards zero, and the squared error of its frequencies.
    pub(super) fn quick(&self, block: &[i32; 16], kind: Kind) -> ([i16; 16], i64) {
        let mut levels = [0; 16];
        let mut error = 0;
        for (n, out) in levels.iter_mut().enumerate().skip(kind.first()) {
            let value = block[ZIGZAG[n]];
            let size = self.fit(n, value.abs(), if n == 0 { 28 } else { 24 });
            let left = i64::from(value.abs() - size * self.step(n));
            error += left * left;
            *out = if value < 0 { -size } else { size } as i16;
        }
        (levels, error)
    }

    /// Returns the levels for which error and bits together are least, of the two nearest at each place. `weight` is the
    /// squared error of frequencies that 1/256 bit is worth, times 4096.
    pub(super) fn best(&self, block: &[i32; 16], kind: Kind, context: usize, costs: &Costs, weight: i64) -> [i16; 16] {
        const NEVER: i64 = i64::MAX / 4;
        let first = kind.first();
        // The two ways to each place: what it costs, the context that it leaves, and the level and way before.
        let mut sums = [0, NEVER];
        let mut contexts = [context, 0];
        let mut steps = [[(0i32, 0usize); 2]; 16];
        let start = if context == 0 { weight * i64::from(costs.end(kind, first, 0, true)) } else { 0 };
        let mut best = (weight * i64::from(costs.end(kind, first, context, false)), None);
        sums[0] = start;
        for (n, steps) in steps.iter_mut().enumerate().skip(first) {
            let value = block[ZIGZAG[n]].abs();
            let high = self.fit(n, value, 32);
            let mut next = [NEVER; 2];
            for (way, level) in [high, high - 1].into_iter().enumerate().filter(|(_, level)| *level >= 0) {
                let left = i64::from(value - level * self.step(n));
                // Compared with leaving it out.
                let error = (left * left - i64::from(value) * i64::from(value)) << 12;
                for before in 0..2 {
                    if sums[before] >= NEVER {
                        continue;
                    }
                    let sum = sums[before] + error + weight * i64::from(costs.level(kind, n, contexts[before], level));
                    if sum < next[way] {
                        next[way] = sum;
                        steps[way] = (level, before);
                    }
                }
                if level > 0 {
                    let end = if n < 15 { costs.end(kind, n + 1, level.min(2) as usize, false) } else { 0 };
                    let sum = next[way] + weight * i64::from(end);
                    if sum < best.0 {
                        best = (sum, Some((n, way)));
                    }
                }
            }
            sums = next;
            contexts = [high.min(2) as usize, (high - 1).clamp(0, 2) as usize];
        }
        let mut levels = [0; 16];
        if let Some((last, mut way)) = best.1 {
            for n in (first..=last).rev() {
                let (level, before) = steps[n][way];
                levels[n] = if block[ZIGZAG[n]] < 0 { -level } else { level } as i16;
                way = before;
            }
        }
        levels
    }
}

/// The steps of a picture.
pub(super) struct Quantiser {
    /// The index into the tables of steps, 0 to 127.
    pub(super) index: u8,
    pub(super) luma: Steps,
    /// Of the lowest frequencies of sixteen blocks.
    pub(super) lowest: Steps,
    pub(super) chroma: Steps,
    /// The weight of [`Steps::best`].
    pub(super) weight: i64,
}

/// What a bit is worth, as a part of the squared step in 1/256.
const WORTH: i64 = 11;

impl Quantiser {
    pub(super) fn new(index: u8) -> Self {
        let (dc, ac) = (DC_STEPS[usize::from(index & 127)], AC_STEPS[usize::from(index & 127)]);
        Self {
            index,
            luma: Steps::new(dc, ac),
            lowest: Steps::new(2 * dc, (ac * 155 / 100).max(8)),
            chroma: Steps::new(dc.min(132), ac),
            // Squared errors of frequencies are four times those of samples; costs are in 1/256 bits.
            weight: i64::from(ac) * i64::from(ac) * WORTH * 4 * 4096 / (256 * 256),
        }
    }
}
