//! How modes of prediction become bits (RFC 6386, section 11), and what they cost.

use super::block::Luma;
use super::predict::{SUBBLOCK_MODES, Whole};
use super::tables;
use super::tokens::cost;

/// Calls `put` with every bit of the mode of lightness, but those of its subblocks, and its probability of being 0.
pub(super) fn luma(mode: Luma, mut put: impl FnMut(bool, u8)) {
    let Luma::Whole(mode) = mode else { return put(false, 145) };
    put(true, 145);
    put(matches!(mode, Whole::Right | Whole::Slope), 156);
    match mode {
        Whole::Mean => put(false, 163),
        Whole::Down => put(true, 163),
        Whole::Right => put(false, 128),
        Whole::Slope => put(true, 128),
    }
}

/// Calls `put` with every bit of the mode of chroma.
pub(super) fn chroma(mode: Whole, mut put: impl FnMut(bool, u8)) {
    for (wanted, zero) in [(Whole::Mean, 142), (Whole::Down, 114), (Whole::Right, 183)] {
        put(mode != wanted, zero);
        if mode == wanted {
            return;
        }
    }
}

/// Calls `put` with every bit of the mode of a subblock, whose neighbours have the modes `above` and `left`.
pub(super) fn subblock(mode: u8, above: u8, left: u8, mut put: impl FnMut(bool, u8)) {
    let p = &tables::SUBBLOCK_MODES[usize::from(above)][usize::from(left)];
    // The nodes of the tree on the way to each mode, and where the way turns.
    let way: &[(usize, bool)] = match mode {
        0 => &[(0, false)],
        1 => &[(0, true), (1, false)],
        2 => &[(0, true), (1, true), (2, false)],
        3 => &[(0, true), (1, true), (2, true), (3, false), (4, false)],
        5 => &[(0, true), (1, true), (2, true), (3, false), (4, true), (5, false)],
        6 => &[(0, true), (1, true), (2, true), (3, false), (4, true), (5, true)],
        4 => &[(0, true), (1, true), (2, true), (3, true), (6, false)],
        7 => &[(0, true), (1, true), (2, true), (3, true), (6, true), (7, false)],
        8 => &[(0, true), (1, true), (2, true), (3, true), (6, true), (7, true), (8, false)],
        _ => &[(0, true), (1, true), (2, true), (3, true), (6, true), (7, true), (8, true)],
    };
    way.iter().for_each(|&(node, bit)| put(bit, p[node]));
}

/// What modes cost, in 1/256 bits.
pub(super) struct ModeCosts {
    pub(super) luma: [u32; 4],
    pub(super) subblocks: u32,
    pub(super) chroma: [u32; 4],
    /// By the modes above and to the left.
    pub(super) subblock: Vec<[[u32; SUBBLOCK_MODES as usize]; SUBBLOCK_MODES as usize]>,
}

/// Passes the bits of a mode on, each with its probability of being 0.
type Bits<'a> = dyn Fn(&mut dyn FnMut(bool, u8)) + 'a;

impl ModeCosts {
    pub(super) fn new() -> Self {
        let sum = |bits: &Bits<'_>| {
            let mut sum = 0;
            bits(&mut |bit, zero| sum += cost(bit, zero));
            sum
        };
        let of =
            |above: usize, left: usize, mode: usize| sum(&|put| subblock(mode as u8, above as u8, left as u8, put));
        Self {
            luma: Whole::ALL.map(|mode| sum(&|put| luma(Luma::Whole(mode), put))),
            subblocks: sum(&|put| luma(Luma::Subblocks([0; 16]), put)),
            chroma: Whole::ALL.map(|mode| sum(&|put| chroma(mode, put))),
            subblock: (0..usize::from(SUBBLOCK_MODES))
                .map(|above| std::array::from_fn(|left| std::array::from_fn(|mode| of(above, left, mode))))
                .collect(),
        }
    }
}
