//! Huffman codes, and the numbers that follow them.

use super::bits::Bits;
use super::header::HuffmanSpec;

/// The most bits that are looked up at once.
const LOOK: u32 = 11;

/// What an entry adds to the position at the end of a block.
const END: usize = 128;

/// A table ready for decoding.
pub struct Table {
    /// By the next [`LOOK`] bits.
    entries: Box<[Entry; 1 << LOOK]>,
    /// By length: the first bits above its codes, left-aligned in 16 bits, and what to add to a code for its index.
    limits: [(u32, i32); 17],
    values: Vec<u8>,
}

impl Table {
    /// Returns a table. `None` if there are more codes than their lengths allow.
    pub fn new(spec: &HuffmanSpec) -> Option<Self> {
        let mut singles = Box::new([Single::UNKNOWN; 1 << LOOK]);
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
                    let from = code << (LOOK - length);
                    for bits in from..from + (1 << (LOOK - length)) {
                        *singles.get_mut(bits as usize)? = Single::new(bits, length, value);
                    }
                }
                code += 1;
                index += 1;
            }
            *limits.get_mut(length as usize)? = (code << (16 - length), first);
            code <<= 1;
        }
        let mut entries = Box::new([Entry(0); 1 << LOOK]);
        for (bits, entry) in entries.iter_mut().enumerate() {
            *entry = Entry::new(&singles, bits);
        }
        Some(Self { entries, limits, values: spec.values.clone() })
    }

    /// Returns the next bits' entry. There must be [`LOOK`] of them.
    #[inline(always)]
    fn entry(&self, bits: &Bits) -> Entry {
        self.entries[bits.peek(LOOK) as usize & ((1 << LOOK) - 1)]
    }

    /// Reads the next code. `None` if the bits form no valid one.
    #[inline]
    pub fn code(&self, bits: &mut Bits) -> Option<u8> {
        bits.fill();
        let entry = self.entry(bits);
        if let Some((length, value)) = entry.code() {
            bits.skip(length);
            return Some(value);
        }
        let next = bits.peek(16);
        for length in 1..=16 {
            let (limit, first) = self.limits[length as usize];
            if next < limit {
                bits.skip(length);
                let index = (next >> (16 - length)) as i32 + first;
                return self.values.get(usize::try_from(index).ok()?).copied();
            }
        }
        None
    }

    /// Reads the difference of a block's first coefficient from the previous block's. `None` if the bits form no valid code.
    #[inline(always)]
    pub fn first(&self, bits: &mut Bits) -> Option<i32> {
        bits.fill();
        let entry = self.entry(bits);
        // A first coefficient's entry advances by one, or ends a block, which means a difference of zero. A longer run is
        // invalid here.
        if matches!(entry.first_advance(), 1 | END) {
            bits.skip(entry.first_bits());
            return Some(entry.first_number());
        }
        let read;
        (*bits, read) = self.first_slowly(*bits);
        read
    }

    /// Reads such a difference, of any length. Returns the bits after it.
    #[inline(never)]
    fn first_slowly<'a>(&self, mut bits: Bits<'a>) -> (Bits<'a>, Option<i32>) {
        let read = match self.code(&mut bits) {
            Some(0) => Some(0),
            Some(size @ 1..=11) => {
                bits.fill();
                Some(bits.signed(size.into()))
            }
            _ => None,
        };
        (bits, read)
    }

    /// Reads the coefficients of a block after the position `from`, up to `to`, and calls `put` with the position in zigzag
    /// order and the number of each. Some of the numbers are zero, and some come twice. Returns the number of further blocks
    /// that are empty, which is zero in a sequential picture. `None` if the bits form no valid code, or a run leads beyond
    /// `to`.
    #[inline(always)]
    pub fn others(&self, bits: &mut Bits, from: usize, to: usize, mut put: impl FnMut(usize, i32)) -> Option<u32> {
        let mut k = from;
        let mut ahead = *bits;
        let read = 'fillings: loop {
            // One filling has enough bits for five look-ups. Five at a time, because the sandbox checks the deadline in
            // every turn of a loop.
            ahead.fill();
            macro_rules! step {
                ($out:lifetime) => {
                    let entry = self.entry(&ahead);
                    let first = k + entry.first_advance();
                    let second = first + entry.second_advance();
                    if second >= to {
                        break $out;
                    }
                    ahead.skip(entry.bits());
                    put(first, entry.first_number());
                    put(second, entry.second_number());
                    k = second;
                };
            }
            'within: {
                step!('within);
                step!('within);
                step!('within);
                step!('within);
                step!('within);
                continue 'fillings;
            }
            // The block ends, or a code is long.
            let entry = self.entry(&ahead);
            let first = k + entry.first_advance();
            if first < to {
                put(first, entry.first_number());
                ahead.skip(entry.bits());
                let second = first + entry.second_advance();
                if second == to {
                    put(second, entry.second_number());
                } else if second < first + END {
                    break None;
                }
                break Some(0);
            }
            if entry.first_bits() > 0 {
                ahead.skip(entry.first_bits());
                if first == to {
                    put(first, entry.first_number());
                } else if first < k + END {
                    break None;
                }
                break Some(0);
            }
            let (advance, number) = match entry.code() {
                Some((length, value)) if value & 15 != 0 => {
                    ahead.fill();
                    ahead.skip(length);
                    (1 + usize::from(value >> 4), ahead.signed(u32::from(value & 15)))
                }
                _ => {
                    let step;
                    (ahead, step) = self.slowly(ahead);
                    match step {
                        Some(Step::Number(advance, number)) => (advance, number),
                        Some(Step::Empty(blocks)) => break Some(blocks),
                        None => break None,
                    }
                }
            };
            k += advance;
            if k > to {
                break None;
            }
            put(k, number);
            if k == to {
                break Some(0);
            }
        };
        *bits = ahead;
        read
    }

    /// Reads one code and its number. `None` if the bits form no valid code.
    #[inline(always)]
    pub fn step(&self, bits: &mut Bits) -> Option<Step> {
        bits.fill();
        let entry = self.entry(bits);
        if entry.first_bits() == 0 {
            let step;
            (*bits, step) = self.slowly(*bits);
            return step;
        }
        bits.skip(entry.first_bits());
        match entry.first_advance() {
            END => Some(Step::Empty(0)),
            advance => Some(Step::Number(advance, entry.first_number())),
        }
    }

    /// Reads a code and its number, of any lengths. Returns the bits after them.
    #[inline(never)]
    fn slowly<'a>(&self, mut bits: Bits<'a>) -> (Bits<'a>, Option<Step>) {
        let step = self.code(&mut bits).map(|value| {
            let (run, size) = (u32::from(value >> 4), u32::from(value & 15));
            bits.fill();
            match (run, size) {
                (15, 0) => Step::Number(16, 0),
                // Only a progressive picture has the end of several blocks (T.81, G.1.2.2).
                (_, 0) => Step::Empty((1 << run) - 1 + bits.take(run)),
                _ => Step::Number(1 + run as usize, bits.signed(size)),
            }
        });
        (bits, step)
    }
}

/// What a code says.
pub enum Step {
    /// The number of positions to advance, and the coefficient there.
    Number(usize, i32),
    /// This block ends, and so many others that follow it.
    Empty(u32),
}

/// A code and the number that follows it, both within [`LOOK`] bits.
#[derive(Clone, Copy)]
struct Single {
    /// The number of bits of both; 0 if they are more, or no code.
    bits: u32,
    /// The number of positions to advance, or [`END`]. Where the number does not fit, the length of the code, or 0.
    advance: usize,
    /// Where it does not fit, the value of the code.
    number: i16,
}

impl Single {
    const UNKNOWN: Self = Self { bits: 0, advance: 0, number: 0 };

    /// Returns what `bits` begin with: the code of `value`, `length` bits long, and a number.
    fn new(bits: u32, length: u32, value: u8) -> Self {
        let (run, size) = (usize::from(value >> 4), u32::from(value & 15));
        match (run, size) {
            // The end of one block. For a first coefficient: no difference.
            (0, 0) => Self { bits: length, advance: END, number: 0 },
            (15, 0) => Self { bits: length, advance: 16, number: 0 },
            _ if size == 0 || length + size > LOOK => Self { bits: 0, advance: length as usize, number: value.into() },
            _ => {
                let number = (bits >> (LOOK - length - size)) as i32 & ((1 << size) - 1);
                let number = if number < 1 << (size - 1) { number - (1 << size) + 1 } else { number };
                Self { bits: length + size, advance: run + 1, number: number as i16 }
            }
        }
    }
}

/// What the next [`LOOK`] bits begin with: one code with its number, or two where both fit. From the lowest bits: the number
/// of bits of both and that of the first, the positions to advance for each, eight bits each; then both numbers. In an entry
/// with one code, the second number is the first once more, at the same position. In one without a number, the first advance
/// leads beyond every block, and the numbers of bits are zero; in place of the second advance and the first number, it has the
/// code's length, or zero, and its value.
#[derive(Clone, Copy)]
struct Entry(u64);

impl Entry {
    fn new(singles: &[Single; 1 << LOOK], bits: usize) -> Self {
        let at = |bits: usize| singles[bits & ((1 << LOOK) - 1)];
        let first = at(bits);
        if first.bits == 0 {
            return Self(0xFF << 16 | (first.advance as u64) << 24 | u64::from(first.number as u16) << 32);
        }
        let next = at(bits << first.bits);
        let known = first.advance != END && next.bits != 0 && first.bits + next.bits <= LOOK;
        let second = if known { next } else { Single { bits: 0, advance: 0, number: first.number } };
        Self(
            u64::from(first.bits + second.bits)
                | u64::from(first.bits) << 8
                | (first.advance as u64) << 16
                | (second.advance as u64) << 24
                | u64::from(first.number as u16) << 32
                | u64::from(second.number as u16) << 48,
        )
    }

    /// Returns the length and the value of a code whose number does not fit.
    #[inline(always)]
    fn code(self) -> Option<(u32, u8)> {
        let length = self.second_advance() as u32;
        (self.first_bits() == 0 && length > 0).then_some((length, (self.0 >> 32) as u8))
    }

    #[inline(always)]
    fn bits(self) -> u32 {
        self.0 as u32 & 0xFF
    }

    #[inline(always)]
    fn first_bits(self) -> u32 {
        self.0 as u32 >> 8 & 0xFF
    }

    #[inline(always)]
    fn first_advance(self) -> usize {
        (self.0 as u32 >> 16 & 0xFF) as usize
    }

    #[inline(always)]
    fn second_advance(self) -> usize {
        (self.0 as u32 >> 24) as usize
    }

    #[inline(always)]
    fn first_number(self) -> i32 {
        i32::from((self.0 >> 32) as i16)
    }

    #[inline(always)]
    fn second_number(self) -> i32 {
        i32::from((self.0 >> 48) as i16)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// One code each of 1 to 16 bits: 0, 10, 110, ...
    fn staircase(values: Vec<u8>) -> Table {
        Table::new(&HuffmanSpec { counts: [1; 16], values }).unwrap()
    }

    #[test]
    fn short_and_long_codes_are_told_apart() {
        let table = staircase((0..16).collect());
        for length in 1..=16u32 {
            // `length - 1` ones and a zero.
            let data = (u32::MAX << (33 - length).min(31) & if length == 1 { 0 } else { u32::MAX }).to_be_bytes();
            let stuffed: Vec<u8> =
                data.iter().flat_map(|&byte| if byte == 0xFF { vec![0xFF, 0] } else { vec![byte] }).collect();
            let mut bits = Bits::new(&stuffed);
            assert_eq!(table.code(&mut bits), Some(length as u8 - 1), "{length} bits");
        }
        assert_eq!(table.code(&mut Bits::new(b"\xFF\0\xFF\0")), None);
    }

    #[test]
    fn too_many_codes_are_refused() {
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(Table::new(&HuffmanSpec { counts, values: vec![1, 2, 3] }).is_none());
    }

    #[test]
    fn coefficients_are_read_with_their_positions() {
        // 0: the end; 10: one bit; 110: a run of two and three bits; 1110: sixteen zeros.
        let mut values = vec![0x00, 0x01, 0x23, 0xF0];
        values.extend([0x11; 12]);
        let table = staircase(values);
        // 10 1, 110 101, 1110, 10 0, 0
        let data = [0b1011_1010, 0b1111_0100, 0b0000_0000];
        let mut read = Vec::new();
        let mut bits = Bits::new(&data);
        assert_eq!(table.others(&mut bits, 0, 63, |k, number| read.push((k, number))), Some(0));
        assert_eq!(read, [(1, 1), (4, 5), (20, 0), (21, -1)]);
        let beyond = table.others(&mut Bits::new(&data), 0, 15, |_, _| {});
        assert_eq!(beyond, None, "sixteen zeros lead beyond the last position");
    }
}
