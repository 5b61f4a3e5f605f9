//! Scans of a sequential picture: whole blocks, one after the other, become samples at once.

use super::bits::Bits;
use super::error::damaged;
use super::header::Header;
use super::huffman::Table;
use super::scan::{Chosen, Progress, chosen};
use super::shape::{Channel, Shape, USED, most_of_first};
use super::tables::{first_table, other_table, steps};
use super::transform::{eight, flat, four, middle, room, two};
use crate::error::PictureError;

/// Decodes scans until every channel has its samples, which are those of whole blocks. What follows the last of these scans
/// is not a part of the picture.
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
    let complete = channels.iter_mut().all(|channel| channel.transform().is_some());
    if !complete {
        return Err(PictureError::defect("a JPEG's blocks do not fit its planes"));
    }
    let end = progress.end(&bits, file, header.scan.data)?;
    Ok((channels.into_iter().map(|channel| channel.samples).collect(), end))
}

/// Half the numbers of a block.
const HALF: usize = 32;

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
    /// The coefficients of the current block and of the one before, from [`USED`] on. The first number takes those that are not
    /// used. So many numbers that every slot is one of them, which spares a check.
    blocks_read: [[i16; 256]; 2],
    /// The one that is current.
    current: usize,
    /// Column, row and first coefficient of the block before, which is still to be transformed. A processor that reads
    /// numbers in vectors just after they were written one by one waits for that.
    before: Option<(usize, usize, i16)>,
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
            blocks_read: [[0; 256]; 2],
            current: 0,
            before: None,
        }
    }

    /// Decodes the blocks of one minimum coded unit. `None` if the bits form no valid code.
    #[inline(always)]
    fn unit(&mut self, bits: &mut Bits, column: usize, row: usize) -> Option<()> {
        for y in row * self.down..(row + 1) * self.down {
            for x in column * self.across..(column + 1) * self.across {
                self.read(bits)?;
                self.transform()?;
                self.before = Some((x, y, self.predicted as i16));
                self.current ^= 1;
            }
        }
        Some(())
    }

    /// Reads a block's coefficients. A function of its own, so that all that its inner loop needs stays in registers.
    #[inline(never)]
    fn read(&mut self, bits: &mut Bits) -> Option<()> {
        let mut ahead = *bits;
        let block = &mut self.blocks_read[self.current & 1];
        // The rest is cleared when the block was transformed: the sandbox calls the host to fill more at once.
        block[usize::from(USED)..usize::from(USED) + HALF].fill(0);
        let slots = &self.slots;
        let first = self.dc.first(&mut ahead);
        let empty = first.and_then(|_| {
            self.ac.others(&mut ahead, 0, 63, |k, number| block[usize::from(slots[k & 63])] = number as i16)
        });
        *bits = ahead;
        self.predicted = self.predicted.wrapping_add(first?);
        // The end of several blocks is a code of progressive pictures.
        (empty? == 0 && self.predicted.unsigned_abs() <= self.most).then_some(())
    }

    /// Transforms the block before the current one, if there is one. `None` if it does not fit.
    #[inline(always)]
    fn transform(&mut self) -> Option<()> {
        let Some((x, y, first)) = self.before.take() else { return Some(()) };
        match self.size {
            8 => self.block::<8>(x, y, first),
            7 => self.block::<7>(x, y, first),
            6 => self.block::<6>(x, y, first),
            5 => self.block::<5>(x, y, first),
            4 => self.block::<4>(x, y, first),
            2 => self.block::<2>(x, y, first),
            _ => self.block::<1>(x, y, first),
        }
    }

    #[inline(never)]
    fn block<const N: usize>(&mut self, x: usize, y: usize, first: i16) -> Option<()> {
        let block = self.blocks_read[self.current & 1 ^ 1][usize::from(USED)..].first_chunk_mut::<64>()?;
        let is_flat = block[..room(N)].iter().fold(0, |all, number| all | number) == 0;
        // Blocks that fill up the last units hold nothing of the picture.
        if x < self.blocks.0 && y < self.blocks.1 {
            let stride = self.blocks.0 * N;
            let out = self.samples.get_mut(y * N * stride + x * N..)?;
            if is_flat {
                let sample = flat(first.wrapping_mul(self.steps[0]));
                for line in 0..N {
                    out.get_mut(line * stride..)?.first_chunk_mut::<N>()?.fill(sample);
                }
                return Some(());
            }
            block[0] = first;
            match N {
                8 => eight(block, self.steps, out, stride)?,
                7 => middle::<7>(block, self.steps, out, stride)?,
                6 => middle::<6>(block, self.steps, out, stride)?,
                5 => middle::<5>(block, self.steps, out, stride)?,
                4 => four(block, self.steps, out, stride)?,
                _ => two(block, self.steps, out, stride)?,
            }
        }
        if !is_flat && room(N) > HALF {
            block[HALF..room(N)].fill(0);
        }
        Some(())
    }
}
