//! What the scans of sequential and progressive pictures have in common: their channels, the order of their blocks, restart
//! markers, and what may follow the last block.

use super::bits::Bits;
use super::error::damaged;
use super::header::Header;
use super::shape::{Channel, Shape};
use crate::error::PictureError;

/// A channel of a scan.
pub struct Chosen<'a> {
    /// Its place among the picture's channels.
    pub place: usize,
    /// The channel.
    pub channel: &'a Channel,
    /// The number of its table for first coefficients.
    pub dc: u8,
    /// The number of its table for the other coefficients.
    pub ac: u8,
}

/// Returns the channels of the scan that `header` has reached.
///
/// # Errors
/// If the scan has no channel, or one that the picture does not have.
pub fn chosen<'a>(header: &Header, shape: &'a Shape) -> Result<Vec<Chosen<'a>>, PictureError> {
    let mut chosen: Vec<Chosen> = Vec::new();
    for &(id, dc, ac) in &header.scan.components {
        // Some files give several channels the same identifier. Then their order counts.
        let free = |place: usize| chosen.iter().all(|one| one.place != place);
        let found = shape.channels.iter().enumerate().find(|(place, channel)| channel.id == id && free(*place));
        let (place, channel) = found.ok_or_else(|| damaged("a scan has a colour channel that the picture has not"))?;
        chosen.push(Chosen { place, channel, dc, ac });
    }
    if chosen.is_empty() {
        return Err(damaged("a scan has no colour channel"));
    }
    Ok(chosen)
}

/// How far a scan is decoded.
pub struct Progress {
    /// The number of minimum coded units in a row.
    pub across: usize,
    down: usize,
    /// Rows that were begun.
    begun: usize,
    /// Units between restart markers, or zero.
    interval: u32,
    /// Units until the next one.
    left: u32,
    /// Picture rows in a row of units, and in the picture.
    lines: usize,
    height: u32,
}

impl Progress {
    /// Returns the beginning of the scan that `header` has reached.
    pub fn new(header: &Header, shape: &Shape, chosen: &[Chosen]) -> Self {
        let ((across, down), lines) = match chosen {
            // The blocks of a single channel follow each other, whatever its sampling (T.81, A.2.2).
            [one] => (one.channel.blocks, 8 * shape.most.1 / one.channel.unit.1),
            _ => (shape.units, 8 * shape.most.1),
        };
        let interval = u32::from(header.restart_interval);
        Self { across, down, begun: 0, interval, left: interval, lines, height: shape.full.height }
    }

    /// Begins the next row. Returns `false` if there is none.
    pub fn next_row(&mut self) -> bool {
        self.begun += 1;
        self.begun <= self.down
    }

    /// Returns the number of the current row.
    pub fn row(&self) -> usize {
        self.begun.saturating_sub(1)
    }

    /// Counts one more unit. Returns whether a restart marker must come before it.
    #[inline(always)]
    pub fn restarts(&mut self) -> bool {
        if self.interval == 0 {
            return false;
        }
        if self.left == 0 {
            self.left = self.interval - 1;
            return true;
        }
        self.left -= 1;
        false
    }

    /// Returns whether there are restart markers.
    pub fn has_restarts(&self) -> bool {
        self.interval > 0
    }

    /// Skips a restart marker. Its number is not compared: where a marker is damaged and its place is right, nothing is lost,
    /// and where units are missing, the data ends before the last row does.
    ///
    /// # Errors
    /// If something else comes next.
    pub fn restart(&self, bits: &mut Bits) -> Result<(), PictureError> {
        if bits.overrun() {
            return Err(self.ends());
        }
        if bits.restart() { Ok(()) } else { Err(self.near("a restart marker is missing")) }
    }

    /// Returns the error for a scan that leaves more blocks empty than it has, up to its end or a restart marker.
    pub fn beyond(&self) -> PictureError {
        self.near("blocks are left empty that do not exist")
    }

    /// Returns the error for bits that form no valid code or an impossible coefficient.
    #[cold]
    pub fn broken(&self, bits: &Bits) -> PictureError {
        if bits.overrun() { self.ends() } else { self.near("the picture's data is invalid") }
    }

    /// Checks that the current row's data was there.
    pub fn check(&self, bits: &Bits) -> Result<(), PictureError> {
        if bits.overrun() { Err(self.ends()) } else { Ok(()) }
    }

    /// Returns where the scan's data ends in the file.
    ///
    /// After the last unit, a marker or the end of the file must follow. Other bytes have one of two causes. Bits of the data
    /// were changed, so that the units before are wrong and data is left; a marker follows that data. Or a phone has appended
    /// bytes in place of the end mark; then the last byte of the scan is filled up with ones, because it was read rightly.
    ///
    /// # Errors
    /// If data is left.
    pub fn end(&self, bits: &Bits, file: &[u8], data: usize) -> Result<usize, PictureError> {
        let end = data + bits.place();
        let rest = file.get(end..).unwrap_or_default();
        let zeros = rest.iter().take_while(|&&byte| byte == 0).count();
        let mut after = rest.get(zeros..).unwrap_or_default();
        // Some encoders write a restart marker after the last unit, too.
        while let [0xFF, 0xD0..=0xD7, more @ ..] = after {
            after = more;
        }
        if matches!(after, [] | [0xFF] | [0xFF, 1..=0xFF, ..]) {
            return Ok(end);
        }
        let next = after.windows(2).find_map(|pair| match pair {
            [0xFF, marker @ 1..=0xFE] => Some(*marker),
            _ => None,
        });
        let data_goes_on = matches!(next, Some(0xC4 | 0xD0..=0xD7 | 0xD9..=0xDD));
        if zeros < 2 && (data_goes_on || !bits.padded_with_ones()) {
            return Err(damaged(&format!(
                "data is left after the last of its {} rows, so that bits before it were changed",
                self.height
            )));
        }
        Ok(end)
    }

    fn ends(&self) -> PictureError {
        self.near("the picture's data ends")
    }

    fn near(&self, what: &str) -> PictureError {
        damaged(&format!("{what} near line {} of {}", self.row() * self.lines, self.height))
    }
}
