//! The rows of a picture as they are decoded: kept as they are, or averaged by a whole factor.
//!
//! A picture that is at least four times as large as what is made of it never exists at full size: blocks of pixels are
//! averaged until it is at least twice as large, and the rest is the resizer's. So a drawing of 72 megapixels takes a few
//! megabytes.

use super::decoded::Decoded;
use crate::error::PictureError;
use crate::geometry::{Orientation, Size};
use crate::raster::{Layout, Raster};

/// Takes a picture's rows from the top.
pub(super) struct Rows {
    full: Size,
    layout: Layout,
    factor: u32,
    samples: Vec<u8>,
    /// For every column of blocks, the sums of the samples, those of colours times their opacity.
    sums: Vec<u64>,
    /// The rows in [`Rows::sums`].
    summed: u32,
    taken: u32,
}

/// Returns the factor by which a picture is reduced, for the largest size that is made of it; both as stored.
pub(super) fn factor(full: Size, wanted: Size) -> u32 {
    let ratio = (full.width / wanted.width.max(1)).min(full.height / wanted.height.max(1));
    if ratio < 4 { 1 } else { ratio / 2 }
}

/// Returns the size of a picture that is reduced by a factor. Its last column and row may average fewer pixels.
pub(super) fn reduced(full: Size, factor: u32) -> Size {
    Size::new(full.width.div_ceil(factor), full.height.div_ceil(factor))
}

/// Returns the bytes that [`Rows`] take.
pub(super) fn memory(full: Size, layout: Layout, factor: u32) -> u64 {
    let size = reduced(full, factor);
    let channels = layout.channels() as u64;
    let sums = if factor == 1 { 0 } else { 8 * u64::from(size.width) * channels };
    size.pixels().saturating_mul(channels).saturating_add(sums)
}

/// Returns the bytes that resizing the reduced picture takes beside it: the library copies a picture with opacity, and it
/// changes the width before the height, so it also holds a picture of the target's width and the source's height.
pub(super) fn resizing(full: Size, layout: Layout, factor: u32, target: Size) -> u64 {
    let size = reduced(full, factor);
    if size == target {
        return 0;
    }
    let channels = layout.channels() as u64;
    let copy = if layout.has_alpha() { size.pixels() } else { 0 };
    let narrow = u64::from(target.width) * u64::from(size.height);
    (copy + narrow + target.pixels()).saturating_mul(channels)
}

impl Rows {
    pub(super) fn new(full: Size, layout: Layout, factor: u32) -> Self {
        let size = reduced(full, factor);
        let samples = Vec::with_capacity(size.width as usize * size.height as usize * layout.channels());
        let sums = if factor == 1 { Vec::new() } else { vec![0; size.width as usize * layout.channels()] };
        Self { full, layout, factor, samples, sums, summed: 0, taken: 0 }
    }

    /// Returns how many rows are there.
    pub(super) fn taken(&self) -> u32 {
        self.taken
    }

    /// Takes the next row. A row after the last one is ignored.
    pub(super) fn push(&mut self, row: &[u8]) {
        if self.taken == self.full.height {
            return;
        }
        self.taken += 1;
        let row = row.get(..self.full.width as usize * self.layout.channels()).unwrap_or(row);
        if self.factor == 1 {
            self.samples.extend_from_slice(row);
            return;
        }
        match self.layout {
            Layout::Gray => self.add::<1, false>(row),
            Layout::GrayAlpha => self.add::<2, true>(row),
            Layout::Rgb => self.add::<3, false>(row),
            Layout::Rgba => self.add::<4, true>(row),
            Layout::Cmyk => self.add::<4, false>(row),
        }
        self.summed += 1;
        if self.summed == self.factor || self.taken == self.full.height {
            self.average();
        }
    }

    fn add<const N: usize, const ALPHA: bool>(&mut self, row: &[u8]) {
        let (pixels, _) = row.as_chunks::<N>();
        let (sums, _) = self.sums.as_chunks_mut::<N>();
        for (block, sums) in pixels.chunks(self.factor as usize).zip(sums) {
            for pixel in block {
                let opacity = if ALPHA { u64::from(pixel[N - 1]) } else { 1 };
                for (channel, (sum, &sample)) in sums.iter_mut().zip(pixel).enumerate() {
                    *sum += if ALPHA && channel == N - 1 { opacity } else { u64::from(sample) * opacity };
                }
            }
        }
    }

    /// Makes a row of the averages.
    fn average(&mut self) {
        let channels = self.layout.channels();
        let last = self.full.width.div_ceil(self.factor) as usize - 1;
        for (column, sums) in self.sums.chunks_exact_mut(channels).enumerate() {
            let columns = if column == last { self.full.width - self.factor * last as u32 } else { self.factor };
            let count = u64::from(columns) * u64::from(self.summed);
            let opacity = if self.layout.has_alpha() { sums.last().copied().unwrap_or(0) } else { count };
            for (channel, sum) in sums.iter().enumerate() {
                let by = if self.layout.has_alpha() && channel == channels - 1 { count } else { opacity };
                // An average of bytes; a colour without any opacity is black.
                self.samples.push(((sum + by / 2).checked_div(by).unwrap_or(0)).min(255) as u8);
            }
            sums.fill(0);
        }
        self.summed = 0;
    }

    /// Returns the decoded picture.
    ///
    /// # Errors
    /// If rows are missing, which the decoder should have noticed.
    pub(super) fn finish(self, orientation: Orientation, profile: Option<Vec<u8>>) -> Result<Decoded, PictureError> {
        let full = self.full;
        let (raster, extent) = self.picture()?;
        Ok(Decoded::reduced(raster, extent, full, orientation, profile))
    }

    /// Returns the reduced picture, and the columns and rows that the whole one covers.
    fn picture(self) -> Result<(Raster, (f64, f64)), PictureError> {
        let extent = |side: u32| f64::from(side) / f64::from(self.factor);
        let extent = (extent(self.full.width), extent(self.full.height));
        Ok((Raster::new(reduced(self.full, self.factor), self.layout, self.samples)?, extent))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn all(full: Size, layout: Layout, factor: u32, samples: &[u8]) -> (Raster, (f64, f64)) {
        let mut rows = Rows::new(full, layout, factor);
        samples.chunks(full.width as usize * layout.channels()).for_each(|row| rows.push(row));
        rows.picture().unwrap()
    }

    #[test]
    fn a_picture_four_times_as_large_as_wanted_is_kept_twice_as_large() {
        let wanted = Size::new(1280, 960);
        assert_eq!(factor(Size::new(4000, 3000), wanted), 1);
        assert_eq!(factor(Size::new(5120, 3840), wanted), 2);
        assert_eq!(factor(Size::new(9000, 8000), Size::new(1080, 960)), 4);
    }

    #[test]
    fn blocks_are_averaged_and_incomplete_ones_by_what_they_have() {
        let (raster, extent) = all(Size::new(3, 3), Layout::Gray, 2, &[10, 20, 100, 30, 40, 200, 7, 9, 55]);
        assert_eq!(raster.samples(), [25, 150, 8, 55]);
        assert_eq!(extent, (1.5, 1.5));
    }

    #[test]
    fn a_transparent_pixel_adds_no_colour() {
        let (raster, _) = all(Size::new(2, 2), Layout::GrayAlpha, 2, &[200, 255, 0, 0, 0, 0, 100, 255]);
        assert_eq!(raster.samples(), [150, 128]);
        assert_eq!(all(Size::new(2, 1), Layout::GrayAlpha, 2, &[9, 0, 9, 0]).0.samples(), [0, 0]);
    }
}
