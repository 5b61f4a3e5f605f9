//! A VP8 frame (RFC 6386, section 9): headers, modes, tokens.

use super::bits::Writer;
use super::block::{Block, Luma, emit_block};
use super::choose::{Chooser, Neighbours, Planes};
use super::modes::{self, ModeCosts};
use super::predict::{MEAN, Plane};
use super::quantise::Quantiser;
use super::tables::{DEFAULTS, TokenProbabilities, UPDATES};
use super::tokens::{Costs, Counts, Sink};
use crate::geometry::Size;

/// The most bytes of headers and modes: 19 bits.
const MOST_MODES: usize = (1 << 19) - 1;

/// Returns the frame of a picture of `size`, whose planes are of whole blocks. Sides are at most 16383.
pub(super) fn encode(source: &Planes, size: Size, index: u8) -> Vec<u8> {
    let frame = encode_with(source, size, index, true);
    // Very large pictures have too many subblocks for their modes to be written.
    frame.or_else(|| encode_with(source, size, index, false)).unwrap_or_default()
}

fn encode_with(source: &Planes, size: Size, index: u8, subblocks: bool) -> Option<Vec<u8>> {
    let quantiser = Quantiser::new(index);
    let (columns, rows) = (source[0].stride / 16, source[0].samples.len() / source[0].stride / 16);
    let blocks = choose(source, &quantiser, (columns, rows), subblocks);

    let mut counts = Counts::new();
    each(&blocks, columns, |block, above, left| emit_block(block, above, left, &mut counts));
    let probabilities = counts.best();
    let modes = write_modes(&blocks, columns, &quantiser, &probabilities);
    let length: usize = modes.iter().map(Vec::len).sum();
    if length > MOST_MODES {
        return None;
    }
    let mut tokens = Tokens { writer: Writer::new(), probabilities };
    each(&blocks, columns, |block, above, left| emit_block(block, above, left, &mut tokens));
    drop(blocks);
    let tokens = tokens.writer.finish();

    let mut out = Vec::with_capacity(10 + length + tokens.iter().map(Vec::len).sum::<usize>());
    // A key frame of version 0 that is shown, and how long its first part is.
    out.extend(&((length as u32) << 5 | 1 << 4).to_le_bytes()[..3]);
    out.extend([0x9d, 0x01, 0x2a]);
    out.extend((size.width as u16).to_le_bytes());
    out.extend((size.height as u16).to_le_bytes());
    // Each piece is freed when it is copied.
    modes.into_iter().chain(tokens).for_each(|piece| out.extend_from_slice(&piece));
    Some(out)
}

/// Returns the most bytes that making a frame of this size takes, the planes of its source included: those, what a decoder makes
/// of them or what is written, and the blocks.
pub(super) fn memory(size: Size) -> u64 {
    let blocks = u64::from(size.width.div_ceil(16)) * u64::from(size.height.div_ceil(16));
    blocks * (PLANES + PLANES.max(MOST_OF_BLOCK) + size_of::<Block>() as u64) + (2 << 20)
}

/// The bytes of a block in all planes.
const PLANES: u64 = 16 * 16 + 2 * 8 * 8;

/// The most bytes of a block in a frame. Noise at the best quality takes less.
pub(super) const MOST_OF_BLOCK: u64 = 400;

/// The blocks of a picture, row by row. Each row is a list of its own, which finds room where a list of all does not.
type Blocks = Vec<Vec<Block>>;

/// Returns all blocks.
fn choose(source: &Planes, quantiser: &Quantiser, (columns, rows): (usize, usize), subblocks: bool) -> Blocks {
    let modes = ModeCosts::new();
    let chooser = Chooser { quantiser, modes: &modes, subblocks };
    let mut decoded =
        [Plane::new(16 * columns, 16 * rows), Plane::new(8 * columns, 8 * rows), Plane::new(8 * columns, 8 * rows)];
    // What bits cost is learnt from the blocks before.
    let mut counts = Counts::new();
    let mut costs = Costs::new(&DEFAULTS);
    let lesson = (columns * rows / 24).max(32);
    let (mut blocks, mut chosen) = (Vec::with_capacity(rows), 0);
    let mut above = vec![([0; 9], [MEAN; 4]); columns];
    for y in 0..rows {
        let mut row = Vec::with_capacity(columns);
        let mut left = ([0; 9], [MEAN; 4]);
        for (x, above) in above.iter_mut().enumerate() {
            let near = Neighbours { above: above.0, left: left.0, modes_above: above.1, modes_left: left.1 };
            let block = chooser.block(source, &mut decoded, (x, y), &near, &costs);
            emit_block(&block, &mut above.0, &mut left.0, &mut counts);
            (above.1, left.1) = edge_modes(block.luma);
            row.push(block);
            chosen += 1;
            if chosen % lesson == 0 {
                costs = Costs::new(&counts.best());
            }
        }
        blocks.push(row);
    }
    blocks
}

/// Returns the modes of the subblocks at the bottom and at the right.
fn edge_modes(luma: Luma) -> ([u8; 4], [u8; 4]) {
    match luma {
        Luma::Whole(mode) => ([mode.as_subblock(); 4], [mode.as_subblock(); 4]),
        Luma::Subblocks(modes) => ([12, 13, 14, 15].map(|at| modes[at]), [3, 7, 11, 15].map(|at| modes[at])),
    }
}

/// Calls `f` with every block and the sides of its neighbours.
fn each(blocks: &[Vec<Block>], columns: usize, mut f: impl FnMut(&Block, &mut [u8; 9], &mut [u8; 9])) {
    let mut above = vec![[0; 9]; columns];
    for row in blocks {
        let mut left = [0; 9];
        row.iter().zip(&mut above).for_each(|(block, above)| f(block, above, &mut left));
    }
}

/// Returns the first part of a frame: its header and the modes of all blocks.
fn write_modes(
    blocks: &[Vec<Block>],
    columns: usize,
    quantiser: &Quantiser,
    probabilities: &TokenProbabilities,
) -> Vec<Vec<u8>> {
    let mut out = Writer::new();
    // The colours of section 9.2, and samples that must be limited to bytes.
    out.number(0b00, 2);
    // No segments.
    out.number(0, 1);
    // The normal filter, its strength, no sharpness, no differences between blocks.
    out.number(0, 1);
    out.number(filter(quantiser), 6);
    out.number(0, 3);
    out.number(0, 1);
    // One part with tokens.
    out.number(0, 2);
    // The same index for all kinds of blocks.
    out.number(quantiser.index.into(), 7);
    out.number(0, 5);
    // No frame follows that could use the probabilities.
    out.number(0, 1);
    for (old, (new, update)) in flat(&DEFAULTS).zip(flat(probabilities).zip(flat(&UPDATES))) {
        out.put(old != new, update);
        if old != new {
            out.number(new.into(), 8);
        }
    }
    let all = blocks.len() * columns;
    let empty = blocks.iter().flatten().filter(|block| block.is_empty()).count();
    let filled = (((all - empty) * 256 / all.max(1)).clamp(1, 255)) as u8;
    out.number(1, 1);
    out.number(filled.into(), 8);
    let mut above = vec![[MEAN; 4]; columns];
    for row in blocks {
        let mut left = [MEAN; 4];
        for (block, above) in row.iter().zip(&mut above) {
            out.put(block.is_empty(), filled);
            modes::luma(block.luma, |bit, zero| out.put(bit, zero));
            if let Luma::Subblocks(modes) = block.luma {
                for (number, &mode) in modes.iter().enumerate() {
                    let (column, row) = (number % 4, number / 4);
                    modes::subblock(mode, above[column], left[row], |bit, zero| out.put(bit, zero));
                    above[column] = mode;
                    left[row] = mode;
                }
            }
            (*above, left) = edge_modes(block.luma);
            modes::chroma(block.chroma, |bit, zero| out.put(bit, zero));
        }
    }
    out.finish()
}

fn flat(probabilities: &TokenProbabilities) -> impl Iterator<Item = u8> {
    probabilities.iter().flatten().flatten().flatten().copied()
}

/// Returns the strength of the filter of the edges between blocks, which grows with the steps.
fn filter(quantiser: &Quantiser) -> u32 {
    let step = quantiser.luma.frequency(1, 1) as u32;
    (step * 3 / 16).min(63)
}

/// Writes tokens.
struct Tokens {
    writer: Writer,
    probabilities: TokenProbabilities,
}

impl Sink for Tokens {
    fn branch(&mut self, (kind, band, context): (usize, usize, usize), node: usize, bit: bool) {
        self.writer.put(bit, self.probabilities[kind][band][context][node]);
    }

    fn fixed(&mut self, bit: bool, zero: u8) {
        self.writer.put(bit, zero);
    }
}
