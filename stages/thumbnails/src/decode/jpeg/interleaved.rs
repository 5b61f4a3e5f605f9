//! Channels of different sizes, enlarged and put beside each other as pixels.

use super::colours::Colours;
use super::convert::{inks, rgb};
use super::enlarge::Rows;
use crate::error::PictureError;
use crate::geometry::Size;
use crate::planes::Plane;
use crate::raster::{Layout, Raster};

/// Returns the pixels of a picture of `size`, of which `extent` is covered.
///
/// # Errors
/// If there are fewer planes than the colours need, or one is incomplete.
pub fn interleaved(
    planes: Vec<Plane>,
    colours: Colours,
    size: Size,
    extent: (f64, f64),
) -> Result<Raster, PictureError> {
    let defect = || PictureError::defect("a JPEG's planes do not fit its colours");
    let (width, height) = (size.width as usize, size.height as usize);
    let layout = match colours {
        Colours::Gray => Layout::Gray,
        Colours::YCbCr | Colours::Rgb => Layout::Rgb,
        Colours::Cmyk | Colours::Ycck => Layout::Cmyk,
        Colours::Stored => match planes.len() {
            1 => Layout::Gray,
            2 => Layout::GrayAlpha,
            3 => Layout::Rgb,
            _ => Layout::Rgba,
        },
    };
    let channels = layout.channels();
    if planes.len() != channels || planes.iter().any(|plane| plane.samples.len() as u64 != plane.size.pixels()) {
        return Err(defect());
    }
    if let [gray] = planes.as_slice()
        && gray.size == size
    {
        return Raster::new(size, layout, planes.into_iter().next().ok_or_else(defect)?.samples);
    }
    let mut rows: Vec<Rows> = planes.into_iter().map(|plane| Rows::new(plane, size, extent)).collect();
    let mut samples = vec![0; width * height * channels];
    for (y, line) in samples.chunks_exact_mut(width * channels).enumerate() {
        rows.iter_mut().for_each(|channel| channel.advance(y));
        match rows.as_slice() {
            [gray] => line.copy_from_slice(gray.row()),
            all if colours == Colours::Stored => {
                for (channel, row) in all.iter().enumerate() {
                    let places = line.iter_mut().skip(channel).step_by(channels);
                    places.zip(row.row()).for_each(|(place, sample)| *place = *sample);
                }
            }
            [a, b, c] => rgb(colours, [a.row(), b.row(), c.row()], line),
            [a, b, c, d] => inks(colours, [a.row(), b.row(), c.row(), d.row()], line),
            _ => return Err(defect()),
        }
    }
    Raster::new(size, layout, samples)
}
