//! Resampling of a plane with a Lanczos filter of three lobes.
//!
//! First down the columns, then along the rows, four rows at a time. Weights have 14 fractional bits and add up to exactly
//! one, so an even area keeps its value.

use crate::error::PictureError;
use crate::geometry::Size;
use crate::plane::Plane;
use crate::simd::{I16x8, I32x4, WEIGHT_BITS};

/// A stretch of a plane's columns or rows, which may reach beyond its edges.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// Where it begins, in samples.
    pub start: f64,
    /// Its length in samples.
    pub length: f64,
}

/// The number of rows that are made at once.
const ROWS: usize = 4;
/// The number of bytes behind each row, which the last weights, all zero, are multiplied with.
const PADDING: usize = 16;

/// Returns the samples of a plane of `target` samples that shows the stretches `across` and `down` of `plane`.
///
/// # Errors
/// If the plane is incomplete.
pub fn resample(plane: &Plane, target: Size, across: Span, down: Span) -> Result<Vec<u8>, PictureError> {
    let (width, height) = (plane.size.width as usize, plane.size.height as usize);
    if width == 0 || height == 0 || plane.samples.len() != width * height {
        return Err(PictureError::defect(format!(
            "a channel of {} pixels has {} samples",
            plane.size,
            plane.samples.len()
        )));
    }
    // Samples behind the picture's end are not looked at.
    let covered = |extent: f64, side: u32| (extent.ceil() as u32).clamp(1, side);
    let columns = Weights::new(covered(plane.extent.0, plane.size.width), across, target.width, 8);
    let rows = Weights::new(covered(plane.extent.1, plane.size.height), down, target.height, 2);

    let (to_width, to_height) = (target.width as usize, target.height as usize);
    let mut out = vec![0; to_width * to_height];
    let stride = width.next_multiple_of(16) + PADDING + columns.count;
    let mut between = vec![0; ROWS * stride];
    let mut sources = Vec::with_capacity(rows.count);
    for (block, lines) in out.chunks_mut(ROWS * to_width).enumerate() {
        for (i, line) in between.chunks_exact_mut(stride).enumerate() {
            let y = (ROWS * block + i).min(to_height - 1);
            let (start, weights) = rows.at(y);
            sources.clear();
            // Behind the last row, weights are zero.
            sources.extend((start..start + weights.len()).map(|y| row(&plane.samples, width, y.min(height - 1))));
            mix(&sources, weights, line);
        }
        if columns.is_identity(width) {
            for (line, from) in lines.chunks_exact_mut(to_width).zip(between.chunks_exact(stride)) {
                line.copy_from_slice(&from[..to_width]);
            }
        } else {
            along(&between, stride, &columns, lines, to_width);
        }
    }
    Ok(out)
}

fn row(samples: &[u8], width: usize, y: usize) -> &[u8] {
    samples.get(y * width..(y + 1) * width).unwrap_or_default()
}

/// Mixes rows of the same length with as many weights, an even number.
fn mix(rows: &[&[u8]], weights: &[i16], out: &mut [u8]) {
    if let ([only, _], [weight, 0]) = (rows, weights)
        && i32::from(*weight) == 1 << WEIGHT_BITS
    {
        out[..only.len()].copy_from_slice(only);
        return;
    }
    let ((pairs, _), (weights, _)) = (rows.as_chunks::<2>(), weights.as_chunks::<2>());
    let Some([first, _]) = pairs.first() else { return };
    let (whole, rest) = (first.len() / 16, first.len() % 16);
    let (out, _) = out.as_chunks_mut::<16>();
    let (out, last) = out.split_at_mut(whole);
    let (twos, one) = out.as_chunks_mut::<2>();
    for (i, [to, next]) in twos.iter_mut().enumerate() {
        let (mut sums, mut more) = (I32x4::halves(), I32x4::halves());
        for ([a, b], &weights) in pairs.iter().zip(weights) {
            let at = 32 * i;
            let (Some(a), Some(b)) = (a.get(at..at + 32), b.get(at..at + 32)) else { break };
            let ((a, _), (b, _)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
            let weights = I16x8::pair(weights);
            sums = I32x4::add_rows(sums, &a[0], &b[0], weights);
            more = I32x4::add_rows(more, &a[1], &b[1], weights);
        }
        (*to, *next) = (I32x4::bytes(sums), I32x4::bytes(more));
    }
    let mixed = |at: usize| {
        pairs.iter().zip(weights).fold(I32x4::halves(), |sums, ([a, b], &weights)| {
            I32x4::add_rows(sums, &sixteen(a, at), &sixteen(b, at), I16x8::pair(weights))
        })
    };
    if let [to] = one {
        *to = I32x4::bytes(mixed(16 * (whole - 1)));
    }
    if let Some(to) = last.first_mut().filter(|_| rest > 0) {
        *to = I32x4::bytes(mixed(16 * whole));
    }
}

/// Returns sixteen samples of a row, with zeros behind its end.
fn sixteen(row: &[u8], at: usize) -> [u8; 16] {
    let row = row.get(at..).unwrap_or_default();
    row.first_chunk().copied().unwrap_or_else(|| std::array::from_fn(|i| row.get(i).copied().unwrap_or_default()))
}

/// Mixes along four rows, `stride` bytes apart.
fn along(rows: &[u8], stride: usize, columns: &Weights, lines: &mut [u8], width: usize) {
    let mut sources = rows.chunks_exact(stride);
    let [a, b, c, d]: [&[u8]; ROWS] = std::array::from_fn(|_| sources.next().unwrap_or_default());
    let made: [usize; ROWS] = std::array::from_fn(|i| if (i + 1) * width <= lines.len() { i * width } else { 0 });
    let each = columns.weights.chunks_exact(columns.count).zip(&columns.starts);
    for (x, (weights, &start)) in each.enumerate().take(width) {
        let (start, (eights, _)) = (start as usize, weights.as_chunks::<8>());
        let mut sums = [I32x4::splat(0); ROWS];
        let (from, to) = (start, start + columns.count);
        let (Some(a), Some(b), Some(c), Some(d)) = (a.get(from..to), b.get(from..to), c.get(from..to), d.get(from..to))
        else {
            return;
        };
        let ((a, _), (b, _), (c, _), (d, _)) =
            (a.as_chunks::<8>(), b.as_chunks::<8>(), c.as_chunks::<8>(), d.as_chunks::<8>());
        for ((((weights, a), b), c), d) in eights.iter().zip(a).zip(b).zip(c).zip(d) {
            let weights = I16x8::new(*weights);
            sums = [
                sums[0].add_row(a, weights),
                sums[1].add_row(b, weights),
                sums[2].add_row(c, weights),
                sums[3].add_row(d, weights),
            ];
        }
        // Rows beyond the last one, which are at the end, are written over by the first.
        let bytes = I32x4::totals(sums);
        for i in (0..ROWS).rev() {
            if let Some(to) = lines.get_mut(made[i] + x) {
                *to = bytes[i];
            }
        }
    }
}

/// For each sample of the result, the samples that it is mixed of.
struct Weights {
    starts: Vec<u32>,
    /// The number of weights of each, padded with zeros.
    count: usize,
    weights: Vec<i16>,
}

impl Weights {
    /// Returns the weights for `target` samples made of a stretch of `source` samples. The number of weights of each is a
    /// multiple of `multiple`.
    fn new(source: u32, span: Span, target: u32, multiple: usize) -> Self {
        let step = span.length / f64::from(target);
        let widening = step.max(1.0);
        let reach = 3.0 * widening;
        let last = f64::from(source - 1);
        let mut starts = Vec::with_capacity(target as usize);
        let mut found: Vec<Vec<i16>> = Vec::with_capacity(target as usize);
        let mut exact = Vec::new();
        for i in 0..target {
            // Centres of samples are at halves.
            let centre = (span.start + (f64::from(i) + 0.5) * step - 0.5).clamp(0.0, last);
            let from = (centre - reach).ceil().max(0.0);
            let to = (centre + reach).floor().min(last);
            exact.clear();
            let mut position = from;
            while position <= to {
                exact.push(lanczos((position - centre) / widening));
                position += 1.0;
            }
            let scale = f64::from(1 << WEIGHT_BITS) / exact.iter().sum::<f64>();
            let mut weights: Vec<i16> = exact.iter().map(|weight| rounded(weight * scale)).collect();
            // What rounding leaves goes to the largest weight.
            let missing = (1 << WEIGHT_BITS) - weights.iter().map(|weight| i32::from(*weight)).sum::<i32>();
            if let Some(largest) = weights.iter_mut().max_by_key(|weight| **weight) {
                // A weight is at most about one, half of what 16 bits hold.
                *largest += missing as i16;
            }
            while weights.last() == Some(&0) {
                weights.pop();
            }
            let zeros = weights.iter().take_while(|weight| **weight == 0).count();
            starts.push(from as u32 + zeros as u32);
            found.push(weights.split_off(zeros));
        }
        let count = found.iter().map(Vec::len).max().unwrap_or_default().next_multiple_of(multiple);
        let mut all = Vec::with_capacity(count * found.len());
        for weights in found {
            all.extend_from_slice(&weights);
            all.resize(all.len().next_multiple_of(count), 0);
        }
        Self { starts, count, weights: all }
    }

    #[inline]
    fn at(&self, i: usize) -> (usize, &[i16]) {
        let start = self.starts.get(i).copied().unwrap_or_default();
        (start as usize, self.weights.get(i * self.count..(i + 1) * self.count).unwrap_or_default())
    }

    /// Returns whether every sample is made of the same one of `source` alone.
    fn is_identity(&self, source: usize) -> bool {
        self.starts.len() == source
            && (0..source).all(|i| {
                let (start, weights) = self.at(i);
                start == i && weights.first().is_some_and(|weight| i32::from(*weight) == 1 << WEIGHT_BITS)
            })
    }
}

/// Returns the filter's value, which is zero from a distance of three on.
fn lanczos(x: f64) -> f64 {
    let x = x.abs();
    if x < 1e-9 {
        1.0
    } else if x >= 3.0 {
        0.0
    } else {
        let x = x * std::f64::consts::PI;
        3.0 * sine(x) * sine(x / 3.0) / (x * x)
    }
}

/// Returns the sine of 0 to 3π. That of the system's library may differ by a bit from machine to machine, and so would the
/// renditions.
fn sine(x: f64) -> f64 {
    use std::f64::consts::PI;
    // To within half a turn around zero: sin(x) is -sin(x - π).
    let turns = (x / PI + 0.5).floor();
    let x = x - turns * PI;
    let square = x * x;
    // The series, from x^19/19! up.
    let mut sum = 0.0;
    let mut n = 19.0;
    while n > 1.0 {
        sum = (sum + 1.0) * -square / (n * (n - 1.0));
        n -= 2.0;
    }
    let sine = x * (1.0 + sum);
    if turns % 2.0 == 0.0 { sine } else { -sine }
}

/// Rounds to the nearest integer. `f64::round` would be called in a library.
fn rounded(number: f64) -> i16 {
    // Below 2¹⁵ by far.
    (number + 0.5).floor() as i16
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn span(length: u32) -> Span {
        Span { start: 0.0, length: f64::from(length) }
    }

    #[test]
    fn the_sine_is_that_of_the_library() {
        for i in 0..3000 {
            let x = f64::from(i) * std::f64::consts::PI / 1000.0;
            assert!((sine(x) - x.sin()).abs() < 1e-12, "{x}: {} {}", sine(x), x.sin());
        }
    }

    #[test]
    fn the_same_size_changes_nothing() {
        for (width, height) in [(1, 1), (5, 3), (16, 4), (37, 19)] {
            let samples: Vec<u8> = (0..width * height).map(|i| (i * 37 % 251) as u8).collect();
            let plane = Plane::whole(Size::new(width, height), samples.clone());
            assert_eq!(resample(&plane, plane.size, span(width), span(height)).unwrap(), samples);
        }
    }

    /// The definition in floating-point numbers, in one dimension.
    fn by_definition(row: &[u8], span: Span, target: u32) -> Vec<f64> {
        let step = span.length / f64::from(target);
        let widening = step.max(1.0);
        (0..target)
            .map(|i| {
                let centre = (span.start + (f64::from(i) + 0.5) * step - 0.5).clamp(0.0, row.len() as f64 - 1.0);
                let (mut sum, mut weights) = (0.0, 0.0);
                for (x, sample) in row.iter().enumerate() {
                    let distance = ((x as f64 - centre) / widening).abs();
                    let pi = std::f64::consts::PI * distance;
                    let weight = if distance >= 3.0 {
                        0.0
                    } else if distance < 1e-9 {
                        1.0
                    } else {
                        pi.sin() / pi * (pi / 3.0).sin() / (pi / 3.0)
                    };
                    sum += weight * f64::from(*sample);
                    weights += weight;
                }
                (sum / weights).clamp(0.0, 255.0)
            })
            .collect()
    }

    proptest! {
        #[test]
        fn rows_and_columns_are_mixed_as_the_filter_is_defined(
            row in proptest::collection::vec(any::<u8>(), 1..80), target in 1u32..60, start in -1.0..1.0f64, more in 0.0..1.5f64
        ) {
            let width = row.len() as u32;
            let across = Span { start, length: f64::from(width) + more };
            let want = by_definition(&row, across, target);
            let lying = Plane::whole(Size::new(width, 1), row.clone());
            let got = resample(&lying, Size::new(target, 1), across, span(1)).unwrap();
            prop_assert!(got.iter().zip(&want).all(|(a, b)| (f64::from(*a) - b).abs() < 0.6), "{:?} {:?}", got, want);
            // A wide plane of equal columns, so that the vectors of sixteen are used as well.
            for width in [1usize, 21] {
                let samples = row.iter().flat_map(|sample| std::iter::repeat_n(*sample, width)).collect();
                let standing = Plane::whole(Size::new(width as u32, row.len() as u32), samples);
                let got = resample(&standing, Size::new(width as u32, target), span(width as u32), across).unwrap();
                let near = |(i, a): (usize, &u8)| (f64::from(*a) - want[i / width]).abs() < 0.6;
                prop_assert!(got.iter().enumerate().all(near), "{:?} {:?}", got, want);
            }
        }

        #[test]
        fn an_even_area_stays_even(value: u8, width in 1u32..50, height in 1u32..50, w in 1u32..70, h in 1u32..70) {
            let plane = Plane::whole(Size::new(width, height), vec![value; (width * height) as usize]);
            let got = resample(&plane, Size::new(w, h), span(width), span(height)).unwrap();
            prop_assert!(got.iter().all(|sample| *sample == value));
        }
    }
}
