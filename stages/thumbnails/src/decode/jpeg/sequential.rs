//! Scans of a sequential picture: whole blocks, one after the other, become samples at once.

use super::bits::Bits;
use super::error::damaged;
use super::header::Header;
use super::huffman::Table;
use super::scan::{Chosen, Progress, chosen};
use super::shape::{Channel, Shape, USED, most_of_first};
use super::tables::{first_table, other_table, steps};
use super::transform::{eight, flat, four, two};
use crate::error::PictureError;

/// Decodes scans until every channel has its samples, which are those of whole blocks. What follows the last of these scans
/// is no part of the picture.
///
/// # Errors
/// If the data of a scan ends early or is damaged, or the picture ends before every channel had its scan.
pub fn decode(file: &[u8], mut header: Header, shape: &Shape) -> Result<Vec<Vec<u8>>, PictureError> {
    let mut planes: Vec<Option<Vec<u8>>> = shape.channels.iter().map(|_| None).collect();
    loop {
        let chosen = chosen(&header, shape)?;
        if chosen.iter().any(|one| planes.get(one.place).is_none_or(Option::is_some)) {
            return Err(damaged("a colour channel comes twice before another has come"));
        }
        let (made, end) = scan(file, &header, shape, &chosen)?;
        for (one, plane) in chosen.iter().zip(made) {
            if let Some(place) = planes.get_mut(one.place) {
                *place = Some(plane);
            }
        }
        if planes.iter().all(Option::is_some) {
            return Ok(planes.into_iter().flatten().collect());
        }
        if header.advance(file, end)?.is_some() {
            return Err(damaged("a colour channel has no data"));
        }
    }
}

/// Decodes the scan that `header` has reached. Returns the samples of its channels, and where it ends.
fn scan(file: &[u8], header: &Header, shape: &Shape, chosen: &[Chosen]) -> Result<(Vec<Vec<u8>>, usize), PictureError> {
    let mut tables = Vec::new();
    for one in chosen {
        tables.push((first_table(header, one.dc)?, other_table(header, one.ac)?, steps(header, one.channel)?));
    }
    let single = chosen.len() == 1;
    let mut channels: Vec<Blocks> =
        chosen.iter().zip(&tables).map(|(one, tables)| Blocks::new(one.channel, tables, single)).collect();
    let mut bits = Bits::new(file.get(header.scan.data..).unwrap_or_default());
    let mut progress = Progress::new(header, shape, chosen);
    while progress.next_row() {
        let row = progress.row();
        for column in 0..progress.across {
            if progress.restarts() {
                progress.restart(&mut bits)?;
                channels.iter_mut().for_each(|channel| channel.predicted = 0);
            }
            for channel in &mut channels {
                channel.unit(&mut bits, column, row).ok_or_else(|| progress.broken(&bits))?;
            }
        }
        progress.check(&bits)?;
    }
    let end = progress.end(&bits, file, header.scan.data)?;
    Ok((channels.into_iter().map(|channel| channel.samples).collect(), end))
}

/// A channel of a scan.
struct Blocks<'a> {
    dc: &'a Table,
    ac: &'a Table,
    steps: &'a [i16; 64],
    slots: [u8; 64],
    size: usize,
    /// Its blocks in a minimum coded unit.
    across: usize,
    down: usize,
    /// Its blocks that hold the picture.
    blocks: (usize, usize),
    samples: Vec<u8>,
    predicted: i32,
    /// The most that a first coefficient can be.
    most: u32,
    /// A block's coefficients, in the upper half: zeros between blocks. The first number takes those that are not used.
    block: [i16; 128],
}

impl<'a> Blocks<'a> {
    fn new(channel: &Channel, (dc, ac, steps): &'a (Table, Table, [i16; 64]), single: bool) -> Self {
        let (across, down) = if single { (1, 1) } else { channel.unit };
        let samples = channel.blocks.0 * channel.blocks.1 * channel.size * channel.size;
        Self {
            dc,
            ac,
            steps,
            slots: channel.slots(),
            size: channel.size,
            across,
            down,
            blocks: channel.blocks,
            samples: vec![0; samples],
            predicted: 0,
            most: most_of_first(steps),
            block: [0; 128],
        }
    }

    /// Decodes the blocks of one minimum coded unit. `None` if the bits form no valid code.
    #[inline(always)]
    fn unit(&mut self, bits: &mut Bits, column: usize, row: usize) -> Option<()> {
        for y in row * self.down..(row + 1) * self.down {
            for x in column * self.across..(column + 1) * self.across {
                match self.size {
                    8 => self.block::<8>(bits, x, y)?,
                    4 => self.block::<4>(bits, x, y)?,
                    2 => self.block::<2>(bits, x, y)?,
                    _ => self.block::<1>(bits, x, y)?,
                }
            }
        }
        Some(())
    }

    #[inline(always)]
    fn block<const N: usize>(&mut self, bits: &mut Bits, x: usize, y: usize) -> Option<()> {
        self.predicted = self.predicted.wrapping_add(self.dc.first(bits)?);
        if self.predicted.unsigned_abs() > self.most {
            return None;
        }
        let first = self.predicted as i16;
        // Whether a coefficient besides the first is used.
        let mut used = 0;
        let (slots, block) = (&self.slots, &mut self.block);
        let empty = self.ac.others(bits, 0, 63, |k, number| {
            if N > 1 {
                let slot = slots[k & 63];
                used |= slot;
                block[usize::from(slot & 127)] = number as i16;
            }
        })?;
        // The end of several blocks is a code of progressive pictures.
        if empty > 0 {
            return None;
        }
        let block = self.block.last_chunk_mut::<64>()?;
        // Blocks that fill up the last units hold nothing of the picture.
        if x < self.blocks.0 && y < self.blocks.1 {
            let stride = self.blocks.0 * N;
            let out = self.samples.get_mut(y * N * stride + x * N..)?;
            if used & USED == 0 {
                let sample = flat(first.wrapping_mul(self.steps[0]));
                for line in 0..N {
                    out.get_mut(line * stride..)?.first_chunk_mut::<N>()?.fill(sample);
                }
                return Some(());
            }
            block[0] = first;
            match N {
                8 => eight(block, self.steps, out, stride)?,
                4 => four(block, self.steps, out, stride)?,
                _ => two(block, self.steps, out, stride)?,
            }
        }
        if used & USED != 0 {
            block[..N * N].fill(0);
        }
        Some(())
    }
}
