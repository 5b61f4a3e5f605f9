//! The symbols of a scan with their additional bits, collected before the code for them is known.

use super::huffman::Code;

/// The number of different symbols that [`Tokens`] can hold. The symbols of a second code in the same scan begin at
/// [`SECOND`].
const SYMBOLS: usize = 512;

/// Where the symbols of a scan's second code begin.
pub const SECOND: u32 = 256;

/// The symbol of bits that follow another symbol's without a code of their own.
const NONE: u32 = SYMBOLS as u32 - 1;

/// The symbols of one scan. They are in pieces, because a list that grows in one piece has room for twice its symbols and is
/// copied.
pub struct Tokens {
    /// The pieces that are full, with their symbols.
    full: Vec<Vec<u32>>,
    /// Symbol, number of additional bits, and these: 9, 5 and 16 bits of each number. What is behind `used` means nothing.
    list: Vec<u32>,
    used: usize,
    frequencies: [u32; SYMBOLS],
}

/// The most symbols of a block, with bits that have none: all but the first coefficient have a symbol at most, and before
/// each of these and at the end there may be bits.
pub const BLOCK: usize = 192;

/// The room of a piece, in symbols. The first ones have less.
const PIECE: usize = 1 << 15;

/// Returns the most bytes that a list of at most `symbols` takes. A piece is full if it has no room for another block.
pub const fn memory(symbols: u64) -> u64 {
    let pieces = symbols / (PIECE - BLOCK) as u64 + 10;
    let all = (symbols + pieces * BLOCK as u64) * size_of::<u32>() as u64;
    all + PIECE as u64 * size_of::<u32>() as u64
}

/// A number of symbols that is copied at once.
const FEW: usize = 8;

/// The symbols of a block, added to those of a scan. They are counted in a register, which a list in memory is not.
pub struct Added<'a> {
    room: &'a mut [u32; BLOCK],
    used: usize,
    all: &'a mut usize,
    frequencies: &'a mut [u32; SYMBOLS],
}

impl Added<'_> {
    /// Adds a symbol of the first code with `count` additional bits, at most 16.
    #[inline(always)]
    pub fn put(&mut self, symbol: u32, count: u32, bits: u32) {
        self.frequencies[symbol as usize % SYMBOLS] += 1;
        self.push(symbol << 21 | count << 16 | bits);
    }

    /// Adds `count` bits without a symbol, at most 64.
    #[inline(always)]
    pub fn put_bits(&mut self, mut count: u32, bits: u64) {
        while count > 0 {
            let now = count.min(16);
            count -= now;
            self.push(NONE << 21 | now << 16 | (bits >> count) as u32 & ((1 << now) - 1));
        }
    }

    #[inline(always)]
    fn push(&mut self, token: u32) {
        self.room[self.used] = token;
        self.used += 1;
    }

    /// Ends the block.
    #[inline(always)]
    pub fn end(self) {
        *self.all += self.used;
    }
}

impl Tokens {
    /// Returns an empty list with room for `expected` symbols.
    pub fn new(expected: usize) -> Self {
        let list = vec![0; expected.min(PIECE - BLOCK) + BLOCK];
        Self { full: Vec::new(), list, used: 0, frequencies: [0; SYMBOLS] }
    }

    /// Begins a block.
    #[inline(always)]
    pub fn block(&mut self) -> Added<'_> {
        if self.list.len() < self.used + BLOCK {
            self.begin_piece(BLOCK);
        }
        let (rooms, _) = self.list[self.used..].as_chunks_mut::<BLOCK>();
        Added { room: &mut rooms[0], used: 0, all: &mut self.used, frequencies: &mut self.frequencies }
    }

    /// Begins a piece, which has room for at least this many symbols.
    #[cold]
    fn begin_piece(&mut self, room: usize) {
        let room = room.max(PIECE.min(2 * self.list.len()));
        let mut full = std::mem::replace(&mut self.list, vec![0; room]);
        full.truncate(self.used);
        self.full.push(full);
        self.used = 0;
    }

    /// Adds a symbol with `count` additional bits, at most 16.
    #[inline(always)]
    pub fn put(&mut self, symbol: u32, count: u32, bits: u32) {
        let mut added = self.block();
        added.put(symbol, count, bits);
        added.end();
    }

    /// Adds `count` bits without a symbol, at most 64.
    #[inline(always)]
    pub fn put_bits(&mut self, count: u32, bits: u64) {
        let mut added = self.block();
        added.put_bits(count, bits);
        added.end();
    }

    /// Adds the bits without symbols that were collected in another list, and empties that.
    pub fn append_bits(&mut self, bits: &mut Tokens) {
        if !bits.full.is_empty() {
            self.begin_piece(BLOCK);
            self.full.append(&mut bits.full);
        }
        if self.list.len() < self.used + bits.used + FEW {
            self.begin_piece(bits.used + FEW);
        }
        if bits.used <= FEW {
            // Nearly always. The sandbox calls the host for a copy of any other length; what is behind the end does no harm.
            let (from, to) = (bits.list.as_chunks::<FEW>(), self.list[self.used..].as_chunks_mut::<FEW>());
            to.0[0] = from.0[0];
        } else {
            self.list[self.used..self.used + bits.used].copy_from_slice(&bits.list[..bits.used]);
        }
        self.used += bits.used;
        bits.used = 0;
    }

    /// Returns the best code for the symbols from `first` on, below the next code's.
    pub fn code(&self, first: u32) -> Code {
        let first = first as usize % SYMBOLS;
        Code::new(self.frequencies.get(first..first + 255).unwrap_or_default())
    }

    /// Writes all with these codes, each for the symbols from a number on, and fills the last byte with ones. What is written
    /// is freed.
    pub fn write(self, codes: &[(u32, &Code)], out: &mut Vec<u8>) {
        // The bits of every symbol's code, and above them their number.
        let mut table = [0u32; SYMBOLS];
        for (first, code) in codes {
            code.assign(|symbol, bits, length| {
                table[(*first as usize + usize::from(symbol)) % SYMBOLS] = u32::from(length) << 16 | u32::from(bits);
            });
        }
        let (mut held, mut count) = (0u64, 0u32);
        let Self { full, mut list, used, .. } = self;
        list.truncate(used);
        // At most four bytes for each of them, and a zero after each byte.
        let mut bytes = [0; 8 * WRITTEN + 8];
        for piece in full.into_iter().chain([list]) {
            for tokens in piece.chunks(WRITTEN) {
                let mut at = 0;
                for &token in tokens {
                    let code = table[(token >> 21) as usize % SYMBOLS];
                    let (length, more) = (code >> 16, token >> 16 & 31);
                    // Fewer than 32 bits are held, and at most 32 are added.
                    held = held << length | u64::from(code & 0xFFFF);
                    held = held << more | u64::from(token & 0xFFFF);
                    count += length + more;
                    if count >= 32 {
                        count -= 32;
                        at = put_word((held >> count) as u32, &mut bytes, at);
                    }
                }
                out.extend_from_slice(&bytes[..at]);
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

/// The number of symbols that are written at once.
const WRITTEN: usize = 128;

/// Writes four bytes to `bytes` from `at`, and returns where they end.
#[inline(always)]
fn put_word(word: u32, bytes: &mut [u8; 8 * WRITTEN + 8], at: usize) -> usize {
    // A byte of ones is the beginning of a marker, unless a zero follows.
    if word & 0x8080_8080 & !word.wrapping_add(0x0101_0101) == 0 {
        bytes[at..at + 4].copy_from_slice(&word.to_be_bytes());
        return at + 4;
    }
    let mut at = at;
    for byte in word.to_be_bytes() {
        bytes[at] = byte;
        at += 1;
        if byte == 0xFF {
            bytes[at] = 0;
            at += 1;
        }
    }
    at
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
        let code = tokens.code(0);
        tokens.write(&[(0, &code)], &mut out);
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
    fn pieces_are_written_one_after_the_other() {
        let (mut tokens, mut bits) = (Tokens::new(0), Tokens::new(0));
        tokens.put_bits(8, 1);
        // Three pieces, and a few symbols in a fourth.
        let many = 2 * PIECE + 7;
        (0..many).for_each(|at| bits.put_bits(8, at as u64 & 127));
        tokens.append_bits(&mut bits);
        tokens.put_bits(8, 2);
        let mut out = Vec::new();
        tokens.write(&[], &mut out);
        let want: Vec<u8> = [1].into_iter().chain((0..many).map(|at| (at & 127) as u8)).chain([2]).collect();
        assert!(out == want, "{} of {} bytes", out.len(), want.len());
        assert_eq!((bits.used, bits.full.len()), (0, 0));
    }

    #[test]
    fn two_codes_have_symbols_of_their_own() {
        let mut tokens = Tokens::new(0);
        tokens.put(1, 0, 0);
        tokens.put(SECOND + 2, 0, 0);
        assert_eq!((tokens.code(0).symbols, tokens.code(SECOND).symbols), (vec![1], vec![2]));
    }
}
