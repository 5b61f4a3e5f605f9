//! A channel's rows, enlarged to a picture's size as libjpeg enlarges them: to twice the columns or rows with weights of ¾ and
//! ¼ ("fancy upsampling", `jdsample.c`), and otherwise by repetition.

use crate::geometry::Size;
use crate::planes::Plane;

/// The rows of a channel at the size of the picture.
pub struct Rows {
    samples: Vec<u8>,
    /// Columns and rows of `samples`.
    width: usize,
    height: usize,
    columns: Ratio,
    lines: Ratio,
    /// The current row of the picture.
    row: Vec<u8>,
    /// Sums of two rows, for the same.
    sums: Vec<u16>,
}

/// How many samples of one direction become how many of the picture.
#[derive(Clone, Copy, PartialEq)]
enum Ratio {
    Same,
    Doubled,
    /// The number of samples for one of the picture.
    Other(f64),
}

impl Ratio {
    fn new(from: f64, to: f64) -> Self {
        let is = |ratio: f64| (from * ratio / to - 1.0).abs() < 1e-9;
        if is(1.0) {
            Self::Same
        } else if is(2.0) {
            Self::Doubled
        } else {
            Self::Other(from / to)
        }
    }

    /// Returns the sample that holds the middle of the picture's sample `at`.
    fn place(self, at: usize, most: usize) -> usize {
        let place = match self {
            Self::Same => at,
            Self::Doubled => at / 2,
            Self::Other(step) => ((at as f64 + 0.5) * step) as usize,
        };
        place.min(most.saturating_sub(1))
    }
}

impl Rows {
    /// Returns the rows of `plane`, for a picture of `size` of which `extent` is covered.
    pub fn new(plane: Plane, size: Size, extent: (f64, f64)) -> Self {
        let plane = shrunk(plane, extent);
        let mut columns = Ratio::new(plane.extent.0, extent.0);
        let mut lines = Ratio::new(plane.extent.1, extent.1);
        let width = plane.size.width as usize;
        let other = |ratio| matches!(ratio, Ratio::Other(_));
        // libjpeg repeats samples where there are fewer than three, and in both directions if in one.
        if (columns == Ratio::Doubled && width < 3) || (other(columns) && lines == Ratio::Doubled) || other(lines) {
            let repeated = |ratio| if ratio == Ratio::Doubled { Ratio::Other(0.5) } else { ratio };
            (columns, lines) = (repeated(columns), repeated(lines));
        }
        Self {
            samples: plane.samples,
            width,
            height: plane.size.height as usize,
            columns,
            lines,
            row: vec![0; size.width as usize],
            sums: vec![0; width],
        }
    }

    /// Returns the current row.
    pub fn row(&self) -> &[u8] {
        &self.row
    }

    /// Makes the picture's row `y` the current one.
    pub fn advance(&mut self, y: usize) {
        let near = self.lines.place(y, self.height);
        let line = |at: usize| self.samples.get(at * self.width..(at + 1) * self.width).unwrap_or_default();
        if self.lines == Ratio::Doubled {
            // The upper row of two lies nearer to the row above.
            let upper = y.is_multiple_of(2);
            let far = if upper { near.saturating_sub(1) } else { (near + 1).min(self.height - 1) };
            let (near, far) = (line(near), line(far));
            if self.columns == Ratio::Same {
                let bias = if upper { 1 } else { 2 };
                for ((to, a), b) in self.row.iter_mut().zip(near).zip(far) {
                    *to = ((3 * u16::from(*a) + u16::from(*b) + bias) >> 2) as u8;
                }
                return;
            }
            for ((sum, a), b) in self.sums.iter_mut().zip(near).zip(far) {
                *sum = 3 * u16::from(*a) + u16::from(*b);
            }
            double(&self.sums, &mut self.row, |near, far, bias| {
                ((3 * near + far + if bias { 8 } else { 7 }) >> 4) as u8
            });
            return;
        }
        let near = line(near);
        match self.columns {
            Ratio::Same => self.row.iter_mut().zip(near).for_each(|(to, from)| *to = *from),
            Ratio::Doubled => {
                for (sum, a) in self.sums.iter_mut().zip(near) {
                    *sum = u16::from(*a);
                }
                double(&self.sums, &mut self.row, |near, far, bias| {
                    ((3 * near + far + if bias { 1 } else { 2 }) >> 2) as u8
                });
            }
            other => {
                for (x, to) in self.row.iter_mut().enumerate() {
                    *to = near.get(other.place(x, near.len())).copied().unwrap_or_default();
                }
            }
        }
    }
}

/// Writes two samples for each sum: of it and the one before, and of it and the next one. `weigh` gets whether it is the
/// former.
#[inline(always)]
fn double(sums: &[u16], row: &mut [u8], weigh: impl Fn(u16, u16, bool) -> u8) {
    let ((Some(&first), Some(&last)), Some((start, rest))) = ((sums.first(), sums.last()), row.split_first_mut())
    else {
        return;
    };
    *start = weigh(first, first, true);
    let mut pairs = rest.chunks_exact_mut(2);
    for (to, two) in pairs.by_ref().zip(sums.windows(2)) {
        to.copy_from_slice(&[weigh(two[0], two[1], false), weigh(two[1], two[0], true)]);
    }
    // An even number of columns ends with half a pair.
    if let [to] = pairs.into_remainder() {
        *to = weigh(last, last, false);
    }
}

/// Returns the plane with fewer samples, where it has several for one of the picture: their means.
fn shrunk(plane: Plane, extent: (f64, f64)) -> Plane {
    let factor = |own: f64, picture: f64| ((own / picture).round() as usize).max(1);
    let (across, down) = (factor(plane.extent.0, extent.0), factor(plane.extent.1, extent.1));
    if (across, down) == (1, 1) {
        return plane;
    }
    let (width, height) = (plane.size.width as usize, plane.size.height as usize);
    let (columns, lines) = (width.div_ceil(across), height.div_ceil(down));
    let mut samples = Vec::with_capacity(columns * lines);
    let mut sums = vec![(0u32, 0u32); columns];
    for rows in plane.samples.chunks(width * down) {
        sums.fill((0, 0));
        for row in rows.chunks_exact(width) {
            for ((sum, count), several) in sums.iter_mut().zip(row.chunks(across)) {
                *sum += several.iter().map(|sample| u32::from(*sample)).sum::<u32>();
                *count += several.len() as u32;
            }
        }
        samples.extend(sums.iter().map(|(sum, count)| ((sum + count / 2) / count.max(&1)) as u8));
    }
    Plane {
        size: Size::new(columns as u32, lines as u32),
        extent: (plane.extent.0 / across as f64, plane.extent.1 / down as f64),
        samples,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(samples: &[u8], (width, height): (u32, u32), size: (u32, u32)) -> Vec<u8> {
        let plane =
            Plane { size: Size::new(width, height), extent: (width.into(), height.into()), samples: samples.to_vec() };
        let mut rows = Rows::new(plane, Size::new(size.0, size.1), (size.0.into(), size.1.into()));
        let mut all = Vec::new();
        for y in 0..size.1 as usize {
            rows.advance(y);
            all.extend(rows.row());
        }
        all
    }

    #[test]
    fn doubled_samples_lie_between_their_neighbours() {
        assert_eq!(rows(&[0, 100, 200], (3, 1), (6, 1)), [0, 25, 75, 125, 175, 200]);
        assert_eq!(rows(&[0, 100, 200], (1, 3), (1, 6)), [0, 25, 75, 125, 175, 200]);
        let both = rows(&[0, 100, 200, 0, 100, 200, 0, 100, 200], (3, 3), (6, 6));
        assert!(both.chunks(6).all(|row| row == [0, 25, 75, 125, 175, 200]), "{both:?}");
    }

    #[test]
    fn other_numbers_of_samples_are_repeated_or_averaged() {
        assert_eq!(rows(&[10, 20], (2, 1), (4, 1)), [10, 10, 20, 20]);
        assert_eq!(rows(&[10, 20], (2, 1), (6, 1)), [10, 10, 10, 20, 20, 20]);
        assert_eq!(rows(&[10, 20, 30, 40], (4, 1), (2, 1)), [15, 35]);
        assert_eq!(rows(&[10, 20, 31, 40], (1, 4), (1, 2)), [15, 36]);
        assert_eq!(rows(&[10, 20], (2, 1), (3, 1)), [10, 20, 20]);
    }
}
