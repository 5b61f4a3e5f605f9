//! Four by four samples of the sixteen lowest frequencies.
//!
//! A block is stored as the transform takes it: for each vertical frequency, the horizontal frequencies 0 and 2 side by side,
//! and then, in the second half, 1 and 3.

use super::lanes::{Longs, Words};
use super::wide::{FIRST, SECOND};

/// √2 cos(kπ/8) for k = 1 and 3, and 1.
const C1: i16 = 10_703;
const C3: i16 = 4_433;
const ONE: i16 = 8_192;

/// Transforms `block`, of which the first sixteen numbers are used, and writes four rows of four samples to `out`, whose rows
/// are `stride` apart. `None` if they do not fit.
#[inline(always)]
pub fn four(block: &[i16; 64], steps: &[i16; 64], out: &mut [u8], stride: usize) -> Option<()> {
    let [even, odd] = [0, 8].map(|at| Words::read(block, at).times(Words::read(steps, at)));
    let [left, right] = pass::<FIRST>(even, odd);
    let [even, odd] = Words::apart(left, right);
    let [top, bottom] = pass::<SECOND>(even, odd);
    let both = Words::samples(top, bottom);
    for (y, row) in both.as_flattened().as_chunks::<4>().0.iter().enumerate() {
        *out.get_mut(y * stride..)?.first_chunk_mut()? = *row;
    }
    Some(())
}

/// Transforms pairs of frequencies, for four columns or rows. Returns the first two samples of each, and the last two.
#[inline(always)]
fn pass<const SHIFT: u32>(even: Words, odd: Words) -> [Words; 2] {
    let half = Longs::splat(1 << (SHIFT - 1));
    let (outer, inner) = (even.dot([ONE, ONE]).plus(half), even.dot([ONE, -ONE]).plus(half));
    let (far, near) = (odd.dot([C1, C3]), odd.dot([C3, -C1]));
    [
        Longs::narrowed::<SHIFT>(outer.plus(far), inner.plus(near)),
        Longs::narrowed::<SHIFT>(inner.minus(near), outer.minus(far)),
    ]
}
