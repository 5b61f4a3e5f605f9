//! Pictures in, on and under each other: cut out, drawn over one another, with opacity.

use crate::error::PictureError;
use crate::geometry::Size;
use crate::raster::{Layout, Raster};

/// An image overlay (`iovl`; ISO/IEC 23008-12, section 6.6.2.2).
pub(super) struct Overlay {
    pub(super) size: Size,
    /// Red, green, blue and opacity of what no part covers.
    fill: [u8; 4],
    /// The left and top of each part, which may be outside.
    pub(super) places: Vec<(i64, i64)>,
}

impl Overlay {
    /// Returns the overlay of `parts` parts. `None` if the data is too short or of another version.
    pub(super) fn parse(data: &[u8], parts: usize) -> Option<Self> {
        let mut bytes = data.iter().copied();
        let mut next = |count: usize| (0..count).try_fold(0u32, |word, _| Some(word << 8 | u32::from(bytes.next()?)));
        if next(1)? != 0 {
            return None;
        }
        let width = if next(1)? & 1 == 0 { 2 } else { 4 };
        let mut fill = [0; 4];
        for channel in &mut fill {
            // From 16 bits.
            *channel = (next(2)? >> 8) as u8;
        }
        let size = Size::new(next(width)?, next(width)?);
        let signed = |word: u32| if width == 2 { i64::from(word as u16 as i16) } else { i64::from(word as i32) };
        let mut places = Vec::new();
        for _ in 0..parts {
            places.push((signed(next(width)?), signed(next(width)?)));
        }
        Some(Self { size, fill, places })
    }

    /// Returns the samples of the empty overlay: red, green, blue, opacity.
    pub(super) fn canvas(&self) -> Vec<u8> {
        self.fill.repeat(usize::try_from(self.size.pixels()).unwrap_or_default())
    }
}

/// Draws a picture onto a canvas of red, green, blue and opacity.
pub(super) fn draw(part: &Raster, canvas: &mut [u8], size: Size, (left, top): (i64, i64)) {
    let (width, channels) = (part.size().width as usize, part.layout().channels());
    let (pixels, _) = canvas.as_chunks_mut::<4>();
    for (y, row) in (top..).zip(part.samples().chunks_exact(width * channels)) {
        if !(0..i64::from(size.height)).contains(&y) {
            continue;
        }
        let line = pixels.iter_mut().skip(y as usize * size.width as usize).take(size.width as usize);
        let skipped = usize::try_from(-left).unwrap_or_default();
        let place = usize::try_from(left).unwrap_or_default();
        for (below, above) in line.skip(place).zip(row.chunks_exact(channels).skip(skipped)) {
            let (colour, opacity) = match *above {
                [gray] => ([gray; 3], 255),
                [gray, opacity] => ([gray; 3], opacity),
                [r, g, b] => ([r, g, b], 255),
                [r, g, b, opacity] => ([r, g, b], opacity),
                _ => continue,
            };
            *below = over(colour, opacity, *below);
        }
    }
}

/// Returns a pixel over another one.
fn over(colour: [u8; 3], opacity: u8, below: [u8; 4]) -> [u8; 4] {
    let (above, under) = (u32::from(opacity) * 255, u32::from(below[3]) * u32::from(255 - opacity));
    let both = above + under;
    if both == 0 {
        return [0; 4];
    }
    let mix = |channel: usize| {
        ((u32::from(colour[channel]) * above + u32::from(below[channel]) * under + both / 2) / both) as u8
    };
    [mix(0), mix(1), mix(2), ((both + 127) / 255) as u8]
}

/// Returns the picture of red, green, blue and opacity, without opacity if it is opaque everywhere.
pub(super) fn opaque_if_possible(size: Size, samples: Vec<u8>) -> Result<Raster, PictureError> {
    let (pixels, _) = samples.as_chunks::<4>();
    if pixels.iter().any(|pixel| pixel[3] != 255) {
        return Raster::new(size, Layout::Rgba, samples);
    }
    Raster::new(size, Layout::Rgb, pixels.iter().flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect())
}

/// Returns a picture with the opacity in another one's lightness, which is stretched to its size. If the colours are
/// multiplied by it, they are divided.
pub(super) fn with_opacity(picture: &Raster, opacity: &Raster, premultiplied: bool) -> Result<Raster, PictureError> {
    let layout = match picture.layout() {
        Layout::Gray | Layout::GrayAlpha => Layout::GrayAlpha,
        _ => Layout::Rgba,
    };
    let (size, of) = (picture.size(), opacity.size());
    let (given, kept, step) = (picture.layout().channels(), layout.channels() - 1, opacity.layout().channels());
    let mut samples = Vec::with_capacity(size.width as usize * size.height as usize * layout.channels());
    let stretched = |at: usize, from: u32, to: u32| (at as u64 * u64::from(from) / u64::from(to)) as usize;
    for (y, row) in picture.samples().chunks_exact(size.width as usize * given).enumerate() {
        let line = stretched(y, of.height, size.height) * of.width as usize;
        for (x, pixel) in row.chunks_exact(given).enumerate() {
            let at = (line + stretched(x, of.width, size.width)) * step;
            let opacity = opacity.samples().get(at).copied().unwrap_or(255);
            let divided = |&sample: &u8| match opacity {
                1..=254 if premultiplied => (u32::from(sample) * 255 / u32::from(opacity)).min(255) as u8,
                _ => sample,
            };
            samples.extend(pixel.iter().take(kept).map(divided));
            samples.push(opacity);
        }
    }
    Raster::new(size, layout, samples)
}

/// Returns a part of a picture, which is within it.
pub(super) fn cut(picture: &Raster, left: u32, top: u32, size: Size) -> Result<Raster, PictureError> {
    let channels = picture.layout().channels();
    let rows = picture.samples().chunks_exact(picture.size().width as usize * channels);
    let mut samples = Vec::with_capacity(size.width as usize * size.height as usize * channels);
    for row in rows.skip(top as usize).take(size.height as usize) {
        samples.extend(row.iter().skip(left as usize * channels).take(size.width as usize * channels));
    }
    Raster::new(size, picture.layout(), samples)
}
