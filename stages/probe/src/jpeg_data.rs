//! The data of a JPEG's scans: whether it is all there where no end mark says so, and the number of rows that follows it.
//!
//! Some programs forget the end mark, and some phones write their own trailer in its place. Then the codes of all blocks are
//! read, without making a picture of them (ITU-T T.81, annex F). A few kilobytes of memory are enough for a sequential picture.
//! A progressive one would take memory for all of its blocks; the stage that decodes it notices what is missing.

use crate::error::ProbeError;
use crate::source::{Source, Window};

const WITHIN: &str = "the picture's data";

/// Checks that every block of a file's sequential scans is there. Passes for a progressive picture.
///
/// # Errors
/// [`ProbeError::Truncated`] if blocks are missing, [`ProbeError::Corrupt`] if their codes are invalid or the headers are.
pub(crate) fn verify<S: Source>(source: &mut S) -> Result<(), ProbeError<S::Error>> {
    let mut picture = Picture::default();
    let mut window = Window::to_read_through(source);
    let mut at = 2;
    loop {
        at = marker(&mut window, at)?;
        let [_, kind, l1, l0] = window.array(at, WITHIN)?;
        let length = u64::from(u16::from_be_bytes([l1, l0]));
        let next = at + 2 + length;
        let broken = || ProbeError::corrupt("a header that breaks the format's rules", at);
        if matches!(kind, 0xd8 | 0x01 | 0xd0..=0xd7) {
            at += 2;
            continue;
        }
        if kind == 0xd9 {
            return Err(ProbeError::corrupt("the picture ends before all of its scans", at));
        }
        let body = window.bytes(at + 4, length.saturating_sub(2) as usize, WITHIN)?;
        match kind {
            0xc2 => return Ok(()),
            0xc0 | 0xc1 => picture.frame(body).ok_or_else(broken)?,
            0xc4 => picture.tables(body).ok_or_else(broken)?,
            0xdd => picture.interval = body.first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes).into()),
            0xda => {
                let chosen = picture.scan(body).ok_or_else(broken)?;
                let mut bits = Bits { window: &mut window, at: next, held: 0, count: 0 };
                picture.read(&chosen, &mut bits)?;
                at = bits.at;
                if picture.channels.iter().all(|channel| channel.seen) {
                    return Ok(());
                }
                continue;
            }
            // Other kinds of coding are refused by the decoder, which names them.
            0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => return Ok(()),
            _ => {}
        }
        at = next;
    }
}

/// Returns the number of rows that the segment after the first scan has, which begins at `at` (B.2.5). `None` if it is not
/// there.
pub(crate) fn lines<S: Source>(window: &mut Window<'_, S>, mut at: u64) -> Result<Option<u16>, ProbeError<S::Error>> {
    /// Pieces overlap by the length of that segment.
    const SEGMENT: usize = 6;
    loop {
        let piece = window.up_to(at, 16 * 1024)?;
        let found = piece.windows(2).position(|pair| matches!(pair, [0xff, 0x01..=0xcf | 0xd8..=0xfe]));
        match found.and_then(|place| piece.get(place..)) {
            Some([0xff, 0xdc, 0, 4, hi, lo, ..]) => return Ok(Some(u16::from_be_bytes([*hi, *lo]))),
            Some(rest) if rest.len() >= SEGMENT || piece.len() < 16 * 1024 => return Ok(None),
            Some(rest) => at += (piece.len() - rest.len()) as u64,
            None if piece.len() < 16 * 1024 => return Ok(None),
            None => at += (piece.len() - 1) as u64,
        }
    }
}

/// Returns the offset of the next marker.
fn marker<S: Source>(window: &mut Window<'_, S>, mut at: u64) -> Result<u64, ProbeError<S::Error>> {
    loop {
        if matches!(window.bytes(at, 2, WITHIN)?, [0xff, 0x01..=0xfe]) {
            return Ok(at);
        }
        at += 1;
    }
}

#[derive(Default)]
struct Picture {
    size: (u32, u32),
    channels: Vec<Channel>,
    /// Tables for first coefficients, and for the others.
    codes: [[Option<Codes>; 4]; 2],
    /// Units between restart markers, or zero.
    interval: u32,
}

struct Channel {
    id: u8,
    across: u32,
    down: u32,
    seen: bool,
}

/// A channel of a scan, by its place, and its tables.
struct Chosen {
    place: usize,
    first: usize,
    others: usize,
}

/// Codes by length: the first of them, one more than the last, and the place of the first one's value.
#[derive(Clone)]
struct Codes {
    lengths: [(u32, u32, usize); 16],
    values: Vec<u8>,
}

impl Picture {
    fn frame(&mut self, body: &[u8]) -> Option<()> {
        let [_, h1, h0, w1, w0, _, rest @ ..] = body else { return None };
        self.size = (u16::from_be_bytes([*w1, *w0]).into(), u16::from_be_bytes([*h1, *h0]).into());
        let (described, _) = rest.as_chunks::<3>();
        let channel = |&[id, sampling, _]: &[u8; 3]| Channel {
            id,
            across: u32::from(sampling >> 4),
            down: u32::from(sampling & 15),
            seen: false,
        };
        self.channels = described.iter().map(channel).collect();
        self.channels.iter().all(|c| (1..=4).contains(&c.across) && (1..=4).contains(&c.down)).then_some(())
    }

    fn tables(&mut self, mut body: &[u8]) -> Option<()> {
        while let [kind, rest @ ..] = body {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let total = counts.iter().map(|&count| usize::from(count)).sum();
            let (values, rest) = rest.split_at_checked(total)?;
            let (mut code, mut place) = (0u32, 0usize);
            let lengths = counts.map(|count| {
                let first = code;
                let end = first + u32::from(count);
                let entry = (first, end, place);
                place += usize::from(count);
                code = end << 1;
                entry
            });
            let codes = Codes { lengths, values: values.to_vec() };
            *self.codes.get_mut(usize::from(kind >> 4))?.get_mut(usize::from(kind & 15))? = Some(codes);
            body = rest;
        }
        Some(())
    }

    fn scan(&mut self, body: &[u8]) -> Option<Vec<Chosen>> {
        let (count, rest) = body.split_first()?;
        let (described, _) = rest.as_chunks::<2>();
        let mut chosen: Vec<Chosen> = Vec::new();
        for &[id, tables] in described.get(..usize::from(*count))? {
            let free = |place: usize| chosen.iter().all(|one| one.place != place);
            let place =
                self.channels.iter().enumerate().position(|(place, channel)| channel.id == id && free(place))?;
            chosen.push(Chosen { place, first: usize::from(tables >> 4), others: usize::from(tables & 15) });
        }
        for one in &chosen {
            self.channels.get_mut(one.place)?.seen = true;
        }
        (!chosen.is_empty()).then_some(chosen)
    }

    fn read<S: Source>(&self, chosen: &[Chosen], bits: &mut Bits<'_, '_, S>) -> Result<(), ProbeError<S::Error>> {
        let most = |side: fn(&Channel) -> u32| self.channels.iter().map(side).max().unwrap_or(1);
        let (most_across, most_down) = (most(|c| c.across), most(|c| c.down));
        let (width, height) = self.size;
        // For each channel its tables, and its blocks in a unit.
        let mut channels = Vec::new();
        for one in chosen {
            let table = |class: usize, number: usize| self.codes.get(class).and_then(|all| all.get(number)?.as_ref());
            let (Some(first), Some(others)) = (table(0, one.first), table(1, one.others)) else {
                return Err(ProbeError::corrupt("a table that is not defined", bits.at));
            };
            let Some(channel) = self.channels.get(one.place) else { continue };
            channels.push((first, others, channel));
        }
        let (across, down) = match channels.as_slice() {
            [(.., one)] => (
                (width * one.across).div_ceil(most_across).div_ceil(8),
                (height * one.down).div_ceil(most_down).div_ceil(8),
            ),
            _ => (width.div_ceil(8 * most_across), height.div_ceil(8 * most_down)),
        };
        let single = channels.len() == 1;
        for unit in 0..u64::from(across) * u64::from(down) {
            if self.interval > 0 && unit > 0 && unit.is_multiple_of(self.interval.into()) {
                bits.restart()?;
            }
            for (first, others, channel) in &channels {
                let blocks = if single { 1 } else { channel.across * channel.down };
                for _ in 0..blocks {
                    bits.block(first, others)?;
                }
            }
        }
        Ok(())
    }
}

struct Bits<'w, 's, S: Source> {
    window: &'w mut Window<'s, S>,
    /// The offset of the next byte.
    at: u64,
    held: u8,
    count: u32,
}

impl<S: Source> Bits<'_, '_, S> {
    fn bit(&mut self) -> Result<u32, ProbeError<S::Error>> {
        if self.count == 0 {
            self.held = loop {
                match *self.window.up_to(self.at, 2)? {
                    [0xff, 0] => {
                        self.at += 2;
                        break 0xff;
                    }
                    [0xff, 0xff] => self.at += 1,
                    [0xff, ..] | [] => return Err(ProbeError::Truncated { what: WITHIN, offset: self.at }),
                    [byte, ..] => {
                        self.at += 1;
                        break byte;
                    }
                }
            };
            self.count = 8;
        }
        self.count -= 1;
        Ok(u32::from(self.held >> self.count & 1))
    }

    fn skip(&mut self, count: u8) -> Result<(), ProbeError<S::Error>> {
        for _ in 0..count {
            self.bit()?;
        }
        Ok(())
    }

    fn code(&mut self, codes: &Codes) -> Result<u8, ProbeError<S::Error>> {
        let mut code = 0;
        for (first, end, place) in codes.lengths {
            code = code << 1 | self.bit()?;
            if (first..end).contains(&code)
                && let Some(value) = codes.values.get(place + (code - first) as usize)
            {
                return Ok(*value);
            }
        }
        Err(ProbeError::corrupt("data that is not a code", self.at))
    }

    fn block(&mut self, first: &Codes, others: &Codes) -> Result<(), ProbeError<S::Error>> {
        let size = self.code(first)?;
        self.skip(size.min(16))?;
        let mut k = 1;
        while k < 64 {
            let value = self.code(others)?;
            match (value >> 4, value & 15) {
                (0, 0) => break,
                (run, size) => {
                    self.skip(size)?;
                    k += run + 1;
                }
            }
        }
        Ok(())
    }

    fn restart(&mut self) -> Result<(), ProbeError<S::Error>> {
        self.count = 0;
        loop {
            match *self.window.up_to(self.at, 2)? {
                [0xff, 0xd0..=0xd7] => break,
                [0xff, 0xff] => self.at += 1,
                _ => return Err(ProbeError::corrupt("a restart marker is missing", self.at)),
            }
        }
        self.at += 2;
        Ok(())
    }
}
