//! The generator behind `$random(seed)`.

/// The linear congruential generator of `java.util.Random`, whose algorithm Java's documentation fixes. The service
/// uses it, so a seed yields the same number here as there.
pub(super) struct JavaRandom(u64);

const MULTIPLIER: u64 = 0x5_DEEC_E66D;
const MASK: u64 = (1 << 48) - 1;

impl JavaRandom {
    pub fn new(seed: i64) -> Self {
        Self((seed.cast_unsigned() ^ MULTIPLIER) & MASK)
    }

    fn bits(&mut self, count: u32) -> u64 {
        self.0 = self.0.wrapping_mul(MULTIPLIER).wrapping_add(0xB) & MASK;
        self.0 >> (48 - count)
    }

    /// Returns a number from 0 up to 1, without 1.
    pub fn next(&mut self) -> f64 {
        let bits = (self.bits(26) << 27) + self.bits(27);
        // Exact: 53 bits.
        #[allow(clippy::cast_precision_loss)]
        let number = bits as f64 / (1_u64 << 53) as f64;
        number
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]
    use super::*;

    #[test]
    fn a_seed_yields_the_number_that_java_yields() {
        for (seed, number) in [(42, 0.727_563_680_032_868_1), (0, 0.730_967_787_376_657), (7, 0.730_699_042_060_042_1)]
        {
            assert_eq!(JavaRandom::new(seed).next(), number, "{seed}");
        }
    }
}
