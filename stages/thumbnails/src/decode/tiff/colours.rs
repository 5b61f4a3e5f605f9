//! From samples to colours: gray, palettes, RGB, inks, YCbCr and CIELAB.

/// What the colour samples of a pixel mean.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Colours {
    Gray {
        white_is_zero: bool,
    },
    Rgb,
    Palette(Vec<[u8; 3]>),
    Cmyk,
    YCbCr(YCbCr),
    /// CIELAB by D50. `signed`: a and b as numbers below and above 0, and not from 0 with 128 in the middle.
    Lab {
        signed: bool,
    },
}

impl Colours {
    /// Returns the number of samples that a colour has.
    pub(super) fn samples(&self) -> usize {
        match self {
            Colours::Gray { .. } | Colours::Palette(_) => 1,
            Colours::Rgb | Colours::YCbCr(_) | Colours::Lab { .. } => 3,
            Colours::Cmyk => 4,
        }
    }
}

/// How YCbCr becomes RGB (TIFF 6.0, section 21), and how many pixels share a colour.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct YCbCr {
    pub(super) across: u32,
    pub(super) down: u32,
    coefficients: [f64; 3],
    reference: [f64; 6],
}

impl YCbCr {
    /// Returns the conversion. `None` if a number that it divides by is zero.
    pub(super) fn new(across: u32, down: u32, coefficients: [f64; 3], reference: [f64; 6]) -> Option<Self> {
        let [black, white, blue_zero, blue, red_zero, red] = reference;
        let usable = coefficients[1] > 0.0 && white != black && blue != blue_zero && red != red_zero;
        usable.then_some(Self { across, down, coefficients, reference })
    }

    /// Returns whether several pixels share a colour.
    pub(super) fn is_subsampled(&self) -> bool {
        self.across * self.down > 1
    }

    /// Returns the colour of a pixel.
    pub(super) fn rgb(&self, y: u8, cb: u8, cr: u8) -> [u8; 3] {
        let [black, white, blue_zero, blue_end, red_zero, red_end] = self.reference;
        let [red_share, green_share, blue_share] = self.coefficients;
        let scaled = |value: u8, zero: f64, end: f64, range: f64| (f64::from(value) - zero) * range / (end - zero);
        let y = scaled(y, black, white, 255.0);
        let cb = scaled(cb, blue_zero, blue_end, 127.0);
        let cr = scaled(cr, red_zero, red_end, 127.0);
        let red = y + cr * (2.0 - 2.0 * red_share);
        let blue = y + cb * (2.0 - 2.0 * blue_share);
        let green = (y - blue_share * blue - red_share * red) / green_share;
        // `as` keeps the result within a byte.
        [red, green, blue].map(|light| light.round() as u8)
    }
}

/// Returns the sRGB colour of a CIELAB one: L from 0 to 100, a and b about 0, by D50.
pub(super) fn lab_to_srgb(l: f64, a: f64, b: f64) -> [u8; 3] {
    /// From D50 to the linear light of sRGB, adapted by Bradford.
    const MATRIX: [[f64; 3]; 3] = [
        [3.133_856_1, -1.616_866_7, -0.490_614_6],
        [-0.978_768_4, 1.916_141_5, 0.033_454_0],
        [0.071_945_3, -0.228_991_4, 1.405_242_7],
    ];
    let fy = (l + 16.0) / 116.0;
    let cube = |f: f64| if f > 6.0 / 29.0 { f * f * f } else { (f - 16.0 / 116.0) * 108.0 / 841.0 };
    let xyz = [cube(fy + a / 500.0) * 0.964_22, cube(fy), cube(fy - b / 200.0) * 0.825_21];
    MATRIX.map(|[x, y, z]| {
        let light = (x * xyz[0] + y * xyz[1] + z * xyz[2]).clamp(0.0, 1.0);
        (crate::colour::srgb_encoded(light) * 255.0).round() as u8
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ycbcr_becomes_rgb_as_in_jfif() {
        let full = YCbCr::new(2, 2, [0.299, 0.587, 0.114], [0.0, 255.0, 128.0, 255.0, 128.0, 255.0]).unwrap();
        assert_eq!(full.rgb(128, 128, 128), [128; 3]);
        // Red of JFIF is (76, 85, 255).
        let [r, g, b] = full.rgb(76, 85, 255);
        assert!(r >= 253 && g <= 2 && b <= 2, "{r} {g} {b}");
        let video = YCbCr::new(1, 1, [0.299, 0.587, 0.114], [16.0, 235.0, 128.0, 240.0, 128.0, 240.0]).unwrap();
        assert_eq!((video.rgb(16, 128, 128), video.rgb(235, 128, 128)), ([0; 3], [255; 3]));
        assert!(YCbCr::new(1, 1, [0.3, 0.0, 0.1], [0.0, 255.0, 128.0, 255.0, 128.0, 255.0]).is_none());
    }

    #[test]
    fn cielab_becomes_srgb() {
        // By the formulas of CIE 15 and IEC 61966-2-1.
        for (lab, rgb) in [
            ((100.0, 0.0, 0.0), [255, 255, 255]),
            ((0.0, 0.0, 0.0), [0, 0, 0]),
            ((53.39, 0.0, 0.0), [127, 127, 127]),
            ((54.29, 80.81, 69.89), [255, 0, 0]),
        ] {
            let got = lab_to_srgb(lab.0, lab.1, lab.2);
            assert!(got.iter().zip(rgb).all(|(got, want)| got.abs_diff(want) <= 2), "{lab:?} gave {got:?}");
        }
    }
}
