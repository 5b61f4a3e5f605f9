//! The arithmetic coder of VP8 (RFC 6386, section 7).

/// Writes bits, each with the probability of being 0.
pub(super) struct Writer {
    out: Vec<u8>,
    /// The bits that are not written yet: `held` of them above the eight of the window, and maybe a carry above these.
    low: u64,
    held: u32,
    range: u32,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self { out: Vec::new(), low: 0, held: 0, range: 255 }
    }

    /// Writes a bit which is 0 with a probability of `zero` of 256.
    pub(super) fn put(&mut self, bit: bool, zero: u8) {
        let split = 1 + (((self.range - 1) * u32::from(zero)) >> 8);
        if bit {
            self.low += u64::from(split);
            self.range -= split;
        } else {
            self.range = split;
        }
        let shift = self.range.leading_zeros() - 24;
        self.range <<= shift;
        self.low <<= shift;
        self.held += shift;
        if self.held >= 40 {
            self.flush();
        }
    }

    /// Writes the lowest `count` bits of a number, the highest first.
    pub(super) fn number(&mut self, number: u32, count: u32) {
        for place in (0..count).rev() {
            self.put(number >> place & 1 == 1, 128);
        }
    }

    fn flush(&mut self) {
        while self.held >= 8 {
            let byte = self.low >> self.held;
            if byte > 255 {
                // A carry: all ones before it become zeros.
                for earlier in self.out.iter_mut().rev() {
                    *earlier = earlier.wrapping_add(1);
                    if *earlier != 0 {
                        break;
                    }
                }
            }
            self.out.push(byte as u8);
            self.low &= (1 << self.held) - 1;
            self.held -= 8;
        }
    }

    /// Returns all bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.flush();
        self.low <<= 16;
        self.held += 16;
        self.flush();
        self.out
    }
}
