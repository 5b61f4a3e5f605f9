//! Huffman codes, and the numbers that follow them.

use super::bits::Bits;
use super::header::HuffmanSpec;

/// The longest code with its number, in bits, that is found with one look-up.
const LOOK: u32 = 11;

/// What an entry adds to the position at the end of a block.
const END: usize = 128;

/// A table ready for decoding.
///
/// Each entry is found by the next [`LOOK`] bits. Where code and number fit into them, it has the sum of their bits in its
/// low byte, the number of positions to advance above it, and the number in its upper half. Otherwise the low byte is zero,
/// with the code's length (0 if it is longer) above it, and its value above that.
pub struct Table {
    entries: Box<[u32; 1 << LOOK]>,
    /// By length: the first bits above its codes, left-aligned in 16 bits, and what to add to a code for its index.
    limits: [(u32, i32); 17],
    values: Vec<u8>,
}

impl Table {
    /// Returns a table. `None` if there are more codes than their lengths allow.
    pub fn new(spec: &HuffmanSpec) -> Option<Self> {
        let mut entries = Box::new([0u32; 1 << LOOK]);
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
                        *entries.get_mut(bits as usize)? = entry(bits, length, value);
                    }
                }
                code += 1;
                index += 1;
            }
            *limits.get_mut(length as usize)? = (code << (16 - length), first);
            code <<= 1;
        }
        Some(Self { entries, limits, values: spec.values.clone() })
    }

    /// Returns the next bits' entry. There must be as many bits as it says.
    #[inline(always)]
    fn entry(&self, bits: &Bits) -> u32 {
        self.entries[bits.peek(LOOK) as usize & ((1 << LOOK) - 1)]
    }

    /// Reads the next code. `None` if the bits form no valid one.
    #[inline]
    pub fn code(&self, bits: &mut Bits) -> Option<u8> {
        bits.fill();
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
        if entry & 0xFF != 0 && entry & 0x7F00 <= 0x100 {
            bits.skip(entry & 0xFF);
            return Some(entry as i32 >> 16);
        }
        self.first_slowly(bits)
    }

    #[inline(never)]
    fn first_slowly(&self, bits: &mut Bits) -> Option<i32> {
        match self.code(bits)? {
            0 => Some(0),
            size @ 1..=11 => {
                bits.fill();
                Some(bits.signed(size.into()))
            }
            _ => None,
        }
    }

    /// Reads the coefficients of a block after the position `from`, up to `to`, and calls `put` with the position in zigzag
    /// order and the number of each. Some of the numbers are zero. Returns the number of further blocks that are empty, which
    /// is zero in a sequential picture. `None` if the bits form no valid code, or a run leads beyond `to`.
    #[inline(always)]
    pub fn others(&self, bits: &mut Bits, from: usize, to: usize, mut put: impl FnMut(usize, i32)) -> Option<u32> {
        let mut k = from;
        let mut ahead = *bits;
        macro_rules! step {
            ($read:lifetime) => {
                let entry = self.entry(&ahead);
                if entry & 0xFF == 0 {
                    let step;
                    (ahead, step) = self.slowly(ahead);
                    match step {
                        Some(Step::Number(advance, number)) => {
                            k += advance;
                            if k > to {
                                break $read None;
                            }
                            put(k, number);
                            if k == to {
                                break $read Some(0);
                            }
                            continue;
                        }
                        Some(Step::Empty(blocks)) => break $read Some(blocks),
                        None => break $read None,
                    }
                }
                ahead.skip(entry & 0xFF);
                k += (entry >> 8 & 0xFF) as usize;
                if k >= to {
                    if k == to {
                        put(k, entry as i32 >> 16);
                        break $read Some(0);
                    }
                    break $read (k >= END).then_some(0);
                }
                put(k, entry as i32 >> 16);
            };
        }
        let read = 'read: loop {
            // One filling has enough bits for four steps of at most eleven. Four at a time, because the sandbox checks the
            // deadline in every turn of a loop.
            ahead.fill();
            step!('read);
            step!('read);
            step!('read);
            step!('read);
        };
        *bits = ahead;
        read
    }

    /// Reads one code and its number. `None` if the bits form no valid code.
    #[inline(always)]
    pub fn step(&self, bits: &mut Bits) -> Option<Step> {
        bits.fill();
        let entry = self.entry(bits);
        if entry & 0xFF == 0 {
            let step;
            (*bits, step) = self.slowly(*bits);
            return step;
        }
        bits.skip(entry & 0xFF);
        match (entry >> 8 & 0xFF) as usize {
            END => Some(Step::Empty(0)),
            advance => Some(Step::Number(advance, entry as i32 >> 16)),
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

/// Returns the entry for `bits`, which begin with the code of `value`, `length` bits long.
fn entry(bits: u32, length: u32, value: u8) -> u32 {
    let (run, size) = (u32::from(value >> 4), u32::from(value & 15));
    match (run, size) {
        // The end of one block. For a first coefficient: no difference.
        (0, 0) => (END as u32) << 8 | length,
        (15, 0) => 16 << 8 | length,
        _ if size == 0 || length + size > LOOK => length << 8 | u32::from(value) << 16,
        _ => {
            let number = (bits >> (LOOK - length - size)) as i32 & ((1 << size) - 1);
            let number = if number < 1 << (size - 1) { number - (1 << size) + 1 } else { number };
            (number as u32) << 16 | (run + 1) << 8 | (length + size)
        }
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
