//! From planes to red, green and blue, 8 bits each (ITU-T H.273, section 8.3).

use super::container::Container;
use super::frame::{Chroma, Colours, Frame, Siting};
use crate::colour::luminance_of_primaries;
use crate::error::PictureError;
use crate::geometry::Size;

/// The fractional bits of the sums.
const FRACTION: u32 = 20;

/// How much larger interpolated colour samples are: two axes with weights of quarters.
const WEIGHTS: i32 = 16;

/// Where a frame is written: rows of `stride` bytes, of which the first pixel is the frame's.
pub(super) struct Target<'a> {
    pub(super) samples: &'a mut [u8],
    pub(super) stride: usize,
}

/// Writes the lightness of the top left `part` of a frame.
pub(super) fn write_gray(frame: &Frame, full_range: bool, part: Size, target: Target<'_>) {
    let Scale { base, factor } = Scale::of_lightness(frame.depth[0], full_range);
    let width = part.width as usize;
    let rows = frame.planes[0].chunks_exact(frame.size.width as usize).zip(target.samples.chunks_mut(target.stride));
    for (row, out) in rows.take(part.height as usize) {
        for (&sample, out) in row.iter().take(width).zip(out) {
            *out = byte((i32::from(sample) - base) * factor);
        }
    }
}

/// Writes the colours of the top left `part` of a frame.
pub(super) fn write_rgb(
    container: &Container<'_>,
    frame: &Frame,
    chroma: Chroma,
    colours: Colours,
    part: Size,
    target: Target<'_>,
) -> Result<(), PictureError> {
    if colours.matrix == 0 {
        return write_identity(container, frame, chroma, colours.full_range, part, target);
    }
    let Some(shares) = shares(colours) else {
        let matrix = colours.matrix;
        return Err(container.unsupported(&format!("whose colours are coded by matrix {matrix}")));
    };
    let Scale { base, factor } = Scale::of_lightness(frame.depth[0], colours.full_range);
    let unit = match colours.matrix {
        YCGCO => f64::from(Scale::of_lightness(frame.depth[1], colours.full_range).factor),
        _ => Scale::of_colour(frame.depth[1], colours.full_range),
    };
    let [to_red, to_green, to_blue] =
        shares.map(|pair| pair.map(|share| (share * unit / f64::from(WEIGHTS)).round() as i32));
    let middle = WEIGHTS << (frame.depth[1] - 1);

    let width = part.width as usize;
    let mut between = vec![0; chroma.size.width as usize];
    let mut colour = [vec![0; width], vec![0; width]];
    let rows = frame.planes[0].chunks_exact(frame.size.width as usize).zip(target.samples.chunks_mut(target.stride));
    for (y, (row, out)) in rows.take(part.height as usize).enumerate() {
        for (plane, line) in frame.planes[1..].iter().zip(&mut colour) {
            blend_rows(plane, chroma, y, &mut between);
            widen(&between, chroma.halved_columns, line);
        }
        let (pixels, _) = out.as_chunks_mut::<3>();
        for (((pixel, &lightness), &b), &r) in pixels.iter_mut().zip(row).zip(&colour[0]).zip(&colour[1]) {
            let lightness = (i32::from(lightness) - base) * factor;
            let (b, r) = (b - middle, r - middle);
            pixel[0] = byte(lightness + b * to_red[0] + r * to_red[1]);
            pixel[1] = byte(lightness + b * to_green[0] + r * to_green[1]);
            pixel[2] = byte(lightness + b * to_blue[0] + r * to_blue[1]);
        }
    }
    Ok(())
}

/// The matrix of YCgCo, whose two colour planes have the scale of lightness.
const YCGCO: u16 = 8;

/// Returns how much of the two colour planes is added to lightness for red, for green and for blue. `None` for a matrix that is
/// not known, or not linear.
fn shares(colours: Colours) -> Option<[[f64; 2]; 3]> {
    // The weights of red and blue in lightness.
    let [red, blue] = match colours.matrix {
        1 => [0.2126, 0.0722],
        4 => [0.30, 0.11],
        // What is unspecified is taken for BT.601, as by other readers.
        2 | 5 | 6 => [0.299, 0.114],
        7 => [0.212, 0.087],
        YCGCO => return Some([[-1.0, 1.0], [1.0, 0.0], [-1.0, -1.0]]),
        9 => [0.2627, 0.0593],
        12 => luminance_of_primaries(u8::try_from(colours.primaries).ok()?)?,
        _ => return None,
    };
    let green = 1.0 - red - blue;
    let (to_red, to_blue) = (2.0 * (1.0 - red), 2.0 * (1.0 - blue));
    Some([[0.0, to_red], [-to_blue * blue / green, -to_red * red / green], [to_blue, 0.0]])
}

/// Writes a frame whose planes are green, blue and red.
fn write_identity(
    container: &Container<'_>,
    frame: &Frame,
    chroma: Chroma,
    full_range: bool,
    part: Size,
    target: Target<'_>,
) -> Result<(), PictureError> {
    if chroma.halved_columns.is_some() || chroma.halved_rows.is_some() || frame.depth[0] != frame.depth[1] {
        return Err(container.damaged("it gives red, green and blue different resolutions"));
    }
    let Scale { base, factor } = Scale::of_lightness(frame.depth[0], full_range);
    let stride = frame.size.width as usize;
    for (y, out) in target.samples.chunks_mut(target.stride).take(part.height as usize).enumerate() {
        let (pixels, _) = out.as_chunks_mut::<3>();
        for (channel, plane) in [2, 0, 1].into_iter().map(|plane| &frame.planes[plane]).enumerate() {
            let row = plane.iter().skip(y * stride).take(part.width as usize);
            for (pixel, &sample) in pixels.iter_mut().zip(row) {
                pixel[channel] = byte((i32::from(sample) - base) * factor);
            }
        }
    }
    Ok(())
}

/// How a sample becomes a byte: its distance from black by a factor with [`FRACTION`] fractional bits.
struct Scale {
    base: i32,
    factor: i32,
}

impl Scale {
    fn of_lightness(depth: u8, full_range: bool) -> Self {
        let (base, span) = if full_range { (0, (1 << depth) - 1) } else { (16 << (depth - 8), 219 << (depth - 8)) };
        Self { base, factor: (255.0 / f64::from(span) * f64::from(1u32 << FRACTION)).round() as i32 }
    }

    fn of_colour(depth: u8, full_range: bool) -> f64 {
        let span = if full_range { (1 << depth) - 1 } else { 224 << (depth - 8) };
        255.0 / f64::from(span) * f64::from(1u32 << FRACTION)
    }
}

fn byte(sum: i32) -> u8 {
    ((sum + (1 << (FRACTION - 1))) >> FRACTION).clamp(0, 255) as u8
}

/// Writes the colour samples at lightness row `y`, times four.
fn blend_rows(plane: &[u16], chroma: Chroma, y: usize, out: &mut [i32]) {
    let (width, last) = (chroma.size.width as usize, chroma.size.height as usize - 1);
    let row = |y: usize| plane.iter().skip(y.min(last) * width).take(width).map(|&sample| i32::from(sample));
    let (near, far, weight) = match chroma.halved_rows {
        None => (y, y, 4),
        Some(Siting::Beside) => (y / 2, y / 2 + y % 2, if y.is_multiple_of(2) { 4 } else { 2 }),
        Some(Siting::Between) => (y / 2, if y.is_multiple_of(2) { (y / 2).saturating_sub(1) } else { y / 2 + 1 }, 3),
    };
    for ((out, near), far) in out.iter_mut().zip(row(near)).zip(row(far)) {
        *out = weight * near + (4 - weight) * far;
    }
}

/// Writes a row of colour samples at every lightness sample, times four.
fn widen(row: &[i32], halved: Option<Siting>, out: &mut [i32]) {
    let last = row.len() - 1;
    let at = |x: usize| row[x.min(last)];
    match halved {
        None => out.iter_mut().zip(row).for_each(|(out, sample)| *out = 4 * sample),
        Some(Siting::Beside) => {
            for (x, pair) in out.chunks_mut(2).enumerate() {
                let (this, next) = (at(x), at(x + 1));
                pair.iter_mut().zip([4 * this, 2 * (this + next)]).for_each(|(out, sample)| *out = sample);
            }
        }
        Some(Siting::Between) => {
            for (x, pair) in out.chunks_mut(2).enumerate() {
                let (before, this, next) = (at(x.saturating_sub(1)), at(x), at(x + 1));
                pair.iter_mut().zip([3 * this + before, 3 * this + next]).for_each(|(out, sample)| *out = sample);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(matrix: u16, primaries: u16) -> Option<[[f64; 2]; 3]> {
        shares(Colours { primaries, transfer: 13, matrix, full_range: true })
    }

    #[test]
    fn ycgco_becomes_the_colours_that_it_is_made_of() {
        for [red, green, blue] in [[200.0, 30.0, 60.0], [0.0, 255.0, 0.0], [7.0, 7.0, 7.0]] {
            // ITU-T H.273, section 8.3, for matrix 8.
            let lightness = 0.5 * green + 0.25 * (red + blue);
            let (cg, co) = (0.5 * green - 0.25 * (red + blue), 0.5 * (red - blue));
            let back = of(8, 1).unwrap().map(|[by_cg, by_co]| lightness + cg * by_cg + co * by_co);
            assert_eq!(back, [red, green, blue]);
        }
    }

    #[test]
    fn the_matrix_of_primaries_is_nearly_that_of_their_standard() {
        for (primaries, matrix) in [(1, 1), (2, 1), (9, 9)] {
            let (derived, standard) = (of(12, primaries).unwrap(), of(matrix, primaries).unwrap());
            let mut pairs = derived.as_flattened().iter().zip(standard.as_flattened());
            assert!(pairs.all(|(a, b)| (a - b).abs() < 1e-3), "{derived:?}");
        }
        // Constant luminance is not linear, and nothing follows from unknown primaries.
        assert_eq!((of(10, 9), of(13, 1), of(12, 99)), (None, None, None));
    }
}
