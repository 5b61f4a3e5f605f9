//! The bits of a JPEG's entropy-coded data.

/// Reads bits, most significant first, and removes the zero byte after every 0xFF of data. After the end of the data it
/// returns zeros and records that.
///
/// It is small and copied freely: a copy to which no reference exists stays in registers.
#[derive(Clone, Copy)]
pub struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    /// The next bits, from the most significant bit. Those after the first `count` are either zero or the data's own.
    held: u64,
    /// The number of bits in `held`.
    count: u32,
    /// The number of them that are made up, because a marker or the end of the file was reached.
    made_up: u32,
}

impl<'a> Bits<'a> {
    /// Returns a reader of `data`, which begins with the first byte after a scan header.
    pub fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0, held: 0, count: 0, made_up: 0 }
    }

    /// Makes at least 56 bits available.
    #[inline(always)]
    pub fn fill(&mut self) {
        if let Some(next) = self.data.get(self.at..).and_then(|rest| rest.first_chunk::<8>()) {
            let word = u64::from_be_bytes(*next);
            // No byte is 0xFF: the usual bit trick for "no byte of the complement is zero".
            if (!word).wrapping_sub(0x0101_0101_0101_0101) & word & 0x8080_8080_8080_8080 == 0 {
                self.held |= word >> (self.count & 63);
                let bytes = (63 - self.count) >> 3;
                self.at += bytes as usize;
                self.count += 8 * bytes;
                return;
            }
        }
        *self = self.filled_slowly();
    }

    #[inline(never)]
    fn filled_slowly(mut self) -> Self {
        while self.count < 56 {
            let byte = match self.data.get(self.at..) {
                Some([0xFF, rest @ ..]) => {
                    // Fill bytes may come before a marker, and so before what looks like one.
                    let fill = rest.iter().take_while(|&&byte| byte == 0xFF).count();
                    if rest.get(fill) == Some(&0) {
                        self.at += fill + 2;
                        0xFF
                    } else {
                        self.made_up += 8;
                        0
                    }
                }
                Some([byte, ..]) => {
                    self.at += 1;
                    *byte
                }
                _ => {
                    self.made_up += 8;
                    0
                }
            };
            self.held |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
        self
    }

    /// Returns the next `bits` bits, 1 to 32, without reading them. There must be as many.
    #[inline(always)]
    pub fn peek(&self, bits: u32) -> u32 {
        (self.held >> (64 - bits)) as u32
    }

    /// Reads `bits` bits, of which there must be as many.
    #[inline(always)]
    pub fn skip(&mut self, bits: u32) {
        self.held <<= bits & 63;
        // Never below zero after `fill`; wrapping spares a check.
        self.count = self.count.wrapping_sub(bits);
    }

    /// Reads `bits` bits, 1 to 16, as a signed number of JPEG (T.81, F.2.2.1). There must be as many.
    #[inline(always)]
    pub fn signed(&mut self, bits: u32) -> i32 {
        let value = self.peek(bits) as i32;
        self.skip(bits);
        // Numbers with a leading zero are negative.
        if value < 1 << (bits - 1) { value - (1 << bits) + 1 } else { value }
    }

    /// Reads `bits` bits, 0 to 32, as a number.
    #[inline]
    pub fn take(&mut self, bits: u32) -> u32 {
        self.fill();
        // Two shifts, because one by 64 bits is not possible.
        let value = self.held >> 32 >> (32 - bits);
        self.skip(bits);
        value as u32
    }

    /// Returns whether more bits were read than the data has.
    pub fn overrun(&self) -> bool {
        self.made_up > self.count
    }

    /// Returns the offset of the first byte of which no bit was read.
    pub fn place(&self) -> usize {
        let mut ahead = self.count.saturating_sub(self.made_up) / 8;
        let mut at = self.at;
        while ahead > 0 {
            // A zero byte after 0xFF, and fill bytes before it, were removed.
            let stuffed = self.data.get(..at).is_some_and(|read| read.ends_with(&[0xFF, 0]));
            at = at.saturating_sub(if stuffed { 2 } else { 1 });
            ahead -= 1;
        }
        at
    }

    /// Returns whether the rest of the last byte is filled up with ones, as the standard demands (T.81, F.1.2.3).
    pub fn padded_with_ones(&self) -> bool {
        let left = self.count.saturating_sub(self.made_up) % 8;
        left == 0 || self.peek(left) == (1 << left) - 1
    }

    /// Skips a restart marker, whatever its number. Returns `false` if something else comes next.
    pub fn restart(&mut self) -> bool {
        // At most seven bits of padding may be left in the last byte.
        if self.overrun() || self.count - self.made_up >= 8 {
            return false;
        }
        let fill = self.data.get(self.at..).unwrap_or_default().iter().take_while(|&&byte| byte == 0xFF).count();
        let found = fill > 0 && matches!(self.data.get(self.at + fill), Some(0xD0..=0xD7));
        self.at += fill + 1;
        (self.held, self.count, self.made_up) = (0, 0, 0);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stuffed_zeros_are_removed_and_a_marker_ends_the_data() {
        for data in [&b"\xAB\xFF\0\xCD\xFF\xD9"[..], b"\xAB\xFF\xFF\xFF\0\xCD\xFF\xFF\xD9", b"\xAB\xFF\0\xCD"] {
            let mut bits = Bits::new(data);
            assert_eq!(bits.take(24), 0xAB_FF_CD);
            assert!(!bits.overrun());
            bits.take(1);
            assert!(bits.overrun());
        }
    }

    #[test]
    fn any_number_of_bits_is_read_as_it_was_written() {
        let data: Vec<u8> = (0..400u32).map(|i| (i * 97 % 251) as u8).collect();
        let all: Vec<bool> = data.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
        let mut bits = Bits::new(&data);
        let (mut at, mut length) = (0, 1);
        while at + length < all.len() {
            let want = all[at..at + length].iter().fold(0u32, |number, &bit| number << 1 | u32::from(bit));
            assert_eq!(bits.take(length as u32), want, "{length} bits at {at}");
            at += length;
            assert_eq!(bits.place(), at.div_ceil(8), "after {at} bits");
            length = length % 32 + 1;
        }
    }

    #[test]
    fn the_place_counts_removed_bytes() {
        let data = b"\x12\xFF\0\x34\xFF\0\x56\x78\x9A\xBC\xDE\xF0\x01\x02\x03";
        for (bytes, place) in [(1, 1), (2, 3), (3, 4), (4, 6), (5, 7)] {
            let mut bits = Bits::new(data);
            for _ in 0..bytes {
                bits.take(8);
            }
            bits.fill();
            assert_eq!(bits.place(), place, "{bytes} bytes");
        }
    }

    #[test]
    fn a_restart_marker_is_found_after_the_last_bits() {
        let mut bits = Bits::new(b"\xA0\xFF\xFF\xD3\x55\x55\x55\x55");
        bits.take(3);
        assert!(bits.restart());
        assert_eq!(bits.take(8), 0x55);
        let mut other = Bits::new(b"\xA0\xFF\xD9");
        other.take(3);
        assert!(!other.restart());
        let mut early = Bits::new(b"\xA0\xA0\xFF\xD3");
        early.take(3);
        assert!(!early.restart(), "a byte of data is left");
    }

    #[test]
    fn signed_numbers_are_read_as_jpeg_writes_them() {
        for (bits, byte, number) in [(1, 0x80, 1), (1, 0, -1), (3, 0x80, 4), (3, 0x60, -4), (3, 0, -7)] {
            let data = [byte];
            let mut reader = Bits::new(&data);
            reader.fill();
            assert_eq!(reader.signed(bits), number);
        }
    }

    #[test]
    fn padding_is_told_from_data() {
        for (byte, ones) in [(0xBF, true), (0xB0, false)] {
            let data = [byte];
            let mut bits = Bits::new(&data);
            bits.take(4);
            assert_eq!(bits.padded_with_ones(), ones);
        }
    }
}
