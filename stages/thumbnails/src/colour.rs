//! Conversion of colours to sRGB.
//!
//! It runs on the small picture, after the first resize: resizing works on gamma-encoded samples anyway, and a rendition has
//! a tenth of the pixels of a photo.

mod black_point;
mod curve;
mod stated;

pub use curve::srgb_encoded;
pub use stated::{StatedColours, adobe_rgb, luminance_of_primaries, profile_of_cicp, with_curve_of_srgb};

use black_point::Compensated;
use moxcms::{ColorProfile, DataColorSpace, Layout as IccLayout, TransformOptions};

use crate::error::PictureError;
use crate::raster::{Layout, Raster};

/// The largest profile that is used. A CMYK profile with fine tables has 2 to 3 MiB.
pub const MAX_PROFILE: usize = 4 << 20;

/// Returns the picture in sRGB, gray or RGB, with its opacity.
///
/// A profile that cannot be read, or that is for other samples, is ignored, as browsers do. The colours are then taken as
/// sRGB, or as ink coverage.
///
/// # Errors
/// If the conversion itself fails.
pub fn to_srgb(picture: Raster, profile: Option<&[u8]>) -> Result<Raster, PictureError> {
    match profile.and_then(|bytes| Conversion::new(bytes, picture.layout())) {
        Some(conversion) => conversion.apply(picture),
        None if picture.layout() == Layout::Cmyk => plain_cmyk(picture),
        None => Ok(picture),
    }
}

/// Returns whether [`to_srgb`] with this profile changes a picture of such samples.
pub fn changes(profile: Option<&[u8]>, layout: Layout) -> bool {
    layout == Layout::Cmyk || profile.is_some_and(|bytes| Conversion::new(bytes, layout).is_some())
}

struct Conversion {
    transform: std::sync::Arc<moxcms::Transform8BitExecutor>,
    /// The same with black-point compensation, for profiles of inks.
    compensated: Option<Compensated>,
    to: Layout,
}

impl Conversion {
    /// Returns the conversion from a profile. `None` if it would change nothing or the profile cannot be used.
    fn new(profile: &[u8], from: Layout) -> Option<Self> {
        if profile.len() > MAX_PROFILE {
            return None;
        }
        let source = ColorProfile::new_from_slice(profile).ok()?;
        let (expected, icc, icc_to, to) = match from {
            Layout::Gray => (DataColorSpace::Gray, IccLayout::Gray, IccLayout::Rgb, Layout::Rgb),
            Layout::GrayAlpha => (DataColorSpace::Gray, IccLayout::GrayAlpha, IccLayout::Rgba, Layout::Rgba),
            Layout::Rgb => (DataColorSpace::Rgb, IccLayout::Rgb, IccLayout::Rgb, Layout::Rgb),
            Layout::Rgba => (DataColorSpace::Rgb, IccLayout::Rgba, IccLayout::Rgba, Layout::Rgba),
            Layout::Cmyk => (DataColorSpace::Cmyk, IccLayout::Rgba, IccLayout::Rgb, Layout::Rgb),
        };
        if source.color_space != expected {
            return None;
        }
        let srgb = ColorProfile::new_srgb();
        let transform = source.create_transform_8bit(icc, &srgb, icc_to, TransformOptions::default()).ok()?;
        let wide = source.create_transform_16bit(icc, &srgb, icc_to, TransformOptions::default());
        let compensated = wide.ok().and_then(|wide| Compensated::new(&source, wide));
        let conversion = Self { transform, compensated, to };
        (!conversion.changes_nothing(from)).then_some(conversion)
    }

    /// Returns whether the profile is equal to sRGB, as in most photos that have one. Its effect decides and not its name: a
    /// grid of colours must stay unchanged.
    fn changes_nothing(&self, from: Layout) -> bool {
        const STEPS: [u8; 6] = [0, 51, 102, 153, 204, 255];
        if from != Layout::Rgb && from != Layout::Rgba || self.compensated.is_some() {
            return false;
        }
        let opaque = (from == Layout::Rgba).then_some(255);
        let mut grid = Vec::with_capacity(216 * from.channels());
        for r in STEPS {
            for g in STEPS {
                for b in STEPS {
                    grid.extend([r, g, b].into_iter().chain(opaque));
                }
            }
        }
        let mut out = vec![0; grid.len()];
        self.transform.transform(&grid, &mut out).is_ok() && grid.iter().zip(&out).all(|(a, b)| a.abs_diff(*b) <= 1)
    }

    fn apply(&self, picture: Raster) -> Result<Raster, PictureError> {
        let (size, from) = (picture.size(), picture.layout());
        let failed = |e| PictureError::defect(format!("converting {size} pixels to sRGB failed: {e}"));
        if let Some(compensated) =
            self.compensated.as_ref().filter(|_| !matches!(from, Layout::Gray | Layout::GrayAlpha))
        {
            let (before, after) = (from.channels(), self.to.channels());
            let samples = compensated.apply(picture.samples(), before, after, from.has_alpha()).map_err(failed)?;
            return Raster::new(size, self.to, samples);
        }
        let mut out = vec![0; picture.samples().len() / from.channels() * self.to.channels()];
        self.transform.transform(picture.samples(), &mut out).map_err(failed)?;
        // A gray picture stays gray: all three samples are equal, and one is kept.
        match from {
            Layout::Gray => Raster::new(size, Layout::Gray, out.into_iter().step_by(3).collect()),
            Layout::GrayAlpha => {
                let (pixels, _) = out.as_chunks::<4>();
                Raster::new(size, Layout::GrayAlpha, pixels.iter().flat_map(|&[gray, _, _, a]| [gray, a]).collect())
            }
            _ => Raster::new(size, self.to, out),
        }
    }
}

/// Converts inks without a profile: each absorbs its share of the light.
fn plain_cmyk(picture: Raster) -> Result<Raster, PictureError> {
    let size = picture.size();
    let samples = picture.into_samples();
    let (pixels, _) = samples.as_chunks::<4>();
    let light = |ink: u8, black: u8| {
        let product = u32::from(255 - ink) * u32::from(255 - black);
        // At most 255.
        ((product + 127) / 255) as u8
    };
    let rgb = pixels.iter().flat_map(|&[c, m, y, k]| [light(c, k), light(m, k), light(y, k)]).collect();
    Raster::new(size, Layout::Rgb, rgb)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::geometry::Size;
    use proptest::prelude::*;

    fn one(layout: Layout, pixel: &[u8]) -> Raster {
        Raster::new(Size::new(1, 1), layout, pixel.to_vec()).unwrap()
    }

    fn profile(p: ColorProfile) -> Vec<u8> {
        p.encode().unwrap()
    }

    #[test]
    fn display_p3_becomes_srgb() {
        let p3 = profile(ColorProfile::new_display_p3());
        // P3 (200, 100, 50) is sRGB (215, 93, 31), by the matrices of both standards.
        let converted = to_srgb(one(Layout::Rgb, &[200, 100, 50]), Some(&p3)).unwrap();
        for (got, want) in converted.samples().iter().zip([215u8, 93, 31]) {
            assert!(got.abs_diff(want) <= 2, "{:?}", converted.samples());
        }
        // White stays white, and the most saturated red is clipped and does not wrap round.
        assert_eq!(to_srgb(one(Layout::Rgb, &[255; 3]), Some(&p3)).unwrap().samples(), [255; 3]);
        assert_eq!(to_srgb(one(Layout::Rgb, &[255, 0, 0]), Some(&p3)).unwrap().samples(), [255, 0, 0]);
    }

    #[test]
    fn opacity_is_not_converted() {
        let p3 = profile(ColorProfile::new_display_p3());
        let converted = to_srgb(one(Layout::Rgba, &[200, 100, 50, 77]), Some(&p3)).unwrap();
        assert_eq!(converted.samples()[3], 77);
        assert!(converted.samples()[0].abs_diff(215) <= 2);
    }

    #[test]
    fn an_srgb_profile_changes_nothing() {
        let srgb = profile(ColorProfile::new_srgb());
        assert!(Conversion::new(&srgb, Layout::Rgb).is_none());
        assert!(Conversion::new(&profile(ColorProfile::new_display_p3()), Layout::Rgb).is_some());
    }

    #[test]
    fn gray_with_another_gamma_stays_gray_and_is_converted() {
        let linear = profile(ColorProfile::new_gray_with_gamma(1.0));
        let converted = to_srgb(one(Layout::Gray, &[55]), Some(&linear)).unwrap();
        // Linear 55/255 is sRGB 128.
        assert_eq!(converted.layout(), Layout::Gray);
        assert!(converted.samples()[0].abs_diff(128) <= 2, "{:?}", converted.samples());
    }

    #[test]
    fn a_profile_for_other_samples_or_an_invalid_one_is_ignored() {
        let gray = profile(ColorProfile::new_gray_with_gamma(1.0));
        let pixel = one(Layout::Rgb, &[1, 2, 3]);
        assert_eq!(to_srgb(pixel.clone(), Some(&gray)).unwrap(), pixel);
        assert_eq!(to_srgb(pixel.clone(), Some(b"no profile")).unwrap(), pixel);
        assert_eq!(to_srgb(pixel.clone(), Some(&vec![0; MAX_PROFILE + 1])).unwrap(), pixel);
    }

    #[test]
    fn inks_without_a_profile_become_the_light_that_they_reflect() {
        let rgb = |inks: &[u8]| to_srgb(one(Layout::Cmyk, inks), None).unwrap().samples().to_vec();
        assert_eq!(rgb(&[0, 0, 0, 0]), [255; 3]);
        assert_eq!(rgb(&[0, 0, 0, 255]), [0; 3]);
        assert_eq!(rgb(&[255, 0, 0, 0]), [0, 255, 255]);
        assert_eq!(rgb(&[0, 255, 255, 0]), [255, 0, 0]);
    }

    /// A profile of version 2 for inks on gray paper that is black nowhere: L* is 100 without ink and 20 with all inks, linear
    /// in the sum of the inks.
    fn inks_of_newsprint() -> Vec<u8> {
        let lut = {
            let mut tag = b"mft1\0\0\0\0\x04\x03\x02\0".to_vec();
            for row in 0..9u32 {
                tag.extend((if row % 4 == 0 { 0x1_0000u32 } else { 0 }).to_be_bytes());
            }
            (0..4).for_each(|_| tag.extend(0..=255u8));
            for node in 0..16u32 {
                tag.extend([(255 - node.count_ones() * 51) as u8, 128, 128]);
            }
            (0..3).for_each(|_| tag.extend(0..=255u8));
            tag
        };
        let mut file = vec![0; 128];
        file[8..12].copy_from_slice(&[2, 0x40, 0, 0]);
        file[12..24].copy_from_slice(b"prtrCMYKLab ");
        file[36..40].copy_from_slice(b"acsp");
        file[68..80].copy_from_slice(&[0, 0, 0xF6, 0xD6, 0, 1, 0, 0, 0, 0, 0xD3, 0x2D]);
        file.extend(1u32.to_be_bytes());
        file.extend(b"A2B0");
        file.extend(144u32.to_be_bytes());
        file.extend((lut.len() as u32).to_be_bytes());
        file.extend(lut);
        let length = (file.len() as u32).to_be_bytes();
        file[..4].copy_from_slice(&length);
        file
    }

    #[test]
    fn the_darkest_that_inks_can_print_becomes_black() {
        let profile = inks_of_newsprint();
        let gray = |inks: [u8; 4]| to_srgb(one(Layout::Cmyk, &inks), Some(&profile)).unwrap().samples().to_vec();
        let near = |got: &[u8], want: u8| got.iter().all(|sample| sample.abs_diff(want) <= 5);
        assert!(near(&gray([255; 4]), 0), "{:?}", gray([255; 4]));
        assert!(near(&gray([0; 4]), 255), "{:?}", gray([0; 4]));
        // Two inks print L* 60, a luminance of 0.281; without the 0.030 of all inks it is 0.259, which is sRGB 139.
        assert!(near(&gray([255, 255, 0, 0]), 139), "{:?}", gray([255, 255, 0, 0]));
    }

    proptest! {
        #[test]
        fn a_damaged_profile_never_fails_a_picture(at in 0usize..600, value: u8, cut in 0usize..800, p3: bool) {
            let mut bytes = profile(if p3 { ColorProfile::new_display_p3() } else { ColorProfile::new_srgb() });
            if let Some(byte) = bytes.get_mut(at) { *byte = value; }
            bytes.truncate(bytes.len().saturating_sub(cut / 2));
            for layout in [Layout::Gray, Layout::Rgb, Layout::Rgba, Layout::Cmyk] {
                let picture = one(layout, &vec![100; layout.channels()]);
                prop_assert!(to_srgb(picture, Some(&bytes)).is_ok());
            }
        }
    }
}
