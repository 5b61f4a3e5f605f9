//! Four by four samples of the sixteen lowest frequencies, in floating-point numbers.

use super::lanes::{Floats, Words};

/// ½ cos(kπ/16) for k = 2, 4 and 6. The second is also 1/√8.
const C2: f32 = 0.461_939_77;
const C4: f32 = 0.353_553_4;
const C6: f32 = 0.191_341_72;

/// Transforms `block`, of which the first sixteen coefficients are used, row by row, and writes four rows of four samples to
/// `out`, whose rows are `stride` apart. `None` if they do not fit.
#[inline(always)]
pub fn four(block: &[i16; 64], steps: &[i16; 64], out: &mut [u8], stride: usize) -> Option<()> {
    let [[a, b], [c, d]] = [0, 8].map(|at| Words::read(block, at).times(Words::read(steps, at)).floats());
    let rows = Floats::transposed(pass(Floats::transposed(pass([a, b, c, d]))));
    for (y, row) in Floats::samples(rows).into_iter().enumerate() {
        *out.get_mut(y * stride..)?.first_chunk_mut()? = row;
    }
    Some(())
}

/// Transforms down the rows.
#[inline(always)]
fn pass(x: [Floats; 4]) -> [Floats; 4] {
    let (c2, c4, c6) = (Floats::splat(C2), Floats::splat(C4), Floats::splat(C6));
    let (sum, difference) = (x[0].plus(x[2]).times(c4), x[0].minus(x[2]).times(c4));
    let outer = x[1].times(c2).plus(x[3].times(c6));
    let inner = x[1].times(c6).minus(x[3].times(c2));
    [sum.plus(outer), difference.plus(inner), difference.minus(inner), sum.minus(outer)]
}
