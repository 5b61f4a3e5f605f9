//! Five, six and seven samples. A block is stored by columns here, so that one change of rows and columns is enough.

use super::lanes::Words;
use super::wide::{FIRST, SECOND, Sums, transposed};

/// For five, six and seven samples, and each sample of the first half with the one in the middle: by which factors the
/// frequencies are multiplied, √2 cos((2i + 1) k π / 2n), and 1 for the first one. The samples of the second half have the
/// same factors backwards, with the other sign at odd frequencies.
#[rustfmt::skip]
const FACTORS: [[[i16; 8]; 4]; 3] = [
    [
        [8192, 11018,   9373,   6810,   3580,      0,      0, 0],
        [8192,  6810,  -3580, -11018,  -9373,      0,      0, 0],
        [8192,     0, -11585,      0,  11585,      0,      0, 0],
        [0; 8],
    ],
    [
        [8192, 11190,  10033,   8192,   5793,   2998,      0, 0],
        [8192,  8192,      0,  -8192, -11585,  -8192,      0, 0],
        [8192,  2998, -10033,  -8192,   5793,  11190,      0, 0],
        [0; 8],
    ],
    [
        [8192, 11295,  10438,   9058,   7223,   5027,   2578, 0],
        [8192,  9058,   2578,  -5027, -10438, -11295,  -7223, 0],
        [8192,  5027,  -7223, -11295,  -2578,   9058,  10438, 0],
        [8192,     0, -11585,      0,  11585,      0, -11585, 0],
    ],
];

/// Transforms `block`, which has eight numbers for each column, and writes `N` rows of `N` samples, five to seven, to `out`,
/// whose rows are `stride` apart. `None` if they do not fit.
#[inline(always)]
pub fn middle<const N: usize>(block: &[i16; 64], steps: &[i16; 64], out: &mut [u8], stride: usize) -> Option<()> {
    let column =
        |u: usize| if u < N { Words::read(block, 8 * u).times(Words::read(steps, 8 * u)) } else { Words::zero() };
    let columns = [0, 1, 2, 3, 4, 5, 6, 7].map(column);
    let [a, b, c, d, e, f, g, h] = pass::<N, SECOND>(transposed(pass::<N, FIRST>(columns)));
    for (pair, (one, other)) in [(a, b), (c, d), (e, f), (g, h)].into_iter().enumerate() {
        let both = Words::samples(one, other);
        for (y, row) in (2 * pair..N).zip(both) {
            *out.get_mut(y * stride..)?.first_chunk_mut::<N>()? = *row.first_chunk()?;
        }
    }
    Some(())
}

/// Transforms down the rows.
#[inline(always)]
fn pass<const N: usize, const SHIFT: u32>(x: [Words; 8]) -> [Words; 8] {
    let half = Sums::splat(1 << (SHIFT - 1));
    let even = [Words::paired(x[0], x[2]), Words::paired(x[4], x[6])];
    let odd = [Words::paired(x[1], x[3]), Words::paired(x[5], x[7])];
    let mut made = [Words::zero(); 8];
    for i in 0..N.div_ceil(2) {
        let [a, b, c, d, e, f, g, h] = FACTORS[N - 5][i];
        let same = Sums::of(even[0], [a, c]).plus(half).plus(Sums::of(even[1], [e, g]));
        if 2 * i + 1 == N {
            made[i] = same.narrowed::<SHIFT>();
            continue;
        }
        let mut opposite = Sums::of(odd[0], [b, d]);
        if N > 5 {
            opposite = opposite.plus(Sums::of(odd[1], [f, h]));
        }
        made[i] = same.plus(opposite).narrowed::<SHIFT>();
        made[N - 1 - i] = same.minus(opposite).narrowed::<SHIFT>();
    }
    made
}
