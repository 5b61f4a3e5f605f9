//! Pictures in memory: 8 bits per sample, samples interleaved, rows without padding.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x2, U8x3, U8x4};
use fast_image_resize::{PixelTrait, ResizeOptions, Resizer};

use crate::error::PictureError;
use crate::geometry::{Orientation, Size};

/// What the samples of a pixel mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Lightness.
    Gray,
    /// Lightness, opacity.
    GrayAlpha,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue, opacity. Not premultiplied.
    Rgba,
    /// Cyan, magenta, yellow, black; 255 is full ink.
    Cmyk,
}

impl Layout {
    /// Returns the number of samples, and of bytes, per pixel.
    pub const fn channels(self) -> usize {
        match self {
            Layout::Gray => 1,
            Layout::GrayAlpha => 2,
            Layout::Rgb => 3,
            Layout::Rgba | Layout::Cmyk => 4,
        }
    }

    /// Returns whether the last sample is opacity.
    pub const fn has_alpha(self) -> bool {
        matches!(self, Layout::GrayAlpha | Layout::Rgba)
    }
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raster {
    size: Size,
    layout: Layout,
    samples: Vec<u8>,
}

impl Raster {
    /// Returns a picture of `samples`.
    ///
    /// # Errors
    /// If the number of samples does not match size and layout.
    pub fn new(size: Size, layout: Layout, samples: Vec<u8>) -> Result<Self, PictureError> {
        let expected = size.pixels().checked_mul(layout.channels() as u64);
        if size.pixels() == 0 || expected != Some(samples.len() as u64) {
            return Err(PictureError::defect(format!(
                "a decoder returned {} bytes for a picture of {size} pixels of {} bytes",
                samples.len(),
                layout.channels()
            )));
        }
        Ok(Self { size, layout, samples })
    }

    /// Returns width and height.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Returns what the samples mean.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Returns all samples, row by row from the top.
    pub fn samples(&self) -> &[u8] {
        &self.samples
    }

    /// Returns the samples without copying them.
    pub fn into_samples(self) -> Vec<u8> {
        self.samples
    }

    /// Returns the picture shrunk to `target` with a Lanczos filter of three lobes.
    ///
    /// `extent` is the number of columns and rows to use, from the top left corner: a picture that was decoded at a fraction
    /// of its size may end within its last column and row.
    pub fn resized(&self, target: Size, extent: (f64, f64), resizer: &mut Resizer) -> Result<Raster, PictureError> {
        // By type, because the library's own dispatch would link code for every pixel type that it knows.
        match self.layout {
            Layout::Gray => self.resized_as::<U8>(target, extent, resizer),
            Layout::GrayAlpha => self.resized_as::<U8x2>(target, extent, resizer),
            Layout::Rgb => self.resized_as::<U8x3>(target, extent, resizer),
            Layout::Rgba | Layout::Cmyk => self.resized_as::<U8x4>(target, extent, resizer),
        }
    }

    fn resized_as<P: PixelTrait>(
        &self,
        target: Size,
        extent: (f64, f64),
        resizer: &mut Resizer,
    ) -> Result<Raster, PictureError> {
        let failed = |what: &dyn std::fmt::Display| {
            PictureError::defect(format!("resizing {} to {target} pixels failed: {what}", self.size))
        };
        let source = TypedImageRef::<P>::from_buffer(self.size.width, self.size.height, &self.samples)
            .map_err(|e| failed(&e))?;
        let mut samples = vec![0; target.width as usize * target.height as usize * self.layout.channels()];
        let mut out =
            TypedImage::<P>::from_buffer(target.width, target.height, &mut samples).map_err(|e| failed(&e))?;
        let options = ResizeOptions::new().crop(0.0, 0.0, extent.0, extent.1).use_alpha(self.layout.has_alpha());
        resizer.resize_typed(&source, &mut out, &options).map_err(|e| failed(&e))?;
        Raster::new(target, self.layout, samples)
    }

    /// Returns the whole picture shrunk to `target`.
    pub fn shrunk(&self, target: Size, resizer: &mut Resizer) -> Result<Raster, PictureError> {
        self.resized(target, (f64::from(self.size.width), f64::from(self.size.height)), resizer)
    }

    /// Returns the picture turned upright.
    pub fn oriented(self, orientation: Orientation) -> Raster {
        if orientation == Orientation::Upright {
            return self;
        }
        match self.layout.channels() {
            1 => self.turned::<1>(orientation),
            2 => self.turned::<2>(orientation),
            3 => self.turned::<3>(orientation),
            _ => self.turned::<4>(orientation),
        }
    }

    fn turned<const N: usize>(self, orientation: Orientation) -> Raster {
        let (w, h) = (self.size.width as usize, self.size.height as usize);
        let (source, _) = self.samples.as_chunks::<N>();
        let mut out: Vec<[u8; N]> = Vec::with_capacity(if orientation.turns() { 0 } else { w * h });
        let rows = source.chunks_exact(w);
        match orientation {
            Orientation::Upright => out.extend_from_slice(source),
            Orientation::MirrorHorizontal => rows.for_each(|row| out.extend(row.iter().rev())),
            Orientation::Turn180 => out.extend(source.iter().rev()),
            Orientation::MirrorVertical => rows.rev().for_each(|row| out.extend_from_slice(row)),
            Orientation::Transpose | Orientation::Turn90 | Orientation::Transverse | Orientation::Turn270 => {
                out = columns(source, (w, h), orientation.mirrors());
            }
        }
        Raster { size: orientation.apply(self.size), layout: self.layout, samples: out.into_flattened() }
    }

    /// Returns the picture on a white background, for a format without opacity.
    pub fn on_white(self) -> Raster {
        match self.layout {
            Layout::GrayAlpha => self.flattened::<2, 1>(Layout::Gray),
            Layout::Rgba => self.flattened::<4, 3>(Layout::Rgb),
            Layout::Gray | Layout::Rgb | Layout::Cmyk => self,
        }
    }

    fn flattened<const N: usize, const M: usize>(self, layout: Layout) -> Raster {
        let (pixels, _) = self.samples.as_chunks::<N>();
        let mut samples = Vec::with_capacity(pixels.len() * M);
        for pixel in pixels {
            let alpha = u32::from(pixel[N - 1]);
            for &sample in pixel.iter().take(M) {
                // At most 255 × 255 + 127, so the quotient is a byte.
                samples.push(((u32::from(sample) * alpha + 255 * (255 - alpha) + 127) / 255) as u8);
            }
        }
        Raster { size: self.size, layout, samples }
    }
}

/// Returns the columns of a picture of `w` by `h` pixels as rows. With `backwards`, they begin with the last column, and each
/// with its last pixel.
fn columns<const N: usize>(source: &[[u8; N]], (w, h): (usize, usize), backwards: (bool, bool)) -> Vec<[u8; N]> {
    /// So many columns are made at once, because their pixels are side by side in memory.
    const TOGETHER: usize = 16;
    let mut out = vec![[0; N]; w * h];
    for (block, made) in out.chunks_mut(TOGETHER * h).enumerate() {
        for (y, row) in source.chunks_exact(w).enumerate() {
            let to = if backwards.1 { h - 1 - y } else { y };
            for (i, column) in made.chunks_exact_mut(h).enumerate() {
                let x = TOGETHER * block + i;
                column[to] = row[if backwards.0 { w - 1 - x } else { x }];
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A picture of two by three pixels, all different.
    fn two_by_three() -> Raster {
        Raster::new(Size::new(2, 3), Layout::Gray, vec![1, 2, 3, 4, 5, 6]).unwrap()
    }

    #[test]
    fn every_orientation_puts_the_stored_corner_where_exif_says() {
        // EXIF 2.32, 4.6.4: which side of the scene the 0th row and the 0th column are.
        for (value, width, upright) in [
            (1, 2, [1, 2, 3, 4, 5, 6]),
            (2, 2, [2, 1, 4, 3, 6, 5]),
            (3, 2, [6, 5, 4, 3, 2, 1]),
            (4, 2, [5, 6, 3, 4, 1, 2]),
            (5, 3, [1, 3, 5, 2, 4, 6]),
            (6, 3, [5, 3, 1, 6, 4, 2]),
            (7, 3, [6, 4, 2, 5, 3, 1]),
            (8, 3, [2, 4, 6, 1, 3, 5]),
        ] {
            let turned = two_by_three().oriented(Orientation::from_exif(value));
            assert_eq!(turned.size().width, width, "orientation {value}");
            assert_eq!(turned.samples(), upright, "orientation {value}");
        }
    }

    #[test]
    fn a_wide_picture_is_turned_as_a_narrow_one() {
        let (w, h) = (37, 5);
        let source: Vec<[u8; 3]> = (0..w * h).map(|i| [i as u8, (i >> 8) as u8, 7]).collect();
        for backwards in [(false, false), (false, true), (true, false), (true, true)] {
            let turned = columns(&source, (w, h), backwards);
            for (x, y) in (0..w).flat_map(|x| (0..h).map(move |y| (x, y))) {
                let from_x = if backwards.0 { w - 1 - x } else { x };
                let from_y = if backwards.1 { h - 1 - y } else { y };
                assert_eq!(turned[x * h + y], source[from_y * w + from_x], "{backwards:?}, row {x}, column {y}");
            }
        }
    }

    #[test]
    fn a_transparent_pixel_becomes_white_and_an_opaque_one_stays() {
        let picture =
            Raster::new(Size::new(3, 1), Layout::Rgba, vec![10, 20, 30, 255, 10, 20, 30, 0, 0, 100, 255, 128]).unwrap();
        assert_eq!(picture.on_white().samples(), [10, 20, 30, 255, 255, 255, 127, 177, 255]);
        let gray = Raster::new(Size::new(2, 1), Layout::GrayAlpha, vec![7, 255, 7, 0]).unwrap();
        assert_eq!(gray.on_white().samples(), [7, 255]);
    }

    #[test]
    fn transparent_pixels_do_not_bleed_into_opaque_ones() {
        // Transparent black beside opaque white. Resized without regard to opacity, it would give a gray fringe.
        let row: Vec<u8> = (0..8).flat_map(|x| if x < 4 { [0, 0, 0, 0] } else { [255, 255, 255, 255] }).collect();
        let picture = Raster::new(Size::new(8, 8), Layout::Rgba, row.repeat(8)).unwrap();
        let small = picture.shrunk(Size::new(3, 3), &mut Resizer::new()).unwrap().on_white();
        assert!(small.samples().iter().all(|&s| s >= 254), "{:?}", small.samples());
    }

    #[test]
    fn a_picture_with_too_few_samples_is_refused() {
        assert!(Raster::new(Size::new(2, 2), Layout::Rgb, vec![0; 11]).is_err());
        assert!(Raster::new(Size::new(0, 2), Layout::Rgb, vec![]).is_err());
    }
}
