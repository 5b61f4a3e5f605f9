//! Eight by eight samples: the accurate integer transform of Loeffler, Ligtenberg and Moschytz ("Practical Fast 1-D DCT
//! Algorithms with 11 Multiplications", ICASSP 1989), rounded where libjpeg's `jidctint.c` rounds. So a picture at its full
//! size has libjpeg's samples.
//!
//! Its multiplications are arranged in pairs of numbers of 16 bits, because processors add two products at once. The sums
//! are the same.

use super::lanes::Words;
use super::wide::{FIRST, SECOND, Sums, transposed};

/// The factors.
const F_0_298: i16 = 2446;
const F_0_390: i16 = 3196;
const F_0_541: i16 = 4433;
const F_0_765: i16 = 6270;
const F_0_899: i16 = 7373;
const F_1_175: i16 = 9633;
const F_1_501: i16 = 12299;
const F_1_847: i16 = 15137;
const F_1_961: i16 = 16069;
const F_2_053: i16 = 16819;
const F_2_562: i16 = 20995;
const F_3_072: i16 = 25172;
const ONE: i16 = 8192;

/// By which pairs of factors each sum of the transform is made. The comments name the numbers that are multiplied.
const EVEN_2: [i16; 2] = [F_0_541, F_0_541 - F_1_847]; // 2, 6
const EVEN_3: [i16; 2] = [F_0_541 + F_0_765, F_0_541]; // 2, 6
const ODD_Z3: [i16; 2] = [F_1_175 - F_1_961, F_1_175]; // 7 + 3, 5 + 1
const ODD_Z4: [i16; 2] = [F_1_175, F_1_175 - F_0_390]; // 7 + 3, 5 + 1
const ODD_0: [i16; 2] = [F_0_298 - F_0_899, -F_0_899]; // 7, 1
const ODD_3: [i16; 2] = [-F_0_899, F_1_501 - F_0_899]; // 7, 1
const ODD_1: [i16; 2] = [F_2_053 - F_2_562, -F_2_562]; // 5, 3
const ODD_2: [i16; 2] = [-F_2_562, F_3_072 - F_2_562]; // 5, 3

/// Transforms `block`, row by row, and writes eight rows of eight samples to `out`, whose rows are `stride` apart. `None` if
/// they do not fit.
#[inline(always)]
pub fn eight(block: &[i16; 64], steps: &[i16; 64], out: &mut [u8], stride: usize) -> Option<()> {
    let rows = [0, 8, 16, 24, 32, 40, 48, 56].map(|at| Words::read(block, at).times(Words::read(steps, at)));
    let [a, b, c, d, e, f, g, h] = transposed(pass::<SECOND>(transposed(pass::<FIRST>(rows))));
    for (pair, (one, other)) in [(a, b), (c, d), (e, f), (g, h)].into_iter().enumerate() {
        let [one, other] = Words::samples(one, other);
        *out.get_mut(2 * pair * stride..)?.first_chunk_mut()? = one;
        *out.get_mut((2 * pair + 1) * stride..)?.first_chunk_mut()? = other;
    }
    Some(())
}

/// Transforms down the rows.
#[inline(always)]
fn pass<const SHIFT: u32>(x: [Words; 8]) -> [Words; 8] {
    let half = Sums::splat(1 << (SHIFT - 1));
    let (first, second) = (Words::paired(x[0], x[4]), Words::paired(x[2], x[6]));
    let (e0, e1) = (Sums::of(first, [ONE, ONE]).plus(half), Sums::of(first, [ONE, -ONE]).plus(half));
    let (e2, e3) = (Sums::of(second, EVEN_2), Sums::of(second, EVEN_3));
    let sums = Words::paired(x[7].plus(x[3]), x[5].plus(x[1]));
    let (z3, z4) = (Sums::of(sums, ODD_Z3), Sums::of(sums, ODD_Z4));
    let (outer, inner) = (Words::paired(x[7], x[1]), Words::paired(x[5], x[3]));
    let [a, b, c, d] = [
        (e0.plus(e3), Sums::of(outer, ODD_3).plus(z4)),
        (e1.plus(e2), Sums::of(inner, ODD_2).plus(z3)),
        (e1.minus(e2), Sums::of(inner, ODD_1).plus(z4)),
        (e0.minus(e3), Sums::of(outer, ODD_0).plus(z3)),
    ]
    .map(|(even, odd)| (even.plus(odd).narrowed::<SHIFT>(), even.minus(odd).narrowed::<SHIFT>()));
    [a.0, b.0, c.0, d.0, d.1, c.1, b.1, a.1]
}
