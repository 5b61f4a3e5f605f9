//! The coefficients of a channel of a progressive picture.

use super::bits::Bits;
use super::error::damaged;
use super::huffman::{Step, Table};
use super::shape::{Channel, USED, most_of_first};
use super::transform::{eight, flat, four, middle, room, two};
use crate::error::PictureError;

/// What a scan has of each block. Numbers of bits are those that later scans still add.
pub enum Part {
    /// The first coefficient, by one table for each channel.
    First(Vec<Table>, u32),
    /// One more bit of the first coefficient.
    FirstRefined(u32),
    /// The other coefficients from one to another.
    Others(Table, usize, usize, u32),
    /// One more bit of them.
    OthersRefined(Table, usize, usize, u32),
}

/// The coefficients of a channel.
pub struct Coefficients {
    size: usize,
    /// The number of places in a block.
    room: usize,
    slots: [u8; 64],
    /// The positions in zigzag order that are kept.
    kept: u64,
    /// Blocks that hold the picture, and those with fillings.
    blocks: (usize, usize),
    stored: (usize, usize),
    /// The blocks, one after the other.
    numbers: Vec<i16>,
    /// For each block, which coefficients are not zero so far, by their positions in zigzag order.
    known: Vec<u64>,
    /// For each position, the number of bits that are still missing, if any were there.
    missing: [Option<u8>; 64],
    /// Steps of quantisation by place, as soon as they are fixed.
    pub steps: Option<[i16; 64]>,
    predicted: i32,
    /// The number of further blocks that the scan leaves empty.
    empty: u32,
}

impl Coefficients {
    /// Returns a channel without any coefficients.
    pub fn new(channel: &Channel, stored: (usize, usize)) -> Self {
        let slots = channel.slots();
        let kept = slots.iter().rev().fold(0, |kept, slot| kept << 1 | u64::from(*slot >= USED));
        let count = stored.0 * stored.1;
        Self {
            size: channel.size,
            room: room(channel.size),
            slots,
            kept,
            blocks: channel.blocks,
            stored,
            numbers: vec![0; count * room(channel.size)],
            known: vec![0; count],
            missing: [None; 64],
            steps: None,
            predicted: 0,
            empty: 0,
        }
    }

    /// Notes that a scan has the coefficients from `from` to `to`, which had `high` bits left to come (0 for none so far),
    /// and now have `low`. `None` if that does not follow from the scans before.
    pub fn note(&mut self, from: u8, to: u8, high: u8, low: u8) -> Option<()> {
        let before = if high == 0 { None } else { Some(high) };
        // Other coefficients come after the first one (T.81, G.1.1.1.1).
        if from > 0 && self.missing[0].is_none() {
            return None;
        }
        for missing in self.missing.get_mut(usize::from(from)..=usize::from(to))? {
            if *missing != before {
                return None;
            }
            *missing = Some(low);
        }
        self.restart();
        Some(())
    }

    /// Returns whether no bit of any coefficient is missing.
    pub fn is_exact(&self) -> bool {
        self.missing.iter().all(|missing| *missing == Some(0))
    }

    /// Returns whether all coefficients are there, those besides the first with the same number of bits.
    pub fn is_whole(&self) -> bool {
        self.missing[0].is_some()
            && self.missing[1].is_some()
            && self.missing[2..].iter().all(|m| *m == self.missing[1])
    }

    /// Begins anew at a restart marker. Returns `false` if a run of empty blocks would reach beyond it.
    pub fn restart(&mut self) -> bool {
        self.predicted = 0;
        std::mem::take(&mut self.empty) == 0
    }

    /// Passes over blocks that the scan leaves empty, at most `most`, and returns their number.
    pub fn skip(&mut self, part: &Part, most: usize) -> usize {
        // Other scans may have bits for blocks that are not empty.
        if !matches!(part, Part::Others(..)) {
            return 0;
        }
        let skipped = (self.empty as usize).min(most);
        self.empty -= skipped as u32;
        skipped
    }

    /// Reads a block's part. `index` is the channel's place in the scan. `None` if the bits form no valid code.
    #[inline(always)]
    pub fn block(&mut self, part: &Part, index: usize, bits: &mut Bits, x: usize, y: usize) -> Option<()> {
        let at = y * self.stored.0 + x;
        let numbers = self.numbers.get_mut(at * self.room..(at + 1) * self.room)?;
        match part {
            Part::First(tables, low) => {
                self.predicted = self.predicted.wrapping_add(tables.get(index)?.first(bits)?);
                let first = self.predicted << low;
                if first.unsigned_abs() > self.steps.as_ref().map_or(0, most_of_first).saturating_add(1 << low) {
                    return None;
                }
                numbers[0] = first as i16;
            }
            Part::FirstRefined(low) => numbers[0] |= (bits.take(1) << low) as i16,
            Part::Others(table, from, to, low) => {
                if self.empty > 0 {
                    self.empty -= 1;
                    return Some(());
                }
                let known = self.known.get_mut(at)?;
                let slots = &self.slots;
                self.empty = table.others(bits, from - 1, *to, |k, number| {
                    *known |= u64::from(number != 0) << (k & 63);
                    let place = usize::from(slots[k & 63]).wrapping_sub(USED.into());
                    if let Some(place) = numbers.get_mut(place) {
                        *place = (number << low) as i16;
                    }
                })?;
            }
            Part::OthersRefined(table, from, to, low) => {
                let known = self.known.get_mut(at)?;
                let mut block = Refined { bits: *bits, numbers, slots: &self.slots, kept: self.kept, one: 1 << low };
                if self.empty > 0 {
                    self.empty -= 1;
                    block.refine(*known & between(*from, to + 1));
                } else {
                    let read = block.read(table, known, *from, *to);
                    *bits = block.bits;
                    self.empty = read?;
                    return Some(());
                }
                *bits = block.bits;
            }
        }
        Some(())
    }

    /// Returns the samples of the blocks that hold the picture.
    ///
    /// # Errors
    /// If there is no quantisation table.
    pub fn into_samples(self) -> Result<Vec<u8>, PictureError> {
        let steps = self.steps.ok_or_else(|| damaged("a colour channel has no data"))?;
        let n = self.size;
        let stride = self.blocks.0 * n;
        let mut samples = vec![0; stride * self.blocks.1 * n];
        let made = (|| {
            let mut block = [0; 64];
            for y in 0..self.blocks.1 {
                for x in 0..self.blocks.0 {
                    let at = y * self.stored.0 + x;
                    let numbers = self.numbers.get(at * self.room..(at + 1) * self.room)?;
                    let out = samples.get_mut(y * n * stride + x * n..)?;
                    if self.known.get(at)? & self.kept == 0 {
                        let sample = flat(numbers.first()?.wrapping_mul(steps[0]));
                        for line in 0..n {
                            out.get_mut(line * stride..)?.get_mut(..n)?.fill(sample);
                        }
                        continue;
                    }
                    match n {
                        8 => eight(numbers.first_chunk()?, &steps, out, stride)?,
                        7 => middle::<7>(padded::<{ room(7) }>(numbers, &mut block)?, &steps, out, stride)?,
                        6 => middle::<6>(padded::<{ room(6) }>(numbers, &mut block)?, &steps, out, stride)?,
                        5 => middle::<5>(padded::<{ room(5) }>(numbers, &mut block)?, &steps, out, stride)?,
                        4 => four(padded::<{ room(4) }>(numbers, &mut block)?, &steps, out, stride)?,
                        _ => two(padded::<{ room(2) }>(numbers, &mut block)?, &steps, out, stride)?,
                    }
                }
            }
            Some(())
        })();
        made.ok_or_else(|| PictureError::defect("a JPEG's blocks do not fit its planes"))?;
        Ok(samples)
    }
}

/// Copies `N` numbers into a block and returns it.
#[inline(always)]
fn padded<'b, const N: usize>(numbers: &[i16], block: &'b mut [i16; 64]) -> Option<&'b [i16; 64]> {
    *block.first_chunk_mut::<N>()? = *numbers.first_chunk()?;
    Some(block)
}

/// Returns the positions from `from` to before `end`, which is at most 64.
#[inline(always)]
fn between(from: usize, end: usize) -> u64 {
    let below = |end: usize| if end > 63 { u64::MAX } else { (1 << end) - 1 };
    below(end) & !below(from)
}

/// A block of which one more bit is read (T.81, G.1.2.3).
struct Refined<'b, 'c> {
    bits: Bits<'b>,
    numbers: &'c mut [i16],
    slots: &'c [u8; 64],
    kept: u64,
    /// The bit.
    one: i16,
}

impl Refined<'_, '_> {
    /// Reads one more bit of the coefficients from `from` to `to`, and those that were zero before. Returns the number of
    /// further blocks without such.
    #[inline(always)]
    fn read(&mut self, table: &Table, known: &mut u64, from: usize, to: usize) -> Option<u32> {
        let mut k = from;
        while k <= to {
            match table.step(&mut self.bits)? {
                Step::Empty(blocks) => {
                    self.refine(*known & between(k, to + 1));
                    return Some(blocks);
                }
                Step::Number(advance, number) => {
                    if number.abs() > 1 {
                        return None;
                    }
                    // So many coefficients that are zero so far are passed over, and the next one gets the number.
                    let mut zeros = !*known & between(k, to + 1);
                    for _ in 1..advance {
                        zeros &= zeros.wrapping_sub(1);
                    }
                    let place = zeros.trailing_zeros() as usize;
                    if place > to {
                        // Sixteen zeros may end with the last coefficient.
                        if number != 0 {
                            return None;
                        }
                        self.refine(*known & between(k, to + 1));
                        return Some(0);
                    }
                    self.refine(*known & between(k, place));
                    if number != 0 {
                        *known |= 1 << place;
                        self.put(place, (number as i16).wrapping_mul(self.one));
                    }
                    k = place + 1;
                }
            }
        }
        Some(0)
    }

    /// Reads one more bit of these coefficients.
    #[inline(always)]
    fn refine(&mut self, mut places: u64) {
        while places != 0 {
            self.bits.fill();
            let count = places.count_ones().min(32);
            let mut word = self.bits.peek(count) << (32 - count);
            self.bits.skip(count);
            for _ in 0..count {
                let place = places.trailing_zeros() as usize;
                places &= places - 1;
                if word >> 31 == 1 && self.kept >> place & 1 == 1 {
                    let slot = usize::from(self.slots[place & 63]).wrapping_sub(USED.into());
                    if let Some(number) = self.numbers.get_mut(slot) {
                        *number = number.wrapping_add(if *number >= 0 { self.one } else { -self.one });
                    }
                }
                word <<= 1;
            }
        }
    }

    fn put(&mut self, place: usize, value: i16) {
        let slot = usize::from(self.slots[place & 63]).wrapping_sub(USED.into());
        if let Some(number) = self.numbers.get_mut(slot) {
            *number = value;
        }
    }
}
