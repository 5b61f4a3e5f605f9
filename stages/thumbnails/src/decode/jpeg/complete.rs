//! Checks that the data of no scan ends early, for pictures that the library decodes.
//!
//! Where a marker comes too early, the library goes on with zeros. So a picture that was cut off and closed with an end
//! mark, or in which a damaged byte looks like a marker, would be shown with gray blocks. Here the codes of all scans are
//! read, without any picture being made of them (ITU-T T.81, annexes F and G).
//!
//! A progressive picture may leave out the last bits of its coefficients, as libjpeg allows it. So scans that are missing
//! as a whole are not noticed, unless a channel has no data at all.

use super::error::damaged;
use super::header::{Component, Frame, Header, HuffmanSpec};
use super::huffman::{Bits, Table};
use crate::error::PictureError;

/// The most scans of a picture. Encoders write about ten, and each costs time for the whole picture.
const MAX_SCANS: usize = 500;

/// Reads all scans of a baseline, extended sequential or progressive picture.
///
/// # Errors
/// If the data of a scan ends early or has an invalid code, if a channel has no data, or if there are too many scans.
pub fn check(file: &[u8]) -> Result<(), PictureError> {
    let mut header = Header::read(file)?;
    let frame = header.frame.clone().ok_or_else(|| damaged("it has no frame header"))?;
    let mut picture = Picture::new(&frame)?;
    for _ in 0..MAX_SCANS {
        let end = picture.scan(file, &header)?;
        if header.advance(file, end)?.is_some() {
            return match picture.channels.iter().all(|channel| channel.begun) {
                true => Ok(()),
                false => Err(damaged("a colour channel has no data")),
            };
        }
    }
    Err(damaged(&format!("it has more than {MAX_SCANS} scans")))
}

/// What a scan has of each block.
#[derive(Clone, Copy)]
enum Part {
    /// All coefficients, in a sequential picture.
    All,
    /// The first coefficient.
    First,
    /// One more bit of the first coefficient.
    FirstRefined,
    /// The other coefficients from one to another.
    Others(u32, u32),
    /// One more bit of them.
    OthersRefined(u32, u32),
}

/// A colour channel.
struct Channel {
    id: u8,
    /// Its blocks in a minimum coded unit of several channels.
    across: usize,
    down: usize,
    /// Its blocks in a scan of its own.
    own: (usize, usize),
    /// Its blocks in a row of minimum coded units.
    width: usize,
    /// For each block of a progressive picture, which coefficients are not zero so far.
    known: Vec<u64>,
    begun: bool,
}

struct Picture {
    progressive: bool,
    height: u16,
    units: (usize, usize),
    channels: Vec<Channel>,
}

/// The tables of a channel, those that the scan needs.
struct Tables {
    place: usize,
    dc: Option<Table>,
    ac: Option<Table>,
}

impl Picture {
    fn new(frame: &Frame) -> Result<Self, PictureError> {
        let largest = |side: fn(&Component) -> u8| frame.components.iter().map(side).max().unwrap_or(1).into();
        let (most_across, most_down): (usize, usize) = (largest(|c| c.horizontal), largest(|c| c.vertical));
        let lawful = |c: &Component| (1..=4).contains(&c.horizontal) && (1..=4).contains(&c.vertical);
        if !frame.components.iter().all(lawful) {
            return Err(damaged("a sampling factor is not from 1 to 4"));
        }
        let (width, height) = (usize::from(frame.width), usize::from(frame.height));
        let units = (width.div_ceil(8 * most_across), height.div_ceil(8 * most_down));
        let progressive = frame.marker == 0xC2;
        let channel = |c: &Component| {
            let (across, down) = (usize::from(c.horizontal), usize::from(c.vertical));
            let own = |side: usize, factor: usize, most: usize| (side * factor).div_ceil(most).div_ceil(8);
            let blocks = if progressive { units.0 * across * units.1 * down } else { 0 };
            Channel {
                id: c.id,
                across,
                down,
                own: (own(width, across, most_across), own(height, down, most_down)),
                width: units.0 * across,
                known: vec![0; blocks],
                begun: false,
            }
        };
        let channels = frame.components.iter().map(channel).collect();
        Ok(Self { progressive, height: frame.height, units, channels })
    }

    /// Reads one scan and returns the offset after its data.
    fn scan(&mut self, file: &[u8], header: &Header) -> Result<usize, PictureError> {
        let part = self.part(header)?;
        let tables = self.tables(header, part)?;
        let (across, down) = match tables.as_slice() {
            // The blocks of a single channel follow each other, whatever its sampling.
            [one] => self.channels.get(one.place).map_or((0, 0), |channel| channel.own),
            _ => self.units,
        };
        let mut bits = Bits::new(file.get(header.scan.data..).unwrap_or_default());
        let interval = u32::from(header.restart_interval);
        let (mut units, mut skipped) = (0u32, 0u32);
        for row in 0..down {
            let line = row * usize::from(self.height) / down.max(1);
            let broken = |what: &str| damaged(&format!("{what} near line {line} of {}", self.height));
            for column in 0..across {
                if interval > 0 && units > 0 && units.is_multiple_of(interval) {
                    let number = (units / interval - 1) % 8;
                    if !bits.restart(number as u8) {
                        return Err(broken(&format!("restart marker {number} is missing")));
                    }
                    skipped = 0;
                }
                units += 1;
                let single = tables.len() == 1;
                for tables in &tables {
                    let Some(channel) = self.channels.get_mut(tables.place) else { continue };
                    channel
                        .unit(part, tables, &mut bits, (column, row), single, &mut skipped)
                        .ok_or_else(|| damaged(&format!("there is an invalid Huffman code near line {line}")))?;
                }
            }
            if bits.overrun() {
                return Err(broken("the picture's data ends"));
            }
        }
        for tables in &tables {
            self.channels.get_mut(tables.place).into_iter().for_each(|channel| channel.begun = true);
        }
        Ok(header.scan.data + bits.place())
    }

    fn part(&self, header: &Header) -> Result<Part, PictureError> {
        let [from, to, bits] = header.scan.selection;
        let refined = bits >> 4 != 0;
        match (self.progressive, from, to) {
            (false, ..) => Ok(Part::All),
            (true, 0, 0) => Ok(if refined { Part::FirstRefined } else { Part::First }),
            (true, 1.., ..=63) if from <= to && header.scan.components.len() == 1 => {
                let (from, to) = (from.into(), to.into());
                Ok(if refined { Part::OthersRefined(from, to) } else { Part::Others(from, to) })
            }
            _ => Err(damaged("a scan has coefficients that cannot be in one scan")),
        }
    }

    fn tables(&self, header: &Header, part: Part) -> Result<Vec<Tables>, PictureError> {
        let needs_first = matches!(part, Part::All | Part::First);
        let needs_others = matches!(part, Part::All | Part::Others(..) | Part::OthersRefined(..));
        let table = |specs: &[Option<HuffmanSpec>; 4], id: u8, needed: bool| match specs.get(usize::from(id)) {
            _ if !needed => Ok(None),
            Some(Some(spec)) => Table::new(spec).map(Some).ok_or_else(|| damaged("a Huffman table has too many codes")),
            _ => Err(damaged("the scan uses a Huffman table that is not defined")),
        };
        let mut tables = Vec::new();
        for &(id, dc, ac) in &header.scan.components {
            let place = self.channels.iter().position(|channel| channel.id == id);
            let place = place.ok_or_else(|| damaged("a scan has a colour channel that the picture has not"))?;
            let (dc, ac) = (table(&header.dc, dc, needs_first)?, table(&header.ac, ac, needs_others)?);
            tables.push(Tables { place, dc, ac });
        }
        if tables.is_empty() || tables.len() > self.channels.len() {
            return Err(damaged("a scan has no colour channel or too many"));
        }
        Ok(tables)
    }
}

impl Channel {
    /// Reads this channel's blocks of one unit. `None` if the bits form no valid code.
    fn unit(
        &mut self,
        part: Part,
        tables: &Tables,
        bits: &mut Bits,
        (column, row): (usize, usize),
        single: bool,
        skipped: &mut u32,
    ) -> Option<()> {
        let (across, down) = if single { (1, 1) } else { (self.across, self.down) };
        for y in 0..down {
            for x in 0..across {
                let at = (row * down + y) * self.width + column * across + x;
                let mut none = 0;
                let known = self.known.get_mut(at).unwrap_or(&mut none);
                block(part, tables, bits, known, skipped)?;
            }
        }
        Some(())
    }
}

fn block(part: Part, tables: &Tables, bits: &mut Bits, known: &mut u64, skipped: &mut u32) -> Option<()> {
    match part {
        Part::All => {
            tables.dc.as_ref()?.first(bits)?;
            tables.ac.as_ref()?.others(bits, |_, _| {})?;
        }
        Part::First => {
            tables.dc.as_ref()?.first(bits)?;
        }
        Part::FirstRefined => {
            bits.take(1);
        }
        Part::Others(..) | Part::OthersRefined(..) if *skipped > 0 => {
            *skipped -= 1;
            if let Part::OthersRefined(from, to) = part {
                refine(bits, *known, from, to);
            }
        }
        Part::Others(from, to) => others(tables.ac.as_ref()?, bits, known, (from, to), skipped)?,
        Part::OthersRefined(from, to) => others_refined(tables.ac.as_ref()?, bits, known, (from, to), skipped)?,
    }
    Some(())
}

/// Reads the first bits of a block's coefficients (G.1.2.2).
fn others(table: &Table, bits: &mut Bits, known: &mut u64, (from, to): (u32, u32), skipped: &mut u32) -> Option<()> {
    let mut k = from;
    while k <= to {
        let code = table.code(bits)?;
        match (u32::from(code >> 4), u32::from(code & 15)) {
            (15, 0) => k += 16,
            (run, 0) => {
                // The end of this block and of so many that follow it.
                *skipped = (1 << run) - 1 + bits.take(run);
                break;
            }
            (run, size) => {
                bits.take(size);
                k += run;
                if k > 63 {
                    break;
                }
                *known |= 1 << k;
                k += 1;
            }
        }
    }
    Some(())
}

/// Reads one more bit of a block's coefficients, and those that were zero before (G.1.2.3).
fn others_refined(
    table: &Table,
    bits: &mut Bits,
    known: &mut u64,
    (from, to): (u32, u32),
    skipped: &mut u32,
) -> Option<()> {
    let mut k = from;
    while k <= to {
        let code = table.code(bits)?;
        let (mut run, size) = (u32::from(code >> 4), code & 15);
        match (run, size) {
            (15, 0) => {}
            (_, 0) => {
                *skipped = (1 << run) - 1 + bits.take(run);
                refine(bits, *known, k, to);
                break;
            }
            (_, 1) => {
                bits.take(1);
            }
            _ => return None,
        }
        while k <= to {
            if *known >> k & 1 == 1 {
                bits.take(1);
            } else if run == 0 {
                *known |= u64::from(size) << k;
                k += 1;
                break;
            } else {
                run -= 1;
            }
            k += 1;
        }
    }
    Some(())
}

/// Reads one bit for each coefficient that is not zero.
fn refine(bits: &mut Bits, known: u64, from: u32, to: u32) {
    for k in from..=to {
        if known >> k & 1 == 1 {
            bits.take(1);
        }
    }
}
