//! Pictures in YCbCr, each channel in a plane of its own.

use crate::error::PictureError;
use crate::geometry::{Orientation, Size};
pub use crate::plane::Plane;
use crate::raster::{Layout, Raster};
use crate::resample::{Resampling, Span};

/// A picture in the YCbCr of JFIF: ITU-R BT.601, full range. Each plane may have its own resolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Planes {
    /// Y.
    pub luma: Plane,
    /// Cb and Cr. None for a gray picture.
    pub chroma: Option<[Plane; 2]>,
}

impl Planes {
    /// Returns the picture of gray or RGB samples. With `halved`, Cb and Cr have half the columns and half the rows.
    ///
    /// # Errors
    /// If the samples are others.
    pub fn of(raster: &Raster, halved: bool) -> Result<Self, PictureError> {
        let size = raster.size();
        match raster.layout() {
            Layout::Gray => Ok(Self { luma: Plane::whole(size, raster.samples().to_vec()), chroma: None }),
            Layout::Rgb => {
                let (pixels, _) = raster.samples().as_chunks::<3>();
                let [y, cb, cr] = ycc(pixels);
                let chroma = |samples| {
                    let whole = Plane::whole(size, samples);
                    if halved { half(&whole) } else { whole }
                };
                Ok(Self { luma: Plane::whole(size, y), chroma: Some([chroma(cb), chroma(cr)]) })
            }
            other => Err(PictureError::defect(format!("{other:?} cannot be made YCbCr"))),
        }
    }

    /// Returns the picture shrunk to `target`. With `halved`, Cb and Cr have half the columns and half the rows.
    ///
    /// `orientation` is how the picture will be turned afterwards: at an odd size, the last of the halved columns and rows
    /// reach over the edge that is at the right and at the bottom then.
    ///
    /// # Errors
    /// If the planes are incomplete.
    pub fn resized(&self, target: Size, halved: bool, orientation: Orientation) -> Result<Self, PictureError> {
        let whole = |plane: &Plane| {
            let span = |length| Span { start: 0.0, length };
            Resampling::new(plane, target, span(plane.extent.0), span(plane.extent.1))
        };
        let half = |plane: &Plane| {
            let size = target.halved();
            let (mirrored_x, mirrored_y) = orientation.mirrors();
            let span = |extent: f64, target: u32, count: u32, mirrored: bool| {
                // A halved sample covers two of the target's, the last one possibly beyond the edge.
                let (each, covered) = (extent / f64::from(target), 2 * count);
                let start = if mirrored { f64::from(target) - f64::from(covered) } else { 0.0 };
                Span { start: start * each, length: f64::from(covered) * each }
            };
            let across = span(plane.extent.0, target.width, size.width, mirrored_x);
            let down = span(plane.extent.1, target.height, size.height, mirrored_y);
            Resampling::new(plane, size, across, down)
        };
        let chroma = match &self.chroma {
            None => None,
            Some([cb, cr]) => {
                let resampling = |plane: &Plane| if halved { half(plane) } else { whole(plane) };
                let made = |resampling: &Resampling, plane: &Plane| {
                    let samples = resampling.apply(plane)?;
                    if !halved {
                        return Ok(Plane::whole(target, samples));
                    }
                    let extent = (f64::from(target.width) / 2.0, f64::from(target.height) / 2.0);
                    Ok::<_, PictureError>(Plane { size: target.halved(), extent, samples })
                };
                let first = resampling(cb);
                // Nearly always, both have the same size.
                let second = if first.fits(cr) { None } else { Some(resampling(cr)) };
                Some([made(&first, cb)?, made(second.as_ref().unwrap_or(&first), cr)?])
            }
        };
        let luma = Plane::whole(target, whole(&self.luma).apply(&self.luma)?);
        Ok(Self { luma, chroma })
    }

    /// Returns the picture turned upright.
    ///
    /// # Errors
    /// If the planes are incomplete.
    pub fn oriented(self, orientation: Orientation) -> Result<Self, PictureError> {
        if orientation == Orientation::Upright {
            return Ok(self);
        }
        let chroma = match self.chroma {
            None => None,
            Some([cb, cr]) => Some([cb.oriented(orientation)?, cr.oriented(orientation)?]),
        };
        Ok(Self { luma: self.luma.oriented(orientation)?, chroma })
    }

    /// Returns the picture as gray or RGB samples.
    ///
    /// # Errors
    /// If the planes have different sizes.
    pub fn interleaved(self) -> Result<Raster, PictureError> {
        let size = self.luma.size;
        let Some([cb, cr]) = self.chroma else { return Raster::new(size, Layout::Gray, self.luma.samples) };
        let mut samples = vec![0; 3 * self.luma.samples.len().min(cb.samples.len()).min(cr.samples.len())];
        to_rgb(&self.luma.samples, &cb.samples, &cr.samples, &mut samples);
        Raster::new(size, Layout::Rgb, samples)
    }
}

/// The number of fractional bits in the colour conversions.
const BITS: u32 = 14;

/// Converts RGB to YCbCr.
fn ycc(pixels: &[[u8; 3]]) -> [Vec<u8>; 3] {
    let convert = |[r, g, b]: [u8; 3]| {
        let [r, g, b] = [r, g, b].map(i32::from);
        let half = 1 << (BITS - 1);
        // All are within 0 to 255 for every pixel, because the weights of a channel add up to one or to zero and its
        // largest colour is a half.
        [
            ((4_899 * r + 9_617 * g + 1_868 * b + half) >> BITS) as u8,
            ((-2_765 * r - 5_427 * g + 8_192 * b + (128 << BITS) + half - 1) >> BITS) as u8,
            ((8_192 * r - 6_860 * g - 1_332 * b + (128 << BITS) + half - 1) >> BITS) as u8,
        ]
    };
    let [mut y, mut cb, mut cr] = [(); 3].map(|()| vec![0; pixels.len()]);
    for (((pixel, y), cb), cr) in pixels.iter().zip(&mut y).zip(&mut cb).zip(&mut cr) {
        [*y, *cb, *cr] = convert(*pixel);
    }
    [y, cb, cr]
}

/// Converts YCbCr to RGB.
fn to_rgb(y: &[u8], cb: &[u8], cr: &[u8], rgb: &mut [u8]) {
    let convert = |y: u8, cb: u8, cr: u8| {
        let (y, cb, cr) = ((i32::from(y) << BITS) + (1 << (BITS - 1)), i32::from(cb) - 128, i32::from(cr) - 128);
        let byte = |value: i32| (value >> BITS).clamp(0, 255) as u8;
        [byte(y + 22_970 * cr), byte(y - 5_638 * cb - 11_700 * cr), byte(y + 29_032 * cb)]
    };
    let (pixels, _) = rgb.as_chunks_mut::<3>();
    for (((pixel, y), cb), cr) in pixels.iter_mut().zip(y).zip(cb).zip(cr) {
        *pixel = convert(*y, *cb, *cr);
    }
}

/// Returns the plane with the averages of two by two samples. The last column and the last row are repeated at an odd size.
fn half(plane: &Plane) -> Plane {
    let (width, height) = (plane.size.width as usize, plane.size.height as usize);
    let size = plane.size.halved();
    let mut samples = Vec::with_capacity(size.width as usize * size.height as usize);
    let mut rows = plane.samples.chunks_exact(width);
    for _ in 0..height.div_ceil(2) {
        let Some(upper) = rows.next() else { break };
        let lower = rows.next().unwrap_or(upper);
        let ((upper, upper_rest), (lower, lower_rest)) = (upper.as_chunks::<2>(), lower.as_chunks::<2>());
        let mean = |[a, b]: [u8; 2], [c, d]: [u8; 2]| {
            // At most 255.
            ((u16::from(a) + u16::from(b) + u16::from(c) + u16::from(d) + 2) / 4) as u8
        };
        samples.extend(upper.iter().zip(lower).map(|(upper, lower)| mean(*upper, *lower)));
        samples.extend(upper_rest.iter().zip(lower_rest).map(|(&upper, &lower)| mean([upper; 2], [lower; 2])));
    }
    Plane { size, extent: (width as f64 / 2.0, height as f64 / 2.0), samples }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_colours_are_converted_correctly_both_ways() {
        // Red, green, blue, white and black as JFIF writes them.
        for (rgb, ycc) in [
            ([255, 0, 0], [76, 85, 255]),
            ([0, 255, 0], [150, 44, 21]),
            ([0, 0, 255], [29, 255, 107]),
            ([255, 255, 255], [255, 128, 128]),
            ([0, 0, 0], [0, 128, 128]),
        ] {
            // 19 is not a multiple of the lanes that the compiler may use.
            let raster = Raster::new(Size::new(19, 1), Layout::Rgb, rgb.repeat(19)).unwrap();
            let planes = Planes::of(&raster, false).unwrap();
            let [cb, cr] = planes.chroma.clone().unwrap();
            for (plane, want) in [&planes.luma, &cb, &cr].into_iter().zip(ycc) {
                assert!(plane.samples.iter().all(|&sample| sample.abs_diff(want) <= 1), "{rgb:?}: {plane:?}");
            }
            let back = planes.interleaved().unwrap();
            assert!(back.samples().iter().zip(rgb.repeat(19)).all(|(a, b)| a.abs_diff(b) <= 1), "{rgb:?}");
        }
    }

    /// A picture whose colour changes from column to column and from row to row.
    fn slope(size: Size) -> Raster {
        let pixel = |x: u32, y: u32| [(x * 3 + 20) as u8, (y * 3 + 40) as u8, 90];
        let pixels = (0..size.height).flat_map(|y| (0..size.width).flat_map(move |x| pixel(x, y)));
        Raster::new(size, Layout::Rgb, pixels.collect()).unwrap()
    }

    proptest! {
        #[test]
        fn turning_before_and_after_resizing_gives_the_same_picture(
            width in 9u32..40, height in 9u32..40, w in 5u32..9, h in 5u32..9, orientation in 1u16..9, halved: bool
        ) {
            let (orientation, target) = (Orientation::from_exif(orientation), Size::new(w, h));
            let picture = Planes::of(&slope(Size::new(width, height)), false).unwrap();
            let one = picture.resized(target, halved, orientation).unwrap().oriented(orientation).unwrap();
            let upright = picture.oriented(orientation).unwrap();
            let other = upright.resized(orientation.apply(target), halved, Orientation::Upright).unwrap();
            let [a, b] = [one, other].map(|planes| {
                let [cb, cr] = planes.chroma.unwrap();
                [planes.luma, cb, cr]
            });
            for (a, b) in a.iter().zip(&b) {
                prop_assert_eq!((a.size, a.extent), (b.size, b.extent));
                // Rounding between the two passes differs, and the filter's negative weights add to the difference.
                prop_assert!(a.samples.iter().zip(&b.samples).all(|(a, b)| a.abs_diff(*b) <= 2), "{:?} {:?}", a, b);
            }
        }

        #[test]
        fn every_pixel_is_converted_without_overflow(r: u8, g: u8, b: u8) {
            let exact = |weights: [f64; 3], offset: f64| {
                (weights[0] * f64::from(r) + weights[1] * f64::from(g) + weights[2] * f64::from(b) + offset).clamp(0.0, 255.0)
            };
            let got = ycc(&[[r, g, b]]);
            for (got, exact) in got.iter().zip([
                exact([0.299, 0.587, 0.114], 0.0),
                exact([-0.168_736, -0.331_264, 0.5], 128.0),
                exact([0.5, -0.418_688, -0.081_312], 128.0),
            ]) {
                prop_assert!((f64::from(got[0]) - exact).abs() < 0.52, "{got:?} for {exact}");
            }
        }
    }
}
