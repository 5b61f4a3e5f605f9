//! The arithmetic coder of VP8 (RFC 6386, section 7).

/// The bytes of a piece.
const PIECE: usize = 1 << 18;

/// Writes bits, each with the probability of being 0. The bytes are in pieces, because a list that grows in one piece has room
/// for twice its bytes and is copied.
pub(super) struct Writer {
    /// The pieces that are full.
    full: Vec<Vec<u8>>,
    out: Vec<u8>,
    /// The bits that are not written yet: `held` of them above the eight of the window, and maybe a carry above these.
    low: u64,
    held: u32,
    range: u32,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self { full: Vec::new(), out: Vec::new(), low: 0, held: 0, range: 255 }
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
                for earlier in self.full.iter_mut().flatten().chain(&mut self.out).rev() {
                    *earlier = earlier.wrapping_add(1);
                    if *earlier != 0 {
                        break;
                    }
                }
            }
            if self.out.len() == PIECE {
                self.full.push(std::mem::replace(&mut self.out, Vec::with_capacity(PIECE)));
            }
            self.out.push(byte as u8);
            self.low &= (1 << self.held) - 1;
            self.held -= 8;
        }
    }

    /// Returns all bytes, in pieces.
    pub(super) fn finish(mut self) -> Vec<Vec<u8>> {
        self.flush();
        self.low <<= 16;
        self.held += 16;
        self.flush();
        self.full.push(self.out);
        self.full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carry_reaches_the_pieces_before() {
        let mut writer = Writer::new();
        writer.full = vec![vec![7; PIECE], vec![255; PIECE]];
        writer.out = vec![255; 3];
        (writer.low, writer.held) = (0x100 << 8, 8);
        writer.flush();
        assert_eq!(writer.full[0].last(), Some(&8));
        assert_eq!(writer.full[0].first(), Some(&7));
        assert!(writer.full[1].iter().chain(&writer.out).all(|&byte| byte == 0));
    }

    #[test]
    fn all_pieces_but_the_last_are_full() {
        let mut writer = Writer::new();
        // A bit of either value at even odds takes about a bit.
        for number in 0..5 * PIECE as u32 / 2 {
            writer.number(number, 8);
        }
        let lengths: Vec<usize> = writer.finish().iter().map(Vec::len).collect();
        assert_eq!((lengths.len(), &lengths[..2]), (3, &[PIECE; 2][..]));
    }
}
