//! The choice of modes and levels: for every block those for which error and bits together are least.

use super::block::{Block, CHROMA, LOWEST, Luma, Side, chroma_places};
use super::modes::ModeCosts;
use super::predict::{Edges, Plane, SUBBLOCK_MODES, Whole, subblock, whole};
use super::quantise::Quantiser;
use super::tokens::{Costs, Kind};
use super::transform::{forward, forward_lowest, inverse, inverse_lowest};

/// What the choice depends on.
pub(super) struct Chooser<'a> {
    pub(super) quantiser: &'a Quantiser,
    pub(super) modes: &'a ModeCosts,
    /// Whether subblocks may have modes of their own.
    pub(super) subblocks: bool,
}

/// What the neighbours of a block have.
pub(super) struct Neighbours {
    /// Which of their blocks have levels.
    pub(super) above: Side,
    pub(super) left: Side,
    /// The modes of their subblocks.
    pub(super) modes_above: [u8; 4],
    pub(super) modes_left: [u8; 4],
}

/// A picture: lightness, Cb, Cr.
pub(super) type Planes = [Plane; 3];

/// A way to code lightness.
struct Coded {
    luma: Luma,
    levels: [[i16; 16]; 25],
    /// Error and bits.
    sum: i64,
}

impl Chooser<'_> {
    /// Returns the block at column `x` and row `y` of blocks, and writes what a decoder makes of it to `decoded`.
    pub(super) fn block(
        &self,
        source: &Planes,
        decoded: &mut Planes,
        (x, y): (usize, usize),
        near: &Neighbours,
        costs: &Costs,
    ) -> Block {
        let place = (16 * x, 16 * y);
        let (mut chosen, samples) = self.whole_luma(source, decoded, place, near, costs);
        let better =
            self.subblocks.then(|| self.subblock_luma(source, decoded, place, near, costs, chosen.sum)).flatten();
        match better {
            Some(better) => chosen = better,
            None => {
                for (number, samples) in samples.iter().enumerate() {
                    decoded[0].write(place.0 + number % 4 * 4, place.1 + number / 4 * 4, samples);
                }
            }
        }
        let chroma = self.chroma(source, decoded, (8 * x, 8 * y), near, costs, &mut chosen.levels);
        Block { luma: chosen.luma, chroma, levels: chosen.levels }
    }

    fn score(&self, error: i64, bits: u32) -> i64 {
        (error << 12) + self.quantiser.weight * i64::from(bits)
    }

    /// Returns the best way to predict lightness as a whole, and the samples that a decoder gets.
    fn whole_luma(
        &self,
        source: &Planes,
        decoded: &Planes,
        (x, y): (usize, usize),
        near: &Neighbours,
        costs: &Costs,
    ) -> (Coded, [[u8; 16]; 16]) {
        let edges: Edges<16> = decoded[0].edges(x, y);
        let mut best: Option<(i64, Whole, [[i32; 16]; 16])> = None;
        for (mode, &mode_cost) in Whole::ALL.into_iter().zip(&self.modes.luma) {
            let predicted = whole(mode, &edges);
            let mut lowest = [0; 16];
            let mut blocks = [[0; 16]; 16];
            let (mut error, mut bits) = (0, mode_cost);
            let mut side = (near.above, near.left);
            for (number, out) in blocks.iter_mut().enumerate() {
                let (column, row) = (number % 4, number / 4);
                let block = forward(&differences(&source[0], (x + 4 * column, y + 4 * row), |r, c| {
                    predicted[4 * row + r][4 * column + c]
                }));
                lowest[number] = block[0];
                let (levels, lost) = self.quantiser.luma.quick(&block, Kind::WithoutLowest);
                error += lost;
                bits += counted(&levels, Kind::WithoutLowest, &mut side, (column, row), costs);
                *out = block;
            }
            let (levels, lost) = self.quantiser.lowest.quick(&forward_lowest(&lowest), Kind::Lowest);
            bits += counted(&levels, Kind::Lowest, &mut side, (8, 8), costs);
            let sum = self.score(error + lost / 4, bits);
            if best.as_ref().is_none_or(|best| sum < best.0) {
                best = Some((sum, mode, blocks));
            }
        }
        let (_, mode, blocks) = best.unwrap_or((0, Whole::Mean, [[0; 16]; 16]));
        self.code_whole(mode, &blocks, &whole(mode, &edges), near, costs)
    }

    fn code_whole(
        &self,
        mode: Whole,
        blocks: &[[i32; 16]; 16],
        predicted: &[[u8; 16]; 16],
        near: &Neighbours,
        costs: &Costs,
    ) -> (Coded, [[u8; 16]; 16]) {
        let quantiser = self.quantiser;
        let mut side = (near.above, near.left);
        let mut levels = [[0; 16]; 25];
        let mut bits = self.modes.luma[mode as usize];
        let mut error = 0;
        let lowest = forward_lowest(&blocks.map(|block| block[0]));
        let context = usize::from(side.0[8] + side.1[8]);
        // Squared errors are four times as large as those of the frequencies that these are made of.
        levels[LOWEST] = quantiser.lowest.best(&lowest, Kind::Lowest, context, costs, 4 * quantiser.weight);
        bits += counted(&levels[LOWEST], Kind::Lowest, &mut side, (8, 8), costs);
        let decoded_lowest = inverse_lowest(&quantiser.lowest.frequencies(&levels[LOWEST]));
        let mut samples = [[0; 16]; 16];
        for (number, block) in blocks.iter().enumerate() {
            let (column, row) = (number % 4, number / 4);
            let context = usize::from(side.0[column] + side.1[row]);
            let found = quantiser.luma.best(block, Kind::WithoutLowest, context, costs, quantiser.weight);
            bits += counted(&found, Kind::WithoutLowest, &mut side, (column, row), costs);
            let mut frequencies = quantiser.luma.frequencies(&found);
            frequencies[0] = decoded_lowest[number];
            error += squared(block, &frequencies);
            samples[number] = restored(&frequencies, |r, c| predicted[4 * row + r][4 * column + c]);
            levels[number] = found;
        }
        (Coded { luma: Luma::Whole(mode), levels, sum: self.score(error, bits) }, samples)
    }

    /// Returns the best way to predict each subblock of lightness by its own mode, and writes what a decoder gets. `None` if it
    /// is not better than `limit`.
    fn subblock_luma(
        &self,
        source: &Planes,
        decoded: &mut Planes,
        (x, y): (usize, usize),
        near: &Neighbours,
        costs: &Costs,
        limit: i64,
    ) -> Option<Coded> {
        let quantiser = self.quantiser;
        let mut side = (near.above, near.left);
        let (mut above, mut left) = (near.modes_above, near.modes_left);
        let mut coded =
            Coded { luma: Luma::Whole(Whole::Mean), levels: [[0; 16]; 25], sum: self.score(0, self.modes.subblocks) };
        let mut modes = [0; 16];
        for (number, chosen) in modes.iter_mut().enumerate() {
            let (column, row) = (number % 4, number / 4);
            let place = (x + 4 * column, y + 4 * row);
            let edges = decoded[0].subblock_edges(place.0, place.1);
            let mode_costs = &self.modes.subblock[usize::from(above[column])][usize::from(left[row])];
            let context = usize::from(side.0[column] + side.1[row]);
            let mut best: Option<(i64, u8, [u8; 16], [i32; 16])> = None;
            for mode in 0..SUBBLOCK_MODES {
                let predicted = subblock(mode, &edges);
                let block = forward(&differences(&source[0], place, |r, c| predicted[4 * r + c]));
                let (levels, error) = quantiser.luma.quick(&block, Kind::WithLowest);
                let bits = mode_costs[usize::from(mode)] + costs.block(&levels, Kind::WithLowest, context);
                let sum = self.score(error, bits);
                if best.as_ref().is_none_or(|best| sum < best.0) {
                    best = Some((sum, mode, predicted, block));
                }
            }
            let (_, mode, predicted, block) = best?;
            let levels = quantiser.luma.best(&block, Kind::WithLowest, context, costs, quantiser.weight);
            let bits =
                mode_costs[usize::from(mode)] + counted(&levels, Kind::WithLowest, &mut side, (column, row), costs);
            let frequencies = quantiser.luma.frequencies(&levels);
            coded.sum += self.score(squared(&block, &frequencies), bits);
            if coded.sum >= limit {
                return None;
            }
            decoded[0].write(place.0, place.1, &restored(&frequencies, |r, c| predicted[4 * r + c]));
            coded.levels[number] = levels;
            *chosen = mode;
            above[column] = mode;
            left[row] = mode;
        }
        coded.luma = Luma::Subblocks(modes);
        Some(coded)
    }

    /// Chooses the mode of chroma, writes its levels, and what a decoder gets.
    fn chroma(
        &self,
        source: &Planes,
        decoded: &mut Planes,
        (x, y): (usize, usize),
        near: &Neighbours,
        costs: &Costs,
        out: &mut [[i16; 16]; 25],
    ) -> Whole {
        let quantiser = self.quantiser;
        let edges: [Edges<8>; 2] = [decoded[1].edges(x, y), decoded[2].edges(x, y)];
        let mut best: Option<(i64, Whole, [[i32; 16]; 8])> = None;
        for (mode, &mode_cost) in Whole::ALL.into_iter().zip(&self.modes.chroma) {
            let predicted = [whole(mode, &edges[0]), whole(mode, &edges[1])];
            let mut blocks = [[0; 16]; 8];
            let (mut error, mut bits) = (0, mode_cost);
            let mut side = (near.above, near.left);
            for (number, block) in blocks.iter_mut().enumerate() {
                let (plane, column, row) = (number / 4, number % 2, number / 2 % 2);
                let place = (x + 4 * column, y + 4 * row);
                *block = forward(&differences(&source[1 + plane], place, |r, c| {
                    predicted[plane][4 * row + r][4 * column + c]
                }));
                let (levels, lost) = quantiser.chroma.quick(block, Kind::Chroma);
                error += lost;
                bits += counted(&levels, Kind::Chroma, &mut side, chroma_places(number), costs);
            }
            let sum = self.score(error, bits);
            if best.as_ref().is_none_or(|best| sum < best.0) {
                best = Some((sum, mode, blocks));
            }
        }
        let (_, mode, blocks) = best.unwrap_or((0, Whole::Mean, [[0; 16]; 8]));
        let predicted = [whole(mode, &edges[0]), whole(mode, &edges[1])];
        let mut side = (near.above, near.left);
        for (number, block) in blocks.iter().enumerate() {
            let (plane, column, row) = (number / 4, number % 2, number / 2 % 2);
            let places = chroma_places(number);
            let context = usize::from(side.0[places.0] + side.1[places.1]);
            let levels = quantiser.chroma.best(block, Kind::Chroma, context, costs, quantiser.weight);
            counted(&levels, Kind::Chroma, &mut side, places, costs);
            let frequencies = quantiser.chroma.frequencies(&levels);
            let samples = restored(&frequencies, |r, c| predicted[plane][4 * row + r][4 * column + c]);
            decoded[1 + plane].write(x + 4 * column, y + 4 * row, &samples);
            out[CHROMA + number] = levels;
        }
        mode
    }
}

/// Returns what a block costs, and writes to its sides whether it has levels.
fn counted(
    levels: &[i16; 16],
    kind: Kind,
    side: &mut (Side, Side),
    (column, row): (usize, usize),
    costs: &Costs,
) -> u32 {
    let bits = costs.block(levels, kind, usize::from(side.0[column] + side.1[row]));
    let filled = levels[kind.first()..].iter().any(|&level| level != 0);
    side.0[column] = filled.into();
    side.1[row] = filled.into();
    bits
}

/// Returns the differences of a block of samples from its prediction, by row and column.
fn differences(plane: &Plane, (x, y): (usize, usize), predicted: impl Fn(usize, usize) -> u8) -> [i32; 16] {
    let mut out = [0; 16];
    for (r, out) in out.chunks_exact_mut(4).enumerate() {
        let start = (y + r) * plane.stride + x;
        for (c, (out, &sample)) in out.iter_mut().zip(&plane.samples[start..start + 4]).enumerate() {
            *out = i32::from(sample) - i32::from(predicted(r, c));
        }
    }
    out
}

/// Returns the samples that a decoder gets.
fn restored(frequencies: &[i32; 16], predicted: impl Fn(usize, usize) -> u8) -> [u8; 16] {
    let mut out = [0; 16];
    for (number, (out, difference)) in out.iter_mut().zip(inverse(frequencies)).enumerate() {
        *out = (i32::from(predicted(number / 4, number % 4)) + difference).clamp(0, 255) as u8;
    }
    out
}

fn squared(block: &[i32; 16], frequencies: &[i32; 16]) -> i64 {
    block.iter().zip(frequencies).map(|(a, b)| i64::from(a - b) * i64::from(a - b)).sum()
}
