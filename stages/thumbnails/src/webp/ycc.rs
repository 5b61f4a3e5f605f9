//! From red, green and blue to planes of lightness and colour (RFC 6386, section 9.2: ITU-R BT.601, 16 to 235).

use super::choose::Planes;
use super::predict::Plane;
use crate::raster::Raster;

/// Returns the planes of a picture. They are filled up to whole blocks with the samples at its edges.
pub(super) fn planes(picture: &Raster) -> Planes {
    let (width, height) = (picture.size().width as usize, picture.size().height as usize);
    let (columns, rows) = (width.next_multiple_of(16), height.next_multiple_of(16));
    let mut luma = Plane::new(columns, rows);
    let mut chroma = [Plane::new(columns / 2, rows / 2), Plane::new(columns / 2, rows / 2)];
    let channels = picture.layout().channels();
    let pixel = |x: usize, y: usize| -> [i32; 3] {
        let at = (y.min(height - 1) * width + x.min(width - 1)) * channels;
        match picture.samples()[at..at + channels] {
            [gray] | [gray, _] => [gray.into(); 3],
            [r, g, b, ..] => [r.into(), g.into(), b.into()],
            [] => [0; 3],
        }
    };
    for y in (0..rows).step_by(2) {
        for x in (0..columns).step_by(2) {
            let mut sum = [0; 3];
            for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let [r, g, b] = pixel(x + column, y + row);
                sum = [sum[0] + r, sum[1] + g, sum[2] + b];
                let lightness = (16_839 * r + 33_059 * g + 6_420 * b + (16 << 16) + (1 << 15)) >> 16;
                luma.samples[(y + row) * columns + x + column] = lightness as u8;
            }
            let [r, g, b] = sum;
            let half = (128 << 18) + (1 << 17);
            let at = y / 2 * (columns / 2) + x / 2;
            chroma[0].samples[at] = ((-9_719 * r - 19_081 * g + 28_800 * b + half) >> 18) as u8;
            chroma[1].samples[at] = ((28_800 * r - 24_116 * g - 4_684 * b + half) >> 18) as u8;
        }
    }
    let [cb, cr] = chroma;
    [luma, cb, cr]
}

/// Returns the opacity of a picture. `None` if it is opaque.
pub(super) fn opacity(picture: &Raster) -> Option<Vec<u8>> {
    if !picture.layout().has_alpha() {
        return None;
    }
    let channels = picture.layout().channels();
    let opacity: Vec<u8> = picture.samples().iter().skip(channels - 1).step_by(channels).copied().collect();
    opacity.iter().any(|&opacity| opacity < 255).then_some(opacity)
}
