//! Tokens: how the levels of a block become bits (RFC 6386, section 13), what they cost, and how often each bit occurs.

use super::tables::{DEFAULTS, TokenProbabilities, UPDATES};

/// The order of the frequencies of a block.
pub(super) const ZIGZAG: [usize; 16] = [0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15];

/// The band of each place in that order, and of the one after the last.
pub(super) const BANDS: [usize; 17] = [0, 1, 2, 3, 6, 4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 7, 0];

/// The largest level.
pub(super) const LARGEST: i32 = 2047;

/// The levels whose cost has an entry of its own; that of larger ones differs by bits of fixed probability only.
const LISTED: usize = 68;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Lightness without its lowest frequencies, which are in a block of their own.
    WithoutLowest = 0,
    /// The lowest frequencies of sixteen blocks.
    Lowest = 1,
    Chroma = 2,
    /// Lightness of a block whose subblocks are predicted each by its own mode.
    WithLowest = 3,
}

impl Kind {
    /// Returns the first place that is coded.
    pub(super) fn first(self) -> usize {
        usize::from(self == Kind::WithoutLowest)
    }
}

/// Where a bit is written, or counted.
pub(super) trait Sink {
    /// A bit at a branch of the tree, whose probabilities are those of kind, band and context.
    fn branch(&mut self, place: (usize, usize, usize), node: usize, bit: bool);
    /// A bit that is 0 with a fixed probability.
    fn fixed(&mut self, bit: bool, zero: u8);
}

/// The bits below a large level: the level at which they begin and their probabilities.
fn extra(level: i32) -> (i32, &'static [u8]) {
    match level {
        ..=6 => (5, &[159]),
        7..=10 => (7, &[165, 145]),
        11..=18 => (11, &[173, 148, 140]),
        19..=34 => (19, &[176, 155, 140, 135]),
        35..=66 => (35, &[180, 157, 141, 134, 130]),
        _ => (67, &[254, 254, 243, 230, 196, 177, 153, 140, 133, 130, 129]),
    }
}

/// Calls `each` with every branch of a level that is not 0, from the one that says whether it is 1.
fn branches(level: i32, mut each: impl FnMut(usize, bool)) {
    each(2, level > 1);
    if level < 2 {
        return;
    }
    each(3, level > 4);
    if level <= 4 {
        each(4, level > 2);
        if level > 2 {
            each(5, level > 3);
        }
        return;
    }
    each(6, level > 10);
    if level <= 10 {
        each(7, level > 6);
        return;
    }
    each(8, level > 34);
    if level <= 34 { each(9, level > 18) } else { each(10, level > 66) }
}

/// Gives the tokens of a block to `sink`. `context` is how many of the blocks above and to the left have levels. Returns whether
/// this one has.
pub(super) fn emit(levels: &[i16; 16], kind: Kind, context: usize, sink: &mut impl Sink) -> bool {
    let first = kind.first();
    let end = levels.iter().rposition(|&level| level != 0).map_or(0, |last| last + 1);
    let mut place = (kind as usize, BANDS[first], context);
    if end <= first {
        sink.branch(place, 0, false);
        return false;
    }
    sink.branch(place, 0, true);
    for (n, &level) in levels.iter().enumerate().take(end).skip(first) {
        let level = i32::from(level);
        let size = level.abs();
        sink.branch(place, 1, size != 0);
        if size != 0 {
            branches(size, |node, bit| sink.branch(place, node, bit));
            if size > 4 {
                let (base, probabilities) = extra(size);
                for (at, &zero) in probabilities.iter().enumerate() {
                    sink.fixed((size - base) >> (probabilities.len() - 1 - at) & 1 == 1, zero);
                }
            }
            sink.fixed(level < 0, 128);
        }
        place = (kind as usize, BANDS[n + 1], size.min(2) as usize);
        // After a zero there is no end, so nothing says that there is none.
        if size != 0 && n < 15 {
            sink.branch(place, 0, n + 1 < end);
        }
    }
    true
}

/// Returns the cost of a bit that is 0 with a probability of `zero` of 256, in 1/256 bits.
pub(super) const fn cost(bit: bool, zero: u8) -> u32 {
    let chance = if bit { 256 - zero as u64 } else { zero as u64 };
    // 256 × log2(256 / chance), by repeated squaring of the mantissa.
    let whole = chance.ilog2() as u64;
    let mut mantissa = (chance << 32) >> whole;
    let mut log = whole;
    let mut place = 0;
    while place < 9 {
        mantissa = ((mantissa as u128 * mantissa as u128) >> 32) as u64;
        log = 2 * log + (mantissa >> 33);
        // Halved if it has reached two.
        let two = mantissa >> 33;
        mantissa >>= two;
        place += 1;
    }
    (((8 << 9) - log + 1) >> 1) as u32
}

/// The cost of a bit that is 0, by its probability.
static ZERO_COSTS: [u16; 256] = {
    let mut costs = [0; 256];
    let mut zero = 1;
    while zero < 256 {
        costs[zero] = cost(false, zero as u8) as u16;
        zero += 1;
    }
    costs
};

fn bit_cost(bit: bool, zero: u8) -> u32 {
    let chance = if bit { 256 - usize::from(zero) } else { usize::from(zero) };
    u32::from(ZERO_COSTS[chance & 255])
}

/// Returns the cost of the bits of a level that no context changes.
fn fixed_cost(level: i32) -> u32 {
    let mut sum = 256;
    if level > 4 {
        let (base, probabilities) = extra(level);
        for (at, &zero) in probabilities.iter().enumerate() {
            sum += bit_cost((level - base) >> (probabilities.len() - 1 - at) & 1 == 1, zero);
        }
    }
    sum
}

/// What levels cost with some probabilities, in 1/256 bits.
pub(super) struct Costs {
    /// By kind, band, context and level; except in context 0, with the bit which says that the block does not end before.
    levels: Vec<[[[u16; LISTED]; 3]; 8]>,
    /// By kind, band and context: the bit which says that the block ends, or does not.
    ends: [[[[u16; 2]; 3]; 8]; 4],
}

impl Costs {
    pub(super) fn new(probabilities: &TokenProbabilities) -> Self {
        let fixed: [u32; LISTED] = std::array::from_fn(|level| if level == 0 { 0 } else { fixed_cost(level as i32) });
        let mut levels = vec![[[[0; LISTED]; 3]; 8]; 4];
        let mut ends = [[[[0; 2]; 3]; 8]; 4];
        for (kind, bands) in probabilities.iter().enumerate() {
            for (band, contexts) in bands.iter().enumerate() {
                for (context, p) in contexts.iter().enumerate() {
                    let (end, goes_on) = (bit_cost(false, p[0]), bit_cost(true, p[0]));
                    ends[kind][band][context] = [end as u16, goes_on as u16];
                    let before = if context == 0 { 0 } else { goes_on };
                    let listed = &mut levels[kind][band][context];
                    listed[0] = (before + bit_cost(false, p[1])) as u16;
                    for (level, entry) in listed.iter_mut().enumerate().skip(1) {
                        let mut sum = before + bit_cost(true, p[1]) + fixed[level];
                        branches(level as i32, |node, bit| sum += bit_cost(bit, p[node]));
                        *entry = sum as u16;
                    }
                }
            }
        }
        Self { levels, ends }
    }

    /// Returns what a level costs at a place.
    pub(super) fn level(&self, kind: Kind, n: usize, context: usize, size: i32) -> u32 {
        let listed = &self.levels[kind as usize][BANDS[n]][context];
        match listed.get(size as usize) {
            Some(&cost) => cost.into(),
            None => u32::from(listed[LISTED - 1]) + fixed_cost(size) - fixed_cost(LISTED as i32 - 1),
        }
    }

    /// Returns what it costs to end, or not to end, before a place.
    pub(super) fn end(&self, kind: Kind, n: usize, context: usize, goes_on: bool) -> u32 {
        self.ends[kind as usize][BANDS[n]][context][usize::from(goes_on)].into()
    }

    /// Returns what a block costs.
    pub(super) fn block(&self, levels: &[i16; 16], kind: Kind, mut context: usize) -> u32 {
        let first = kind.first();
        let Some(last) = levels.iter().rposition(|&level| level != 0).filter(|&last| last >= first) else {
            return self.end(kind, first, context, false);
        };
        let mut sum = if context == 0 { self.end(kind, first, 0, true) } else { 0 };
        for (n, &level) in levels.iter().enumerate().take(last + 1).skip(first) {
            let size = i32::from(level).abs();
            sum += self.level(kind, n, context, size);
            context = size.min(2) as usize;
        }
        if last < 15 { sum + self.end(kind, last + 1, context, false) } else { sum }
    }
}

/// How often the bits of every branch were 0 and 1.
pub(super) struct Counts([[[[[u32; 2]; 11]; 3]; 8]; 4]);

impl Sink for Counts {
    fn branch(&mut self, (kind, band, context): (usize, usize, usize), node: usize, bit: bool) {
        self.0[kind][band][context][node][usize::from(bit)] += 1;
    }

    fn fixed(&mut self, _: bool, _: u8) {}
}

impl Counts {
    pub(super) fn new() -> Self {
        Self([[[[[0; 2]; 11]; 3]; 8]; 4])
    }

    /// Returns the probabilities with which the picture takes the fewest bits, what it takes to write them included.
    pub(super) fn best(&self) -> TokenProbabilities {
        let mut best = DEFAULTS;
        for (kind, bands) in self.0.iter().enumerate() {
            for (band, contexts) in bands.iter().enumerate() {
                for (context, nodes) in contexts.iter().enumerate() {
                    for (node, &[zeros, ones]) in nodes.iter().enumerate() {
                        let all = u64::from(zeros) + u64::from(ones);
                        if all == 0 {
                            continue;
                        }
                        let chance = ((u64::from(zeros) * 256 + all / 2) / all).clamp(1, 255) as u8;
                        let bits = |zero: u8| {
                            u64::from(zeros) * u64::from(bit_cost(false, zero))
                                + u64::from(ones) * u64::from(bit_cost(true, zero))
                        };
                        let (old, update) = (DEFAULTS[kind][band][context][node], UPDATES[kind][band][context][node]);
                        let kept = bits(old) + u64::from(bit_cost(false, update));
                        let changed = bits(chance) + u64::from(bit_cost(true, update)) + 8 * 256;
                        if changed < kept {
                            best[kind][band][context][node] = chance;
                        }
                    }
                }
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_costs_the_logarithm_of_its_probability() {
        for zero in 1..=255u8 {
            let exact = (256.0 / f64::from(zero)).log2() * 256.0;
            assert!((f64::from(bit_cost(false, zero)) - exact).abs() < 1.5, "{zero}");
        }
        assert_eq!(bit_cost(true, 128), 256);
    }

    /// A sink that adds up what the bits cost.
    struct Sum(TokenProbabilities, u32);

    impl Sink for Sum {
        fn branch(&mut self, (kind, band, context): (usize, usize, usize), node: usize, bit: bool) {
            self.1 += bit_cost(bit, self.0[kind][band][context][node]);
        }

        fn fixed(&mut self, bit: bool, zero: u8) {
            self.1 += bit_cost(bit, zero);
        }
    }

    proptest::proptest! {
        #[test]
        fn the_cost_of_a_block_is_that_of_its_bits(
            levels in proptest::array::uniform16(proptest::prop_oneof![proptest::prelude::Just(0i16), -3i16..4, -2047i16..2048]),
            context in 0usize..3,
        ) {
            let costs = Costs::new(&DEFAULTS);
            for kind in [Kind::WithoutLowest, Kind::Lowest, Kind::Chroma, Kind::WithLowest] {
                let mut levels = levels;
                levels[..kind.first()].fill(0);
                let mut sum = Sum(DEFAULTS, 0);
                emit(&levels, kind, context, &mut sum);
                proptest::prop_assert_eq!(costs.block(&levels, kind, context), sum.1);
            }
        }
    }
}
