//! The symbols of a scan with their additional bits, collected before the code for them is known.

use super::huffman::Code;

/// The number of different symbols that [`Tokens`] can hold. The symbols of a second code in the same scan begin at
/// [`SECOND`].
const SYMBOLS: usize = 512;

/// Where the symbols of a scan's second code begin.
pub const SECOND: u32 = 256;

/// The symbol of bits that follow another symbol's without a code of their own.
const NONE: u32 = SYMBOLS as u32 - 1;

/// The symbols of one scan.
pub struct Tokens {
    /// Symbol, number of additional bits, and these: 9, 5 and 16 bits of each number.
    list: Vec<u32>,
    frequencies: [u32; SYMBOLS],
}

impl Tokens {
    /// Returns an empty list with room for `expected` symbols.
    pub fn new(expected: usize) -> Self {
        Self { list: Vec::with_capacity(expected), frequencies: [0; SYMBOLS] }
    }

    /// Adds a symbol with `count` additional bits, at most 16.
    #[inline(always)]
    pub fn put(&mut self, symbol: u32, count: u32, bits: u32) {
        self.frequencies[symbol as usize % SYMBOLS] += 1;
        self.list.push(symbol << 21 | count << 16 | bits);
    }

    /// Adds `count` bits without a symbol, at most 64.
    #[inline(always)]
    pub fn put_bits(&mut self, mut count: u32, bits: u64) {
        while count > 0 {
            let now = count.min(16);
            count -= now;
            self.list.push(NONE << 21 | now << 16 | (bits >> count) as u32 & ((1 << now) - 1));
        }
    }

    /// Adds the bits without symbols that were collected in another list, and empties that.
    pub fn append_bits(&mut self, bits: &mut Tokens) {
        self.list.append(&mut bits.list);
    }

    /// Returns the best code for the symbols from `first` on, below the next code's.
    pub fn code(&self, first: u32) -> Code {
        let first = first as usize % SYMBOLS;
        Code::new(self.frequencies.get(first..first + 255).unwrap_or_default())
    }

    /// Writes all with these codes, each for the symbols from a number on, and fills the last byte with ones.
    pub fn write(&self, codes: &[(u32, &Code)], out: &mut Vec<u8>) {
        // The bits of every symbol's code, and above them their number.
        let mut table = [0u32; SYMBOLS];
        for (first, code) in codes {
            code.assign(|symbol, bits, length| {
                table[(*first as usize + usize::from(symbol)) % SYMBOLS] = u32::from(length) << 16 | u32::from(bits);
            });
        }
        let (mut held, mut count) = (0u64, 0u32);
        out.reserve(self.list.len());
        for &token in &self.list {
            let code = table[(token >> 21) as usize % SYMBOLS];
            let (length, more) = (code >> 16, token >> 16 & 31);
            // Fewer than 32 bits are held, and at most 32 are added.
            held = held << length | u64::from(code & 0xFFFF);
            held = held << more | u64::from(token & 0xFFFF);
            count += length + more;
            if count >= 32 {
                count -= 32;
                put_word((held >> count) as u32, out);
            }
        }
        let ones = (8 - count % 8) % 8;
        held = held << ones | ((1 << ones) - 1);
        count += ones;
        while count > 0 {
            count -= 8;
            put_byte((held >> count) as u8, out);
        }
    }
}

#[inline(always)]
fn put_word(word: u32, out: &mut Vec<u8>) {
    // A byte of ones is the beginning of a marker, unless a zero follows.
    if word & 0x8080_8080 & !word.wrapping_add(0x0101_0101) == 0 {
        out.extend_from_slice(&word.to_be_bytes());
    } else {
        word.to_be_bytes().into_iter().for_each(|byte| put_byte(byte, out));
    }
}

fn put_byte(byte: u8, out: &mut Vec<u8>) {
    out.push(byte);
    if byte == 0xFF {
        out.push(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_written_from_the_highest_and_filled_up_with_ones() {
        let mut tokens = Tokens::new(0);
        tokens.put(5, 3, 0b101);
        tokens.put_bits(40, 0xFF_0123_4567);
        let mut out = Vec::new();
        tokens.write(&[(0, &tokens.code(0))], &mut out);
        // A code of one zero, the three bits, 40 bits, and four ones.
        assert_eq!(out, [0b0101_1111, 0b1111_0000, 0b0001_0010, 0b0011_0100, 0b0101_0110, 0b0111_1111]);
    }

    #[test]
    fn a_zero_follows_every_byte_of_ones() {
        for bits in [0xFFFF_FFFF_0000_0000u64, 0x00FF_00FF_FE01_FF7F, 0x0102_0304_FFFF_FFFF, 0x7F80_FEFD_01FF_00FF] {
            let mut tokens = Tokens::new(0);
            tokens.put_bits(64, bits);
            let mut out = Vec::new();
            tokens.write(&[], &mut out);
            let want: Vec<u8> = bits
                .to_be_bytes()
                .into_iter()
                .flat_map(|byte| std::iter::once(byte).chain((byte == 0xFF).then_some(0)))
                .collect();
            assert_eq!(out, want);
        }
    }

    #[test]
    fn two_codes_have_symbols_of_their_own() {
        let mut tokens = Tokens::new(0);
        tokens.put(1, 0, 0);
        tokens.put(SECOND + 2, 0, 0);
        assert_eq!((tokens.code(0).symbols, tokens.code(SECOND).symbols), (vec![1], vec![2]));
    }
}
