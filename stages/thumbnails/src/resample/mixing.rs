//! The inner loops: rows mixed to one row, and four rows mixed along themselves.
//!
//! The usual numbers of weights have loops of their own, whose inner one is unrolled: the sandbox checks the deadline in
//! every turn of a loop.

use crate::simd::{I16x8, I32x4, WEIGHT_BITS};

/// The number of rows that [`along`] makes at once.
pub const ROWS: usize = 4;

/// Mixes rows of the same length with as many weights, an even number. `out` has room for whole vectors of sixteen.
pub fn mix(rows: &[&[u8]], weights: &[i16], out: &mut [u8]) {
    if let ([only, _], [weight, 0]) = (rows, weights)
        && i32::from(*weight) == 1 << WEIGHT_BITS
    {
        out[..only.len()].copy_from_slice(only);
        return;
    }
    let ((pairs, _), (weights, _)) = (rows.as_chunks::<2>(), weights.as_chunks::<2>());
    match pairs.len() {
        1 => mix_pairs::<1>(pairs, weights, out),
        2 => mix_pairs::<2>(pairs, weights, out),
        3 => mix_pairs::<3>(pairs, weights, out),
        4 => mix_pairs::<4>(pairs, weights, out),
        5 => mix_pairs::<5>(pairs, weights, out),
        6 => mix_pairs::<6>(pairs, weights, out),
        7 => mix_pairs::<7>(pairs, weights, out),
        8 => mix_pairs::<8>(pairs, weights, out),
        _ => mix_rest(pairs, weights, 0, out),
    }
}

/// Mixes `P` pairs of rows.
fn mix_pairs<const P: usize>(pairs: &[[&[u8]; 2]], weights: &[[i16; 2]], out: &mut [u8]) {
    let (Some(rows), Some(factors)) = (pairs.first_chunk::<P>(), weights.first_chunk::<P>()) else { return };
    let width = rows[0][0].len();
    let factors = factors.map(I16x8::pair);
    let rows = rows.map(|pair| pair.map(|row| row.get(..width).unwrap_or_default().as_chunks::<32>().0));
    let (whole, _) = out.as_chunks_mut::<32>();
    for (i, to) in whole.iter_mut().enumerate().take(width / 32) {
        let (mut sums, mut more) = (I32x4::halves(), I32x4::halves());
        for (&[a, b], &factors) in rows.iter().zip(&factors) {
            let (Some(a), Some(b)) = (a.get(i), b.get(i)) else { return };
            let ((a, _), (b, _)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
            sums = I32x4::add_rows(sums, &a[0], &b[0], factors);
            more = I32x4::add_rows(more, &a[1], &b[1], factors);
        }
        let (to, _) = to.as_chunks_mut::<16>();
        (to[0], to[1]) = (I32x4::bytes(sums), I32x4::bytes(more));
    }
    mix_rest(pairs, weights, width / 32 * 32, out);
}

/// Mixes any number of pairs of rows, from a column on.
fn mix_rest(pairs: &[[&[u8]; 2]], weights: &[[i16; 2]], from: usize, out: &mut [u8]) {
    let width = pairs.first().map_or(0, |[first, _]| first.len());
    let (out, _) = out.get_mut(from..).unwrap_or_default().as_chunks_mut::<16>();
    for (at, to) in (from..width).step_by(16).zip(out) {
        let sums = pairs.iter().zip(weights).fold(I32x4::halves(), |sums, ([a, b], &weights)| {
            I32x4::add_rows(sums, &sixteen(a, at), &sixteen(b, at), I16x8::pair(weights))
        });
        *to = I32x4::bytes(sums);
    }
}

/// Returns sixteen samples of a row, with zeros behind its end.
fn sixteen(row: &[u8], at: usize) -> [u8; 16] {
    let row = row.get(at..).unwrap_or_default();
    row.first_chunk().copied().unwrap_or_else(|| std::array::from_fn(|i| row.get(i).copied().unwrap_or_default()))
}

/// Mixes along four rows, and writes four rows of as many samples as there are `starts`. Each has `count` weights, a multiple
/// of eight.
pub fn along(rows: &[u8], weights: &[i16], count: usize, starts: &[u32], out: &mut [u8]) {
    match count {
        8 => along_eights::<8>(rows, weights, starts, out),
        16 => along_eights::<16>(rows, weights, starts, out),
        24 => along_eights::<24>(rows, weights, starts, out),
        _ => along_any(rows, weights, count, starts, out),
    }
}

/// Mixes along four rows with `N` weights, a multiple of eight.
fn along_eights<const N: usize>(rows: &[u8], weights: &[i16], starts: &[u32], out: &mut [u8]) {
    let (weights, _) = weights.as_chunks::<N>();
    let ([a, b, c, d], [to_a, to_b, to_c, to_d]) = (quarters(rows), quarters_mut(out));
    let made = to_a.iter_mut().zip(to_b).zip(to_c).zip(to_d);
    for ((weights, &start), (((to_a, to_b), to_c), to_d)) in weights.iter().zip(starts).zip(made) {
        let start = start as usize;
        let (Some(a), Some(b), Some(c), Some(d)) =
            (part::<N>(a, start), part::<N>(b, start), part::<N>(c, start), part::<N>(d, start))
        else {
            return;
        };
        let mut sums = [I32x4::splat(0); ROWS];
        for (i, weights) in weights.as_chunks::<8>().0.iter().enumerate() {
            let weights = I16x8::new(*weights);
            for (sum, row) in sums.iter_mut().zip([a, b, c, d]) {
                *sum = sum.add_row(&row.as_chunks::<8>().0[i], weights);
            }
        }
        [*to_a, *to_b, *to_c, *to_d] = I32x4::totals(sums);
    }
}

#[inline(always)]
fn part<const N: usize>(row: &[u8], start: usize) -> Option<&[u8; N]> {
    row.get(start..)?.first_chunk()
}

/// Mixes along four rows with any number of weights.
fn along_any(rows: &[u8], weights: &[i16], count: usize, starts: &[u32], out: &mut [u8]) {
    let (rows, made) = (quarters(rows), quarters_mut(out));
    for (row, made) in rows.into_iter().zip(made) {
        for ((weights, &start), to) in weights.chunks_exact(count).zip(starts).zip(made) {
            let part = row.get(start as usize..).unwrap_or_default();
            let each = weights.as_chunks::<8>().0.iter().zip(part.as_chunks::<8>().0);
            let sum = each.fold(I32x4::splat(0), |sum, (weights, part)| sum.add_row(part, I16x8::new(*weights)));
            *to = I32x4::totals([sum; ROWS])[0];
        }
    }
}

/// Returns four rows of the same length.
fn quarters(all: &[u8]) -> [&[u8]; ROWS] {
    let length = all.len() / ROWS;
    let (ab, cd) = all.split_at(2 * length);
    let ((a, b), (c, d)) = (ab.split_at(length), cd.split_at(length));
    [a, b, c, d.get(..length).unwrap_or_default()]
}

/// Returns four rows of the same length.
fn quarters_mut(all: &mut [u8]) -> [&mut [u8]; ROWS] {
    let length = all.len() / ROWS;
    let (ab, cd) = all.split_at_mut(2 * length);
    let ((a, b), (c, d)) = (ab.split_at_mut(length), cd.split_at_mut(length));
    [a, b, c, d]
}
