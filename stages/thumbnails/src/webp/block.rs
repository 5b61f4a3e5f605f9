//! A block of 16×16 samples as it is written, and what its neighbours mean for its tokens.

use super::predict::Whole;
use super::tokens::{Kind, Sink, emit};

/// How lightness is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Luma {
    Whole(Whole),
    /// Each of the sixteen subblocks by its own mode.
    Subblocks([u8; 16]),
}

/// The places of chroma and of the lowest frequencies in [`Block::levels`].
pub(super) const CHROMA: usize = 16;
pub(super) const LOWEST: usize = 24;

/// A coded block.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) luma: Luma,
    pub(super) chroma: Whole,
    /// Sixteen blocks of lightness, four of Cb, four of Cr, one of lowest frequencies.
    pub(super) levels: [[i16; 16]; 25],
}

impl Block {
    /// Returns whether the block has no tokens.
    pub(super) fn is_empty(&self) -> bool {
        self.levels.iter().all(|levels| levels.iter().all(|&level| level == 0))
    }
}

/// Which blocks at one side have levels: four of lightness, two of Cb, two of Cr, the lowest frequencies.
pub(super) type Side = [u8; 9];

/// Returns the places in a [`Side`] of the column and the row of each of the blocks of Cb and Cr.
pub(super) fn chroma_places(number: usize) -> (usize, usize) {
    let plane = 4 + number / 4 * 2;
    (plane + number % 2, plane + number / 2 % 2)
}

/// Gives all tokens of a block to `sink`, and writes what the neighbours to come need to know.
pub(super) fn emit_block(block: &Block, above: &mut Side, left: &mut Side, sink: &mut impl Sink) {
    let subblocks = matches!(block.luma, Luma::Subblocks(_));
    if block.is_empty() {
        above[..8].fill(0);
        left[..8].fill(0);
        if !subblocks {
            above[8] = 0;
            left[8] = 0;
        }
        return;
    }
    let mut one = |levels: &[i16; 16], kind: Kind, column: usize, row: usize| {
        let filled = emit(levels, kind, usize::from(above[column] + left[row]), sink);
        above[column] = filled.into();
        left[row] = filled.into();
    };
    let kind = if subblocks { Kind::WithLowest } else { Kind::WithoutLowest };
    if !subblocks {
        one(&block.levels[LOWEST], Kind::Lowest, 8, 8);
    }
    for (number, levels) in block.levels[..CHROMA].iter().enumerate() {
        one(levels, kind, number % 4, number / 4);
    }
    for (number, levels) in block.levels[CHROMA..LOWEST].iter().enumerate() {
        let (column, row) = chroma_places(number);
        one(levels, Kind::Chroma, column, row);
    }
}
