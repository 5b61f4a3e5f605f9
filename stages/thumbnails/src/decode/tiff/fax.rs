//! Black and white as facsimile machines code it (ITU-T T.4 and T.6). The tables of codes are a library's; how rows follow
//! each other is decided here, because scanners write all of its variants.

use fax::BitReader;
use fax::maps::{Mode, black, mode, white};

use super::fault::Fault;
use super::page::Fax;

/// The bits of some bytes, the highest first. After the last byte come zeros, of which no code consists.
struct Bits<'a> {
    bytes: &'a [u8],
    /// The next bit.
    at: usize,
}

impl BitReader for Bits<'_> {
    type Error = Fault;

    fn peek(&self, bits: u8) -> Option<u16> {
        let byte = |index: usize| u32::from(self.bytes.get(index).copied().unwrap_or(0));
        let first = self.at / 8;
        let window = byte(first) << 16 | byte(first + 1) << 8 | byte(first + 2);
        let shift = 24u32.checked_sub((self.at % 8) as u32 + u32::from(bits))?;
        Some((window >> shift & ((1 << bits) - 1)) as u16)
    }

    fn consume(&mut self, bits: u8) -> Result<(), Fault> {
        self.at += usize::from(bits);
        if self.at > self.bytes.len() * 8 { Err(Fault::Ends) } else { Ok(()) }
    }

    fn bits_to_byte_boundary(&self) -> u8 {
        ((8 - self.at % 8) % 8) as u8
    }
}

impl Bits<'_> {
    fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len() * 8
    }

    /// Returns the fault of a code that does not exist.
    fn fault(&self) -> Fault {
        // Zeros after the end look like such a code.
        if self.at + 16 > self.bytes.len() * 8 { Fault::Ends } else { Fault::Broken }
    }

    /// Skips a row's mark, eleven zeros or more and a one, if it is next.
    fn skip_mark(&mut self) -> bool {
        if self.peek(11) != Some(0) {
            return false;
        }
        let mut at = self.at + 11;
        let bits = self.bytes.len() * 8;
        while at < bits && self.bytes.get(at / 8).is_some_and(|byte| byte >> (7 - at % 8) & 1 == 0) {
            at += 1;
        }
        if at >= bits {
            return false;
        }
        self.at = at + 1;
        true
    }
}

/// How many more changes of colour than twice its pixels a row may have, for narrow rows that begin with runs of no pixels.
const MORE_CHANGES: u64 = 64;

/// Decodes rows from the top.
pub(super) struct FaxRows<'a> {
    bits: Bits<'a>,
    kind: Fax,
    width: u32,
    /// Where the colour changes in the row above: to black, to white, and so on. No change is at the width or after it. Runs of
    /// no pixels, which some programs write, leave two changes at the same place; the next row counts them, too.
    above: Vec<u32>,
    row: Vec<u32>,
    /// Whether the mark came that says that no row follows.
    ended: bool,
}

impl<'a> FaxRows<'a> {
    pub(super) fn new(bytes: &'a [u8], kind: Fax, width: u32) -> Self {
        Self { bits: Bits { bytes, at: 0 }, kind, width, above: Vec::new(), row: Vec::new(), ended: false }
    }

    /// Writes the next row: 1 for black, the first pixel in the highest bit. After the end that the data states, rows are
    /// white, because scanners leave out the white ones at the bottom.
    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<(), Fault> {
        self.row.clear();
        if !self.ended {
            self.next()?;
        }
        out.fill(0);
        for pair in self.row.chunks(2) {
            let start = pair.first().copied().unwrap_or(0);
            fill(out, start, pair.get(1).copied().unwrap_or(self.width));
        }
        std::mem::swap(&mut self.above, &mut self.row);
        Ok(())
    }

    fn next(&mut self) -> Result<(), Fault> {
        match self.kind {
            Fax::Runs { align } => {
                self.bits.at = self.bits.at.next_multiple_of(align);
                self.runs()
            }
            Fax::Group4 => self.changes(),
            Fax::Group3 { two_dimensional } => {
                let mut marks = 0;
                let mut by_runs = !two_dimensional;
                while self.bits.skip_mark() {
                    marks += 1;
                    if two_dimensional {
                        by_runs = self.bits.peek(1) == Some(1);
                        // The last mark may be the last bit.
                        let _ = self.bits.consume(1);
                    }
                }
                // Six marks end the picture; some writers make do with two.
                if marks >= 2 && self.bits.is_at_end() || marks >= 6 {
                    self.ended = true;
                    return Ok(());
                }
                if marks == 0 && two_dimensional {
                    return Err(self.bits.fault());
                }
                if by_runs { self.runs() } else { self.changes() }
            }
        }
    }

    /// Notes a change of colour. A row has at most about two for each pixel, as libtiff has it: runs of no pixels could
    /// otherwise fill the memory.
    fn change(&mut self, at: u32) -> Result<(), Fault> {
        if self.row.len() as u64 > 2 * u64::from(self.width) + MORE_CHANGES {
            return Err(Fault::Broken);
        }
        if at < self.width {
            self.row.push(at);
        }
        Ok(())
    }

    /// Reads a run of the colour, which may have several codes.
    fn run(&mut self, is_black: bool) -> Result<u32, Fault> {
        let mut sum = 0u32;
        loop {
            let code = if is_black { black::decode(&mut self.bits) } else { white::decode(&mut self.bits) };
            let Some(length) = code else { return Err(self.bits.fault()) };
            sum += u32::from(length);
            if length < 64 {
                return Ok(sum);
            }
            if sum > self.width {
                return Err(Fault::Broken);
            }
        }
    }

    /// Reads a row of runs, white and black in turn.
    fn runs(&mut self) -> Result<(), Fault> {
        let (mut at, mut is_black) = (0u32, false);
        while at < self.width {
            // The mark comes before the row is full if the machine left out the white at its end.
            if matches!(self.kind, Fax::Group3 { .. }) && at > 0 && self.bits.peek(11) == Some(0) {
                break;
            }
            at += self.run(is_black)?;
            if at > self.width {
                return Err(Fault::Broken);
            }
            is_black = !is_black;
            self.change(at)?;
        }
        Ok(())
    }

    /// Reads a row that is coded by the one above.
    fn changes(&mut self) -> Result<(), Fault> {
        let (mut at, mut is_black) = (0u32, false);
        let mut index = 0;
        while at < self.width {
            let Some(mode) = mode::decode(&mut self.bits) else { return Err(self.bits.fault()) };
            // Before the first change, one above at the very beginning counts as well.
            let begins = self.row.is_empty();
            // The first change above that is right of here and to the other colour.
            while index > 0 && self.above.get(index - 1).is_some_and(|&above| above > at) {
                index -= 1;
            }
            while self.above.get(index).is_some_and(|&above| if begins { false } else { above <= at })
                || index % 2 != usize::from(is_black)
            {
                index += 1;
            }
            let above = |index: usize| self.above.get(index).copied().unwrap_or(self.width);
            match mode {
                Mode::Pass => {
                    at = above(index + 1);
                    index += 2;
                }
                Mode::Vertical(by) => {
                    let to = above(index).checked_add_signed(by.into()).filter(|to| *to <= self.width && *to >= at);
                    at = to.ok_or(Fault::Broken)?;
                    is_black = !is_black;
                    self.change(at)?;
                }
                Mode::Horizontal => {
                    for colour in [is_black, !is_black] {
                        at += self.run(colour)?;
                        if at > self.width {
                            return Err(Fault::Broken);
                        }
                        self.change(at)?;
                    }
                }
                // Group 4 ends with two marks of a row.
                Mode::EOF if begins && at == 0 => {
                    self.ended = true;
                    return Ok(());
                }
                Mode::EOF => return Err(self.bits.fault()),
                Mode::Extension => return Err(Fault::Broken),
            }
        }
        Ok(())
    }
}

/// Sets the bits from `start` to before `end`.
fn fill(out: &mut [u8], start: u32, end: u32) {
    let (first, last) = (start as usize / 8, end as usize / 8);
    let from = 0xFFu8 >> (start % 8);
    let to = !(0xFFu32 >> (end % 8)) as u8;
    if first == last {
        if let Some(byte) = out.get_mut(first) {
            *byte |= from & to;
        }
        return;
    }
    if let Some(byte) = out.get_mut(first) {
        *byte |= from;
    }
    if let Some(middle) = out.get_mut(first + 1..last) {
        middle.fill(0xFF);
    }
    if let Some(byte) = out.get_mut(last) {
        *byte |= to;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn runs_are_filled_bit_by_bit() {
        let mut row = [0; 3];
        fill(&mut row, 3, 5);
        fill(&mut row, 7, 17);
        assert_eq!(row, [0b0001_1001, 0xFF, 0b1000_0000]);
        fill(&mut row, 0, 24);
        assert_eq!(row, [0xFF; 3]);
    }

    #[test]
    fn a_row_of_runs_and_a_row_like_it() {
        // White 4 (1011), black 3 (10), white 1 (000111); then three changes at the same places (1).
        let bytes = [0b1011_1000, 0b0111_0000];
        let mut rows = FaxRows::new(&bytes, Fax::Runs { align: 8 }, 8);
        let mut row = [0; 1];
        rows.read(&mut row).unwrap();
        assert_eq!(row, [0b0000_1110]);
        assert!(rows.read(&mut row).is_err(), "there is no second row");
    }

    /// Returns the bits of a text of zeros and ones, filled up with zeros.
    fn packed(bits: &str) -> Vec<u8> {
        let byte = |bits: &[u8]| bits.iter().fold(0, |byte, bit| byte << 1 | (bit - b'0')) << (8 - bits.len());
        bits.as_bytes().chunks(8).map(byte).collect()
    }

    /// ImageGear begins rows with a run of no white and a run of no black; the next row then passes over them.
    #[test]
    fn runs_of_no_pixels_count_in_the_next_row() {
        let no_runs = "001 00110101 0000110111";
        let first = format!("{no_runs} 001 1011 10 1");
        // Pass, then three changes at the same places.
        let bytes = packed(&format!("{first} 0001 1 1 1").replace(' ', ""));
        let mut rows = FaxRows::new(&bytes, Fax::Group4, 8);
        for row in 0..2 {
            let mut out = [0; 1];
            rows.read(&mut out).unwrap();
            assert_eq!(out, [0b0000_1110], "row {row}");
        }
    }

    #[test]
    fn a_row_of_nothing_but_runs_of_no_pixels_is_refused() {
        let bytes = packed(&"001001101010000110111".repeat(1000));
        assert_eq!(FaxRows::new(&bytes, Fax::Group4, 8).read(&mut [0; 1]), Err(Fault::Broken));
    }

    #[test]
    fn group_4_ends_with_its_mark_and_white_rows_may_be_missing() {
        // Horizontal (001), white 4, black 3, vertical (1); vertical three times; the mark twice.
        let bits = "0011011101".to_owned() + "111" + "000000000001000000000001";
        let bytes = packed(&bits);
        let mut rows = FaxRows::new(&bytes, Fax::Group4, 8);
        let mut row = [0; 1];
        let mut all = Vec::new();
        for _ in 0..3 {
            rows.read(&mut row).unwrap();
            all.push(row[0]);
        }
        assert_eq!(all, [0b0000_1110, 0b0000_1110, 0]);
        let mut cut = FaxRows::new(&bytes[..1], Fax::Group4, 8);
        assert!(cut.read(&mut row).is_err());
    }
}
