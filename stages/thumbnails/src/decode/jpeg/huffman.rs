//! Bits and Huffman codes of a JPEG's entropy-coded data.

use super::header::HuffmanSpec;

/// Codes up to this long are found with one look-up.
const LOOK: u32 = 10;

/// Reads bits, most significant first, taking out the zero byte that follows every 0xFF of data. Behind the end of the
/// data it gives zeros, and remembers that it did.
pub struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    /// The next bits, from the top.
    held: u64,
    /// How many of `held` there are.
    count: u32,
    /// How many of them are made up, because a marker or the end of the file came.
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
            // No byte is 0xFF: the bit trick for "no byte of the complement is zero".
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

    /// The next `bits` bits, 1 to 16, as JPEG writes signed numbers.
    #[inline(always)]
    fn signed(&mut self, bits: u32) -> i32 {
        let value = (self.held >> (64 - bits)) as i32;
        self.skip(bits);
        // The numbers with a leading zero are the negative ones.
        if value < 1 << (bits - 1) { value - (1 << bits) + 1 } else { value }
    }

    /// Whether more bits were taken than there are.
    pub fn overrun(&self) -> bool {
        self.made_up > self.count
    }

    /// Passes over the restart marker of `number`; `false` if it is not what comes next.
    pub fn restart(&mut self, number: u8) -> bool {
        // Fewer than eight real bits may be left, which fill the last byte.
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

/// What the next code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbol {
    /// Code of no table.
    Invalid,
    /// A code's value.
    Value(u8),
}

/// A table ready for decoding.
pub struct Table {
    /// By the next [`LOOK`] bits: length of the code in the low byte (0 if it is longer), value in the high one.
    short: Box<[u16; 1 << LOOK]>,
    /// By the next [`LOOK`] bits, for codes whose number fits too: the number, the run before it, all bits taken.
    whole: Box<[(i16, u8, u8); 1 << LOOK]>,
    /// The first value above the codes of a length, left-aligned in 16 bits, and what to add for the index.
    limits: [(u32, i32); 17],
    values: Vec<u8>,
}

impl Table {
    /// `None` if the codes do not fit into their lengths.
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

    /// The next code's value.
    #[inline(always)]
    fn value(&self, bits: &mut Bits) -> Symbol {
        let entry = self.short[(bits.held >> (64 - LOOK)) as usize];
        let length = u32::from(entry & 0xFF);
        if length > 0 {
            bits.skip(length);
            return Symbol::Value((entry >> 8) as u8);
        }
        self.long_value(bits)
    }

    #[cold]
    fn long_value(&self, bits: &mut Bits) -> Symbol {
        let next = (bits.held >> 48) as u32;
        for length in LOOK + 1..=16 {
            let (limit, first) = self.limits[length as usize];
            if next < limit {
                bits.skip(length);
                let index = (next >> (16 - length)) as i32 + first;
                let value = usize::try_from(index).ok().and_then(|index| self.values.get(index));
                return value.map_or(Symbol::Invalid, |&value| Symbol::Value(value));
            }
        }
        Symbol::Invalid
    }

    /// The difference of a block's first coefficient from the one before; `None` for a code that is none.
    #[inline(always)]
    pub fn first(&self, bits: &mut Bits) -> Option<i32> {
        bits.fill();
        match self.value(bits) {
            Symbol::Value(0) => Some(0),
            Symbol::Value(size @ 1..=11) => Some(bits.signed(size.into())),
            _ => None,
        }
    }

    /// The other 63 coefficients: `put` is given each one's place in zigzag order and its number. `None` for a code that
    /// is none.
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
            let Symbol::Value(value) = self.value(bits) else { return None };
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
    fn stuffed_zeros_are_taken_out_and_a_marker_ends_the_data() {
        let mut bits = Bits::new(b"\xAB\xFF\0\xCD\xFF\xD9");
        bits.fill();
        assert_eq!(bits.held >> 40, 0xAB_FF_CD);
        bits.skip(24);
        assert!(!bits.overrun());
        bits.skip(1);
        assert!(bits.overrun());
    }

    #[test]
    fn a_word_without_0xff_is_taken_at_once_and_one_with_it_is_not() {
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
    fn a_restart_is_found_behind_the_last_bits() {
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
            let code = (0xFFFF_0000u32 << (16 - length + 1)) as u64;
            let _ = code;
            let mut bits = Bits::new(&[]);
            // `length - 1` ones and a zero.
            bits.held = if length == 1 { 0 } else { u64::MAX << (64 - (length - 1)) };
            bits.count = 64;
            assert_eq!(table.value(&mut bits), Symbol::Value(length as u8 - 1), "{length} bits");
            assert_eq!(bits.count, 64 - length);
        }
        let mut bits = Bits::new(&[]);
        (bits.held, bits.count) = (u64::MAX, 64);
        assert_eq!(table.value(&mut bits), Symbol::Invalid);
    }

    #[test]
    fn more_codes_than_fit_are_refused() {
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(Table::new(&HuffmanSpec { counts, values: vec![1, 2, 3] }).is_none());
    }

    #[test]
    fn numbers_are_signed_as_jpeg_writes_them() {
        for (bits, held, number) in [(1, 0b1, 1), (1, 0b0, -1), (3, 0b100, 4), (3, 0b011, -4), (3, 0b000, -7)] {
            let mut reader = Bits::new(&[]);
            (reader.held, reader.count) = (held << (64 - bits), 64);
            assert_eq!(reader.signed(bits), number);
        }
    }
}
