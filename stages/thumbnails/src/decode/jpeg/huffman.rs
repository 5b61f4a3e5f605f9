//! The bits and Huffman codes of a JPEG's entropy-coded data.

use super::header::HuffmanSpec;

/// The longest code, in bits, that is found with one look-up.
const LOOK: u32 = 10;

/// Reads bits, most significant first, and removes the zero byte after every 0xFF of data. After the end of the data it
/// returns zeros and records that.
pub struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    /// The next bits, from the most significant bit.
    held: u64,
    /// The number of bits in `held`.
    count: u32,
    /// The number of them that are made up, because a marker or the end of the file was reached.
    made_up: u32,
}

impl<'a> Bits<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0, held: 0, count: 0, made_up: 0 }
    }

    /// Makes at least 32 bits available.
    #[inline(always)]
    fn fill(&mut self) {
        if self.count >= 32 {
            return;
        }
        if let Some(next) = self.data.get(self.at..).and_then(|rest| rest.first_chunk::<4>()) {
            let word = u32::from_be_bytes(*next);
            // No byte is 0xFF: the usual bit trick for "no byte of the complement is zero".
            if word & !word.wrapping_add(0x0101_0101) & 0x8080_8080 == 0 {
                self.held |= u64::from(word) << (32 - self.count);
                self.count += 32;
                self.at += 4;
                return;
            }
        }
        self.fill_slowly();
    }

    #[cold]
    fn fill_slowly(&mut self) {
        while self.count <= 56 {
            let byte = match self.data.get(self.at..) {
                Some([0xFF, 0, ..]) => {
                    self.at += 2;
                    0xFF
                }
                Some([byte, ..]) if *byte != 0xFF => {
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
    }

    #[inline(always)]
    fn skip(&mut self, bits: u32) {
        self.held <<= bits;
        self.count -= bits;
    }

    /// Returns the next `bits` bits, 1 to 16, as a signed number of JPEG.
    #[inline(always)]
    fn signed(&mut self, bits: u32) -> i32 {
        let value = (self.held >> (64 - bits)) as i32;
        self.skip(bits);
        // Numbers with a leading zero are negative.
        if value < 1 << (bits - 1) { value - (1 << bits) + 1 } else { value }
    }

    /// Returns the next `bits` bits, 0 to 16, as a number.
    #[inline]
    pub fn take(&mut self, bits: u32) -> u32 {
        self.fill();
        // Two shifts, because one by 64 bits is not possible.
        let value = self.held >> 32 >> (32 - bits);
        self.skip(bits);
        value as u32
    }

    /// Returns the offset of the first byte of the data that was not read, even ahead.
    pub fn place(&self) -> usize {
        self.at
    }

    /// Returns whether more bits were read than the data has.
    pub fn overrun(&self) -> bool {
        self.made_up > self.count
    }

    /// Skips the restart marker of `number`. Returns `false` if something else comes next.
    pub fn restart(&mut self, number: u8) -> bool {
        // At most seven bits of padding may be left in the last byte.
        if self.overrun() || self.count - self.made_up >= 8 {
            return false;
        }
        let fill = self.data.get(self.at..).unwrap_or_default().iter().take_while(|&&byte| byte == 0xFF).count();
        self.at += fill;
        let found = fill > 0 && self.data.get(self.at) == Some(&(0xD0 | number));
        self.at += 1;
        (self.held, self.count, self.made_up) = (0, 0, 0);
        found
    }
}

/// A table ready for decoding.
pub struct Table {
    /// By the next [`LOOK`] bits: the code's length in the low byte (0 if it is longer), its value in the high byte.
    short: Box<[u16; 1 << LOOK]>,
    /// By the next [`LOOK`] bits, for codes whose number fits, too: the number, the run before it, the sum of their bits.
    whole: Box<[(i16, u8, u8); 1 << LOOK]>,
    /// By length: the first bits above its codes, left-aligned in 16 bits, and what to add to a code for its index.
    limits: [(u32, i32); 17],
    values: Vec<u8>,
}

impl Table {
    /// Returns a table. `None` if there are more codes than their lengths allow.
    pub fn new(spec: &HuffmanSpec) -> Option<Self> {
        let mut short = Box::new([0u16; 1 << LOOK]);
        let mut limits = [(0u32, 0i32); 17];
        let (mut code, mut index) = (0u32, 0usize);
        for length in 1..=16u32 {
            let count = u32::from(*spec.counts.get(length as usize - 1)?);
            let first = index as i32 - code as i32;
            if code + count > 1 << length {
                return None;
            }
            for _ in 0..count {
                let value = *spec.values.get(index)?;
                if length <= LOOK {
                    let from = (code << (LOOK - length)) as usize;
                    let entries = short.get_mut(from..from + (1 << (LOOK - length)))?;
                    entries.fill(u16::from(value) << 8 | length as u16);
                }
                code += 1;
                index += 1;
            }
            *limits.get_mut(length as usize)? = (code << (16 - length), first);
            code <<= 1;
        }
        let whole = Box::new(std::array::from_fn(|bits| {
            let (value, length) = (short[bits] >> 8, u32::from(short[bits] & 0xFF));
            let size = u32::from(value & 15);
            if length == 0 || size == 0 || length + size > LOOK {
                return (0, 0, 0);
            }
            let number = (bits as i32 >> (LOOK - length - size)) & ((1 << size) - 1);
            let number = if number < 1 << (size - 1) { number - (1 << size) + 1 } else { number };
            // At most ten bits, so it fits.
            (number as i16, (value >> 4) as u8, (length + size) as u8)
        }));
        Some(Self { short, whole, limits, values: spec.values.clone() })
    }

    /// Returns the next code's value. `None` if the bits form no valid code.
    #[inline(always)]
    fn value(&self, bits: &mut Bits) -> Option<u8> {
        let entry = self.short[(bits.held >> (64 - LOOK)) as usize];
        let length = u32::from(entry & 0xFF);
        if length > 0 {
            bits.skip(length);
            return Some((entry >> 8) as u8);
        }
        self.long_value(bits)
    }

    /// Returns the next code's value. `None` if the bits form no valid code.
    #[inline]
    pub fn code(&self, bits: &mut Bits) -> Option<u8> {
        bits.fill();
        self.value(bits)
    }

    #[cold]
    fn long_value(&self, bits: &mut Bits) -> Option<u8> {
        let next = (bits.held >> 48) as u32;
        for length in LOOK + 1..=16 {
            let (limit, first) = self.limits[length as usize];
            if next < limit {
                bits.skip(length);
                let index = (next >> (16 - length)) as i32 + first;
                return self.values.get(usize::try_from(index).ok()?).copied();
            }
        }
        None
    }

    /// Returns the difference of a block's first coefficient from the previous block's. `None` if the bits form no valid code.
    #[inline(always)]
    pub fn first(&self, bits: &mut Bits) -> Option<i32> {
        bits.fill();
        match self.value(bits)? {
            0 => Some(0),
            size @ 1..=11 => Some(bits.signed(size.into())),
            _ => None,
        }
    }

    /// Reads the other 63 coefficients and calls `put` with the position in zigzag order and the value of each one that is
    /// not zero. `None` if the bits form no valid code.
    #[inline(always)]
    pub fn others(&self, bits: &mut Bits, mut put: impl FnMut(usize, i32)) -> Option<()> {
        let mut k = 1;
        while k < 64 {
            bits.fill();
            let (number, run, taken) = self.whole[(bits.held >> (64 - LOOK)) as usize];
            if taken > 0 {
                bits.skip(taken.into());
                k += usize::from(run);
                if k > 63 {
                    break;
                }
                put(k, number.into());
                k += 1;
                continue;
            }
            let value = self.value(bits)?;
            match (value >> 4, value & 15) {
                (15, 0) => k += 16,
                (0, 0) => break,
                (_, 0) => return None,
                (run, size) => {
                    // A code of 16 bits and a number of 15 are 31: one filling is enough.
                    let number = bits.signed(size.into());
                    k += usize::from(run);
                    if k > 63 {
                        break;
                    }
                    put(k, number);
                    k += 1;
                }
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn stuffed_zeros_are_removed_and_a_marker_ends_the_data() {
        let mut bits = Bits::new(b"\xAB\xFF\0\xCD\xFF\xD9");
        bits.fill();
        assert_eq!(bits.held >> 40, 0xAB_FF_CD);
        bits.skip(24);
        assert!(!bits.overrun());
        bits.skip(1);
        assert!(bits.overrun());
    }

    #[test]
    fn a_word_without_0xff_is_read_at_once_and_one_with_it_is_not() {
        for at in 0..4 {
            let mut data = [0x7F, 0xFE, 0x80, 0x00, 1, 2, 3, 4];
            let mut bits = Bits::new(&data);
            bits.fill();
            assert_eq!((bits.count, bits.at), (32, 4));
            data[at] = 0xFF;
            let mut bits = Bits::new(&data);
            bits.fill();
            assert_ne!(bits.count, 32, "0xFF at {at}");
        }
    }

    #[test]
    fn a_restart_marker_is_found_after_the_last_bits() {
        let mut bits = Bits::new(b"\xA0\xFF\xD3\x55\x55\x55\x55");
        bits.fill();
        bits.skip(3);
        assert!(bits.restart(3));
        bits.fill();
        assert_eq!(bits.held >> 56, 0x55);
        let mut wrong = Bits::new(b"\xA0\xFF\xD3");
        wrong.fill();
        wrong.skip(3);
        assert!(!wrong.restart(4));
        let mut early = Bits::new(b"\xA0\xA0\xFF\xD3");
        early.fill();
        early.skip(3);
        assert!(!early.restart(3), "a byte of data is left");
    }

    #[test]
    fn short_and_long_codes_are_told_apart() {
        // One code each of 1 to 16 bits: 0, 10, 110, ...
        let spec = HuffmanSpec { counts: [1; 16], values: (0..16).collect() };
        let table = Table::new(&spec).unwrap();
        for length in 1..=16u32 {
            let mut bits = Bits::new(&[]);
            // `length - 1` ones and a zero.
            bits.held = if length == 1 { 0 } else { u64::MAX << (64 - (length - 1)) };
            bits.count = 64;
            assert_eq!(table.value(&mut bits), Some(length as u8 - 1), "{length} bits");
            assert_eq!(bits.count, 64 - length);
        }
        let mut bits = Bits::new(&[]);
        (bits.held, bits.count) = (u64::MAX, 64);
        assert_eq!(table.value(&mut bits), None);
    }

    #[test]
    fn too_many_codes_are_refused() {
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(Table::new(&HuffmanSpec { counts, values: vec![1, 2, 3] }).is_none());
    }

    #[test]
    fn signed_numbers_are_read_as_jpeg_writes_them() {
        for (bits, held, number) in [(1, 0b1, 1), (1, 0b0, -1), (3, 0b100, 4), (3, 0b011, -4), (3, 0b000, -7)] {
            let mut reader = Bits::new(&[]);
            (reader.held, reader.count) = (held << (64 - bits), 64);
            assert_eq!(reader.signed(bits), number);
        }
    }
}
