//! The scans of a progressive JPEG: ITU-T T.81, annex G.

use super::tokens::Tokens;
use super::transform::Block;

/// The longest run of blocks without a further coefficient that one symbol can express.
const LONGEST_RUN: u32 = 0x7FFF;

/// A scan that sends the coefficients of a band for the first time, without their `low` lowest bits.
pub struct First {
    /// What the scan consists of.
    pub tokens: Tokens,
    /// The band's first position in zigzag order.
    pub start: u8,
    /// The band's last position.
    pub end: u8,
    /// The number of bits that a later scan sends.
    pub low: u8,
    mask: u64,
    ended: u32,
}

impl First {
    /// Returns an empty scan for a picture of `blocks` blocks.
    pub fn new(start: u8, end: u8, low: u8, blocks: usize) -> Self {
        let mask = (u64::MAX >> (63 - end)) & (u64::MAX << start);
        Self { tokens: Tokens::new(blocks), start, end, low, mask, ended: 0 }
    }

    /// Adds a block. `low` is at most one.
    #[inline]
    pub fn add(&mut self, block: &Block) {
        let mut left = self.mask & if self.low == 0 { block.nonzero } else { block.above_one };
        if left == 0 {
            self.end_block();
            return;
        }
        self.finish();
        let mut added = self.tokens.block();
        let mut next = u32::from(self.start);
        while left != 0 {
            let position = left.trailing_zeros();
            left &= left - 1;
            let mut run = position - next;
            next = position + 1;
            while run > 15 {
                added.put(0xF0, 0, 0);
                run -= 16;
            }
            let number = block.at(position);
            let magnitude = number.unsigned_abs() >> self.low;
            let size = 32 - magnitude.leading_zeros();
            // The bits of a negative number are inverted.
            let bits = (magnitude ^ (number >> 31) as u32) & ((1 << size) - 1);
            added.put(run << 4 | size, size, bits);
        }
        added.end();
        if next <= u32::from(self.end) {
            self.end_block();
        }
    }

    fn end_block(&mut self) {
        self.ended += 1;
        if self.ended == LONGEST_RUN {
            self.finish();
        }
    }

    /// Adds the run of blocks that have ended. To be called after the last block.
    pub fn finish(&mut self) {
        put_run(&mut self.ended, &mut self.tokens);
    }
}

/// A scan that sends the lowest bit of all coefficients but the first one of each block.
pub struct Refinement {
    /// What the scan consists of.
    pub tokens: Tokens,
    ended: u32,
    /// The bits of coefficients in the blocks that have ended.
    bits: Tokens,
}

impl Refinement {
    /// Returns an empty scan for a picture of `blocks` blocks.
    pub fn new(blocks: usize) -> Self {
        Self { tokens: Tokens::new(2 * blocks), ended: 0, bits: Tokens::new(0) }
    }

    /// Adds a block.
    #[inline]
    pub fn add(&mut self, block: &Block) {
        const ALL: u64 = !1;
        let known = block.above_one & ALL;
        let new = block.nonzero & ALL & !known;
        // The lowest bits of known coefficients since the last symbol.
        let (mut bits, mut count) = (0u64, 0);
        let mut left = known;
        if new != 0 {
            self.finish();
            let mut added = self.tokens.block();
            let last = 63 - new.leading_zeros();
            let (mut next, mut run) = (1, 0);
            left |= new;
            while left != 0 && next <= last {
                let position = left.trailing_zeros();
                left &= left - 1;
                run += position - next;
                next = position + 1;
                while run > 15 {
                    added.put(0xF0, 0, 0);
                    run -= 16;
                    added.put_bits(count, bits);
                    (bits, count) = (0, 0);
                }
                let number = block.at(position);
                if new >> position & 1 == 1 {
                    added.put(run << 4 | 1, 1, u32::from(number > 0));
                    run = 0;
                    added.put_bits(count, bits);
                    (bits, count) = (0, 0);
                } else {
                    bits = bits << 1 | u64::from(number.unsigned_abs() & 1);
                    count += 1;
                }
            }
            added.end();
            if last == 63 {
                return;
            }
        }
        while left != 0 {
            let position = left.trailing_zeros();
            left &= left - 1;
            bits = bits << 1 | u64::from(block.at(position).unsigned_abs() & 1);
            count += 1;
        }
        self.bits.put_bits(count, bits);
        self.ended += 1;
        if self.ended == LONGEST_RUN {
            self.finish();
        }
    }

    /// Adds the run of blocks that have ended. To be called after the last block.
    pub fn finish(&mut self) {
        if self.ended > 0 {
            put_run(&mut self.ended, &mut self.tokens);
            self.tokens.append_bits(&mut self.bits);
        }
    }
}

/// Adds a run of blocks that end.
fn put_run(ended: &mut u32, tokens: &mut Tokens) {
    if *ended > 0 {
        let size = 31 - ended.leading_zeros();
        tokens.put(size << 4, size, *ended & ((1 << size) - 1));
        *ended = 0;
    }
}

/// Adds the difference of a block's first coefficient to that of the block before, for the code that begins at `code`.
pub fn put_difference(difference: i32, code: u32, tokens: &mut Tokens) {
    let magnitude = difference.unsigned_abs();
    let size = 32 - magnitude.leading_zeros();
    tokens.put(code + size, size, (magnitude ^ (difference >> 31) as u32) & ((1 << size) - 1));
}
