//! Resampling of a plane with a Lanczos filter of three lobes.
//!
//! First down the columns, then along the rows, four rows at a time. Weights have 14 fractional bits and add up to exactly
//! one, so an even area keeps its value.

use crate::error::PictureError;
use crate::geometry::Size;
use crate::plane::Plane;
use crate::simd::WEIGHT_BITS;

mod mixing;

use mixing::{ROWS, along, mix};

/// A stretch of a plane's columns or rows, which may reach beyond its edges.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// Where it begins, in samples.
    pub start: f64,
    /// Its length in samples.
    pub length: f64,
}

/// The number of bytes behind each row, which the last weights, all zero, are multiplied with.
const PADDING: usize = 16;

/// How planes of one size become planes of another one.
pub struct Resampling {
    size: Size,
    extent: (f64, f64),
    target: Size,
    columns: Weights,
    rows: Weights,
}

impl Resampling {
    /// Returns how a plane like `plane` becomes one of `target` samples that shows the stretches `across` and `down` of it.
    pub fn new(plane: &Plane, target: Size, across: Span, down: Span) -> Self {
        let (size, extent) = (plane.size, plane.extent);
        // Samples behind the picture's end are not looked at.
        let covered = |extent: f64, side: u32| (extent.ceil() as u32).clamp(1, side.max(1));
        let columns = Weights::new(covered(extent.0, size.width), across, target.width, 8);
        let rows = Weights::new(covered(extent.1, size.height), down, target.height, 2);
        Self { size, extent, target, columns, rows }
    }

    /// Returns whether this is for planes like `plane`.
    pub fn fits(&self, plane: &Plane) -> bool {
        (self.size, self.extent) == (plane.size, plane.extent)
    }

    /// Returns the samples of the other plane.
    ///
    /// # Errors
    /// If the plane is incomplete or of another size.
    pub fn apply(&self, plane: &Plane) -> Result<Vec<u8>, PictureError> {
        let (width, height) = (plane.size.width as usize, plane.size.height as usize);
        if width == 0 || height == 0 || plane.samples.len() != width * height || !self.fits(plane) {
            return Err(PictureError::defect(format!(
                "a channel of {} pixels has {} samples",
                plane.size,
                plane.samples.len()
            )));
        }
        let (columns, rows, target) = (&self.columns, &self.rows, self.target);
        let (to_width, to_height) = (target.width as usize, target.height as usize);
        let mut out = vec![0; to_width * to_height];
        let stride = width.next_multiple_of(16) + PADDING + columns.count;
        let mut between = vec![0; ROWS * stride];
        let mut spare = vec![0; if to_height % ROWS == 0 { 0 } else { ROWS * to_width }];
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
            if columns.is_identity {
                for (line, from) in lines.chunks_exact_mut(to_width).zip(between.chunks_exact(stride)) {
                    line.copy_from_slice(&from[..to_width]);
                }
            } else if lines.len() == ROWS * to_width {
                along(&between, &columns.weights, columns.count, &columns.starts, lines);
            } else {
                // The last rows are fewer.
                along(&between, &columns.weights, columns.count, &columns.starts, &mut spare);
                lines.copy_from_slice(&spare[..lines.len()]);
            }
        }
        Ok(out)
    }
}

fn row(samples: &[u8], width: usize, y: usize) -> &[u8] {
    samples.get(y * width..(y + 1) * width).unwrap_or_default()
}

/// For each sample of the result, the samples that it is mixed of.
struct Weights {
    starts: Vec<u32>,
    /// The number of weights of each, padded with zeros.
    count: usize,
    weights: Vec<i16>,
    /// Whether every sample of the result is the one of the source at the same place.
    is_identity: bool,
}

impl Weights {
    /// Returns the weights for `target` samples made of a stretch of `source` samples. The number of weights of each is a
    /// multiple of `multiple`.
    fn new(source: u32, span: Span, target: u32, multiple: usize) -> Self {
        let step = span.length / f64::from(target);
        let widening = step.max(1.0);
        let (reach, narrowing) = (3.0 * widening, widening.recip());
        let last = f64::from(source - 1);
        let mut starts = Vec::with_capacity(target as usize);
        // All weights one after the other, and where those of each sample end.
        let mut found: Vec<i16> = Vec::new();
        let mut ends = Vec::with_capacity(target as usize);
        let mut exact = Vec::new();
        for i in 0..target {
            // Centres of samples are at halves.
            let centre = (span.start + (f64::from(i) + 0.5) * step - 0.5).clamp(0.0, last);
            let from = (centre - reach).ceil().max(0.0);
            let to = (centre + reach).floor().min(last);
            exact.clear();
            let mut position = from;
            while position <= to {
                exact.push(lanczos((position - centre) * narrowing));
                position += 1.0;
            }
            let scale = f64::from(1 << WEIGHT_BITS) / exact.iter().sum::<f64>();
            let rounded = |weight: &f64| rounded(weight * scale);
            let (mut sum, mut first, mut end, mut largest) = (0, exact.len(), 0, 0);
            for (at, weight) in exact.iter().map(rounded).enumerate() {
                sum += i32::from(weight);
                if weight != 0 {
                    (first, end) = (first.min(at), at + 1);
                }
                if exact[at] >= exact[largest] {
                    largest = at;
                }
            }
            starts.push(from as u32 + first as u32);
            let begin = found.len();
            found.extend(exact[first..end].iter().map(rounded));
            // What rounding leaves goes to the largest weight, which is at most about one, half of what 16 bits hold.
            found[begin + largest - first] += ((1 << WEIGHT_BITS) - sum) as i16;
            ends.push(found.len());
        }
        let lengths = std::iter::once(0).chain(ends.iter().copied()).zip(&ends).map(|(begin, end)| end - begin);
        let count = lengths.max().unwrap_or(1).next_multiple_of(multiple);
        let mut all = Vec::with_capacity(count * ends.len());
        let mut begin = 0;
        for end in ends {
            all.extend_from_slice(&found[begin..end]);
            all.resize(all.len().next_multiple_of(count), 0);
            begin = end;
        }
        let is_identity = starts.len() == source as usize
            && (0..)
                .zip(&starts)
                .zip(all.chunks_exact(count))
                .all(|((i, start), weights): ((u32, _), _)| *start == i && i32::from(weights[0]) == 1 << WEIGHT_BITS);
        Self { starts, count, weights: all, is_identity }
    }

    #[inline]
    fn at(&self, i: usize) -> (usize, &[i16]) {
        let start = self.starts.get(i).copied().unwrap_or_default();
        (start as usize, self.weights.get(i * self.count..(i + 1) * self.count).unwrap_or_default())
    }
}

/// Returns the filter's value, which is zero from a distance of three on.
fn lanczos(x: f64) -> f64 {
    if x.abs() >= 3.0 {
        return 0.0;
    }
    // sinc(πx) sinc(πx/3), where the sine of πx follows from that of a third of it.
    let third = x * (std::f64::consts::PI / 3.0);
    let (square, sinc) = (third * third, sinc(third * third));
    sinc * sinc * (1.0 - 4.0 / 3.0 * square * sinc * sinc)
}

/// Returns sin(t) / t for the square of t, which is at most π. A sine of the system's library may differ by a bit from
/// machine to machine, and so would the renditions.
fn sinc(square: f64) -> f64 {
    // The series, from the term of t²⁶ up: 1 - t²/(2·3) (1 - t²/(4·5) (1 - …)).
    const TERMS: [f64; 13] = {
        let (mut terms, mut k) = ([0.0; 13], 0);
        while k < 13 {
            let n = 27 - 2 * k as i32;
            terms[k] = -1.0 / (n * (n - 1)) as f64;
            k += 1;
        }
        terms
    };
    1.0 + TERMS.iter().fold(0.0, |sum, term| (sum + 1.0) * square * term)
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

    fn resample(plane: &Plane, target: Size, across: Span, down: Span) -> Result<Vec<u8>, PictureError> {
        Resampling::new(plane, target, across, down).apply(plane)
    }

    fn span(length: u32) -> Span {
        Span { start: 0.0, length: f64::from(length) }
    }

    #[test]
    fn the_sine_is_that_of_the_library() {
        for i in 1..=1000 {
            let t = f64::from(i) * std::f64::consts::PI / 1000.0;
            assert!((sinc(t * t) * t - t.sin()).abs() < 1e-12, "{t}: {} {}", sinc(t * t), t.sin() / t);
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
