//! Colours that a file states by numbers in place of a profile: by a gamma and chromaticities (PNG, third edition, sections
//! 11.3.2.1 and 11.3.2.2), or by the code points of video (ITU-T H.273).
//!
//! What differs from sRGB becomes two things: a table from samples to bytes with the curve of sRGB, which is applied while a
//! picture is decoded and loses nothing of 16 bits, and a profile with the primaries and that curve.

use moxcms::{Chromaticity, ColorPrimaries, ColorProfile, ToneReprCurve, XyY};

use super::curve::srgb_encoded;

/// The luminance of white in the pictures of high dynamic range, in cd/m² (ITU-R BT.2408).
const HDR_WHITE: f64 = 203.0;

/// White point, red, green and blue, each x and y.
type Chromaticities = [[f64; 2]; 4];

const SRGB: Chromaticities = [[0.3127, 0.3290], [0.64, 0.33], [0.30, 0.60], [0.15, 0.06]];

/// How samples become light.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Curve {
    Srgb,
    /// The light to the power of this is the sample.
    Power(f64),
    /// Perceptual quantisation (SMPTE ST 2084).
    Pq,
    /// Hybrid log-gamma (ITU-R BT.2100).
    Hlg,
}

/// Colours that are stated by numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct StatedColours {
    curve: Curve,
    /// Whether samples go from 16/255 to 235/255, as in video.
    narrow_range: bool,
    /// `None` for those of sRGB.
    chromaticities: Option<Chromaticities>,
}

impl StatedColours {
    /// Returns sRGB.
    pub fn srgb() -> Self {
        Self { curve: Curve::Srgb, narrow_range: false, chromaticities: None }
    }

    /// Returns the colours of a gamma, such as 1/2.2, and of the chromaticities of white, red, green and blue. What is
    /// missing or makes no sense is that of sRGB; so is the gamma that programs write for sRGB.
    pub fn by_gamma(gamma: Option<f64>, chromaticities: Option<[[f64; 2]; 4]>) -> Self {
        /// The difference up to which two gammas look the same.
        const SAME: f64 = 0.05;
        let curve = match gamma {
            Some(gamma) if (0.1..=10.0).contains(&gamma) && (gamma * 2.2 - 1.0).abs() > SAME => Curve::Power(gamma),
            _ => Curve::Srgb,
        };
        Self { curve, narrow_range: false, chromaticities: chromaticities.and_then(different_from_srgb) }
    }

    /// Returns the colours of the code points for primaries and transfer. `None` for those that are unknown.
    pub fn by_cicp(primaries: u8, transfer: u8, full_range: bool) -> Option<Self> {
        let curve = match transfer {
            // Samples with the curve of a camera are shown as if they had that of sRGB.
            1 | 2 | 6 | 13 | 14 | 15 => Curve::Srgb,
            4 => Curve::Power(1.0 / 2.2),
            5 => Curve::Power(1.0 / 2.8),
            8 => Curve::Power(1.0),
            16 => Curve::Pq,
            18 => Curve::Hlg,
            _ => return None,
        };
        let chromaticities = different_from_srgb(chromaticities_of(primaries)?);
        Some(Self { curve, narrow_range: !full_range, chromaticities })
    }

    /// Returns the byte, with the curve of sRGB, of every sample of 8 bits, or of 16 if `wide`. `None` if they have that curve
    /// already.
    pub fn table(&self, wide: bool) -> Option<Vec<u8>> {
        if self.curve == Curve::Srgb && !self.narrow_range {
            return None;
        }
        let highest = if wide { u16::MAX } else { u8::MAX.into() };
        let byte = |sample: u16| {
            let mut value = f64::from(sample) / f64::from(highest);
            if self.narrow_range {
                value = ((value * 255.0 - 16.0) / 219.0).clamp(0.0, 1.0);
            }
            let encoded = if self.curve == Curve::Srgb { value } else { srgb_encoded(self.curve.light(value)) };
            (encoded * 255.0).round() as u8
        };
        Some((0..=highest).map(byte).collect())
    }

    /// Returns the profile of the primaries with the curve of sRGB. `None` for those of sRGB.
    pub fn into_profile(self) -> Option<Vec<u8>> {
        self.with_curve(None)
    }

    fn with_curve(&self, curve: Option<ToneReprCurve>) -> Option<Vec<u8>> {
        let mut profile = ColorProfile::new_srgb();
        if let Some([white, red, green, blue]) = self.chromaticities {
            let point = |[x, y]: [f64; 2]| Chromaticity { x: x as f32, y: y as f32 };
            let primaries = ColorPrimaries { red: point(red), green: point(green), blue: point(blue) };
            profile.update_rgb_colorimetry(XyY { x: white[0], y: white[1], yb: 1.0 }, primaries);
        } else if curve.is_none() {
            return None;
        }
        profile.cicp = None;
        if let Some(curve) = curve {
            profile.red_trc = Some(curve.clone());
            profile.green_trc = Some(curve.clone());
            profile.blue_trc = Some(curve);
        }
        profile.encode().ok()
    }
}

/// Returns the chromaticities of a code point for primaries (ITU-T H.273, table 2). `None` if it is unknown.
fn chromaticities_of(primaries: u8) -> Option<Chromaticities> {
    const D65: [f64; 2] = [0.3127, 0.3290];
    const C: [f64; 2] = [0.310, 0.316];
    Some(match primaries {
        1 | 2 => SRGB,
        4 => [C, [0.67, 0.33], [0.21, 0.71], [0.14, 0.08]],
        5 => [D65, [0.64, 0.33], [0.29, 0.60], [0.15, 0.06]],
        6 | 7 => [D65, [0.630, 0.340], [0.310, 0.595], [0.155, 0.070]],
        8 => [C, [0.681, 0.319], [0.243, 0.692], [0.145, 0.049]],
        9 => [D65, [0.708, 0.292], [0.170, 0.797], [0.131, 0.046]],
        11 => [[0.314, 0.351], [0.680, 0.320], [0.265, 0.690], [0.150, 0.060]],
        12 => [D65, [0.680, 0.320], [0.265, 0.690], [0.150, 0.060]],
        22 => [D65, [0.630, 0.340], [0.295, 0.605], [0.155, 0.077]],
        _ => return None,
    })
}

/// Returns the shares of red and blue in the luminance of white, for a code point for primaries (ITU-T H.273, equations 39 to
/// 45). `None` if it is unknown.
pub fn luminance_of_primaries(primaries: u8) -> Option<[f64; 2]> {
    let [white, red, green, blue] = chromaticities_of(primaries)?.map(|[x, y]| [x, y, 1.0 - x - y]);
    let cross =
        |a: [f64; 3], b: [f64; 3]| [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
    let dot = |a: [f64; 3], b: [f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    let whole = white[1] * dot(red, cross(green, blue));
    Some([red[1] * dot(white, cross(green, blue)) / whole, blue[1] * dot(white, cross(red, green)) / whole])
}

/// Returns the profile of samples with these code points. `None` if they are sRGB or unknown.
pub fn profile_of_cicp(primaries: u8, transfer: u8) -> Option<Vec<u8>> {
    let stated = StatedColours::by_cicp(primaries, transfer, true)?;
    let curve = match stated.curve {
        Curve::Srgb => None,
        curve => {
            let light = |step: u16| (curve.light(f64::from(step) / 1023.0) * 65_535.0).round() as u16;
            Some(ToneReprCurve::Lut((0..1024).map(light).collect()))
        }
    };
    stated.with_curve(curve)
}

/// Returns the same profile with the curve of sRGB, if its samples are the light itself. `None` for any other profile.
pub fn with_curve_of_srgb(profile: &[u8]) -> Option<Vec<u8>> {
    let mut profile = ColorProfile::new_from_slice(profile).ok()?;
    let is_light = |curve: &Option<ToneReprCurve>| match curve {
        // No numbers, or a single one in 1/256, are a power.
        Some(ToneReprCurve::Lut(numbers)) => matches!(numbers.as_slice(), [] | [256]),
        Some(ToneReprCurve::Parametric(numbers)) => numbers.as_slice() == [1.0],
        None => false,
    };
    let tables = [&profile.lut_a_to_b_perceptual, &profile.lut_a_to_b_colorimetric, &profile.lut_a_to_b_saturation];
    let by_curves = tables.iter().all(|table| table.is_none());
    if !by_curves || ![&profile.red_trc, &profile.green_trc, &profile.blue_trc].into_iter().all(is_light) {
        return None;
    }
    let srgb = ColorProfile::new_srgb();
    (profile.red_trc, profile.green_trc, profile.blue_trc) = (srgb.red_trc, srgb.green_trc, srgb.blue_trc);
    profile.cicp = None;
    profile.encode().ok()
}

/// Returns the profile of Adobe RGB (1998), which cameras state in EXIF. `None` if it cannot be made.
pub fn adobe_rgb() -> Option<Vec<u8>> {
    ColorProfile::new_adobe_rgb().encode().ok()
}

/// Returns chromaticities that span colours and are not those of sRGB.
fn different_from_srgb(given: Chromaticities) -> Option<Chromaticities> {
    /// Files give five digits; programs round to three.
    const SAME: f64 = 0.002;
    let [white, red, green, blue] = given;
    let area = (green[0] - red[0]) * (blue[1] - red[1]) - (blue[0] - red[0]) * (green[1] - red[1]);
    let usable = given.as_flattened().iter().all(|value| (0.0..=1.0).contains(value)) && white[1] > 0.05;
    let same = given.as_flattened().iter().zip(SRGB.as_flattened()).all(|(a, b)| (a - b).abs() <= SAME);
    (usable && area.abs() > 0.01 && !same).then_some(given)
}

impl Curve {
    /// Returns the light, from 0 to 1, of a sample from 0 to 1.
    fn light(self, sample: f64) -> f64 {
        match self {
            Curve::Srgb => super::curve::srgb_light(sample),
            Curve::Power(gamma) => sample.powf(1.0 / gamma),
            Curve::Pq => {
                let root = sample.powf(1.0 / 78.84375);
                let ratio = (root - 0.835_937_5).max(0.0) / (18.851_562_5 - 18.6875 * root);
                dimmed(10_000.0 * ratio.powf(1.0 / 0.159_301_757_812_5) / HDR_WHITE)
            }
            Curve::Hlg => {
                let scene = if sample <= 0.5 {
                    sample * sample / 3.0
                } else {
                    (((sample - 0.559_910_73) / 0.178_832_77).exp() + 0.284_668_92) / 12.0
                };
                // On a screen of 1,000 cd/m².
                dimmed(1_000.0 * scene.powf(1.2) / HDR_WHITE)
            }
        }
    }
}

/// Returns light of high dynamic range, in which 1 is white, within 0 to 1: highlights are compressed and not cut off.
fn dimmed(light: f64) -> f64 {
    const KNEE: f64 = 0.8;
    if light <= KNEE { light } else { 1.0 - (1.0 - KNEE) * (-(light - KNEE) / (1.0 - KNEE)).exp() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::colour::to_srgb;
    use crate::geometry::Size;
    use crate::raster::{Layout, Raster};

    #[test]
    fn linear_light_and_the_gamma_of_old_screens_become_the_curve_of_srgb() {
        let linear = StatedColours::by_gamma(Some(1.0), Some(SRGB));
        // Linear 0.2122 is sRGB 127.
        assert_eq!(linear.table(true).unwrap()[13_906], 127);
        assert_eq!(linear.table(false).unwrap()[255], 255);
        assert_eq!(linear.into_profile(), None);
        let mac = StatedColours::by_gamma(Some(1.0 / 1.8), None).table(false).unwrap();
        // 0.5^1.8 is 0.287, which is sRGB 146.
        assert!(mac[128].abs_diff(146) <= 1, "{}", mac[128]);
    }

    #[test]
    fn the_gamma_that_programs_write_for_srgb_changes_nothing() {
        for gamma in [0.45455, 0.454, 0.4545] {
            assert_eq!(StatedColours::by_gamma(Some(gamma), Some(SRGB)), StatedColours::srgb());
        }
        assert_eq!(StatedColours::srgb().table(true), None);
        assert_eq!(StatedColours::by_cicp(1, 13, true), Some(StatedColours::srgb()));
        assert_eq!(profile_of_cicp(1, 13), None);
    }

    #[test]
    fn nonsense_is_ignored() {
        for chromaticities in [[[0.0; 2]; 4], [[0.3; 2]; 4], [[0.3127, 0.329], [9.0, 0.3], [0.3, 0.6], [0.1, 0.0]]] {
            assert_eq!(StatedColours::by_gamma(Some(0.0), Some(chromaticities)), StatedColours::srgb());
        }
        assert_eq!(StatedColours::by_cicp(1, 200, true), None);
        assert_eq!(StatedColours::by_cicp(99, 13, true), None);
    }

    #[test]
    fn the_primaries_of_displays_and_of_adobe_become_those_of_srgb() {
        let pixel = |rgb: [u8; 3], profile: Option<Vec<u8>>| {
            let raster = Raster::new(Size::new(1, 1), Layout::Rgb, rgb.to_vec()).unwrap();
            to_srgb(raster, profile.as_deref()).unwrap().samples().to_vec()
        };
        // P3 (200, 100, 50) is sRGB (215, 93, 31), and Adobe RGB (200, 100, 50) is sRGB (227, 100, 42), by the matrices of
        // the standards.
        let p3 = pixel([200, 100, 50], StatedColours::by_cicp(12, 13, true).unwrap().into_profile());
        assert!(p3.iter().zip([215u8, 93, 31]).all(|(got, want)| got.abs_diff(want) <= 2), "{p3:?}");
        let adobe = pixel([200, 100, 50], adobe_rgb());
        assert!(adobe.iter().zip([227u8, 100, 42]).all(|(got, want)| got.abs_diff(want) <= 3), "{adobe:?}");
        assert_eq!(pixel([255; 3], profile_of_cicp(9, 16)), [255; 3]);
    }

    #[test]
    fn high_dynamic_range_keeps_white_light_and_black_dark() {
        let pq = StatedColours::by_cicp(9, 16, true).unwrap().table(true).unwrap();
        let hlg = StatedColours::by_cicp(9, 18, true).unwrap().table(true).unwrap();
        // The signal of 203 cd/m² is 0.58 in PQ and 0.75 in HLG (BT.2408, table 1).
        for (table, white) in [(&pq, 0.58), (&hlg, 0.75)] {
            let at = |signal: f64| table[(signal * 65_535.0) as usize];
            assert!((235..250).contains(&at(white)), "{}", at(white));
            assert_eq!((at(0.0), at(1.0)), (0, 255));
            assert!(table.is_sorted());
        }
    }

    #[test]
    fn only_a_profile_of_light_gets_the_curve_of_srgb() {
        let mut light = ColorProfile::new_display_p3();
        for curve in [vec![], vec![256]] {
            let curve = Some(ToneReprCurve::Lut(curve));
            (light.red_trc, light.green_trc, light.blue_trc) = (curve.clone(), curve.clone(), curve);
            let encoded = with_curve_of_srgb(&light.encode().unwrap()).unwrap();
            assert_eq!(with_curve_of_srgb(&encoded), None);
            let raster = Raster::new(Size::new(1, 1), Layout::Rgb, vec![200, 100, 50]).unwrap();
            // As for the primaries of P3 with the curve of sRGB, above.
            let shown = to_srgb(raster, Some(&encoded)).unwrap();
            assert!(
                shown.samples().iter().zip([215u8, 93, 31]).all(|(got, want)| got.abs_diff(want) <= 2),
                "{shown:?}"
            );
        }
        assert_eq!(with_curve_of_srgb(&ColorProfile::new_srgb().encode().unwrap()), None);
        assert_eq!(with_curve_of_srgb(b"no profile"), None);
    }

    #[test]
    fn the_luminance_of_primaries_is_that_of_their_standards() {
        // ITU-R BT.709, BT.601 with the primaries of SMPTE 170M as SMPTE 240M has them, and BT.2020.
        for (primaries, [red, blue]) in [(1, [0.2126, 0.0722]), (7, [0.212, 0.087]), (9, [0.2627, 0.0593])] {
            let found = luminance_of_primaries(primaries).unwrap();
            assert!((found[0] - red).abs() < 6e-4 && (found[1] - blue).abs() < 6e-4, "{primaries}: {found:?}");
        }
        assert_eq!(luminance_of_primaries(99), None);
    }

    #[test]
    fn the_range_of_video_is_stretched() {
        let narrow = StatedColours::by_cicp(1, 13, false).unwrap().table(false).unwrap();
        assert_eq!((narrow[0], narrow[16], narrow[235], narrow[255]), (0, 0, 255, 255));
    }
}
