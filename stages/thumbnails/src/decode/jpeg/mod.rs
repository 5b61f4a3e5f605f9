//! JPEG: baseline, extended sequential and progressive pictures with Huffman codes and samples of 8 bits, with any sampling,
//! in gray, YCbCr, RGB, CMYK and YCCK.
//!
//! The inverse cosine transform itself scales: of a block, as many frequencies are transformed as the wanted size needs. So a
//! photo of 12 megapixels never exists at full size. Each channel is scaled by itself, and YCbCr stays as it is stored, in
//! planes.
//!
//! A picture is shown if every row of it was decoded, whatever the end of the file looks like. Data that ends early, that
//! forms no valid code, or that is left over is damage, and nothing is shown then: what was not decoded is never made up.

mod bits;
mod coefficients;
mod colours;
mod convert;
mod enlarge;
mod error;
mod header;
mod huffman;
mod interleaved;
mod progressive;
mod scan;
mod sequential;
mod shape;
mod standard;
mod tables;
mod transform;

use self::colours::Colours;
use self::error::{damaged, unsupported};
use self::header::{Frame, Header};
use self::shape::{Channel, Shape};
use super::decoded::{Decoded, DecodedPixels, WantedScale};
use super::limits::Limits;
use crate::error::PictureError;
use crate::format::Format;
use crate::geometry::{Orientation, Size};
use crate::planes::{Plane, Planes};
use crate::raster::Raster;

/// Decodes a picture. Gray and YCbCr become planes, others pixels.
pub(super) fn decode(
    source: Vec<u8>,
    limits: Limits,
    orientation: Orientation,
    wanted: &dyn Fn(Size) -> WantedScale,
) -> Result<Decoded, PictureError> {
    let Opened { header, mut shape, colours } = Opened::new(&source, limits, Colours::of)?;
    let full = shape.full;
    let wanted = wanted(orientation.apply(full));
    let target = orientation.apply(wanted.size);
    let profile = header.profile();
    let needs = |shape: &Shape, more: u64| {
        limits.check_memory(
            Format::Jpeg,
            full,
            (source.len() as u64).saturating_add(shape.bytes()).saturating_add(more),
        )
    };
    // A few files have fewer samples of brightness than of colours.
    let fine = shape.channels.first().is_some_and(|first| first.unit == shape.most);
    let pixels = if fine && matches!(colours, Colours::Gray | Colours::YCbCr) {
        let all = (f64::from(target.width), f64::from(target.height));
        shape.scale_apart(all, if wanted.halved_chroma { (all.0 / 2.0, all.1 / 2.0) } else { all });
        needs(&shape, 0)?;
        let mut planes = planes(&source, header, &shape)?.into_iter();
        let mut next = || planes.next().ok_or_else(|| PictureError::defect("a JPEG has too few channels"));
        let luma = next()?;
        let chroma = if colours == Colours::Gray { None } else { Some([next()?, next()?]) };
        DecodedPixels::Planar(Planes { luma, chroma })
    } else {
        let scale = shape.scale_together(target);
        let (size, extent) = scaled(full, scale);
        needs(&shape, size.pixels() * shape.channels.len() as u64)?;
        let planes = planes(&source, header, &shape)?;
        drop(source);
        DecodedPixels::Interleaved { raster: interleaved::interleaved(planes, colours, size, extent)?, extent }
    };
    Ok(Decoded { pixels, full, orientation, profile })
}

/// Decodes a picture within a file of another format at its full size. Of YCbCr it makes RGB; all other channels, of which
/// there are at most four, are returned as they are stored.
pub(super) fn decode_within(source: Vec<u8>, is_ycbcr: bool, limits: Limits) -> Result<Raster, PictureError> {
    let meaning = |_: &Header, frame: &Frame| match frame.components.len() {
        3 if is_ycbcr => Ok(Colours::YCbCr),
        1..=4 => Ok(Colours::Stored),
        many => Err(unsupported(&format!("{many} colour channels"))),
    };
    let Opened { header, mut shape, colours } = Opened::new(&source, limits, meaning)?;
    let full = shape.full;
    let scale = shape.scale_together(full);
    let pixels = full.pixels() * shape.channels.len() as u64;
    limits.check_memory(
        Format::Jpeg,
        full,
        (source.len() as u64).saturating_add(shape.bytes()).saturating_add(pixels),
    )?;
    let planes = planes(&source, header, &shape)?;
    drop(source);
    let (size, extent) = scaled(full, scale);
    interleaved::interleaved(planes, colours, size, extent)
}

/// Returns the pixels of gray or YCbCr planes at the size of the first one, and the columns and rows that the picture covers.
pub(super) fn pixels(planes: Planes) -> Result<(Raster, (f64, f64)), PictureError> {
    let (size, extent) = (planes.luma.size, planes.luma.extent);
    let colours = if planes.chroma.is_some() { Colours::YCbCr } else { Colours::Gray };
    let all = std::iter::once(planes.luma).chain(planes.chroma.into_iter().flatten()).collect();
    Ok((interleaved::interleaved(all, colours, size, extent)?, extent))
}

/// A file whose headers were read.
struct Opened {
    header: Header,
    shape: Shape,
    colours: Colours,
}

impl Opened {
    /// Reads the headers. `meaning` returns what the channels mean.
    fn new(
        source: &[u8],
        limits: Limits,
        meaning: impl FnOnce(&Header, &Frame) -> Result<Colours, PictureError>,
    ) -> Result<Self, PictureError> {
        let header = Header::read(source)?;
        let frame = header.frame.as_ref().ok_or_else(|| damaged("it has no frame header"))?;
        limits.check_size(Format::Jpeg, Size::new(frame.width.into(), frame.height.into()))?;
        check_kind(frame)?;
        let (shape, colours) = (Shape::new(frame)?, meaning(&header, frame)?);
        Ok(Self { header, shape, colours })
    }
}

/// Refuses the kinds of JPEG that no camera writes.
fn check_kind(frame: &Frame) -> Result<(), PictureError> {
    let what = match frame.marker {
        0xC0..=0xC2 if frame.precision == 8 => return Ok(()),
        0xC0..=0xC2 => format!("samples of {} bits", frame.precision),
        0xC3 => "lossless coding (SOF3)".to_owned(),
        0xC9..=0xCB => "arithmetic coding".to_owned(),
        _ => "hierarchical coding".to_owned(),
    };
    Err(unsupported(&what))
}

/// Decodes the channels, each at its size.
fn planes(source: &[u8], header: Header, shape: &Shape) -> Result<Vec<Plane>, PictureError> {
    let samples = match shape.progressive {
        true => progressive::decode(source, header, shape)?,
        false => sequential::decode(source, header, shape)?,
    };
    Ok(samples.into_iter().zip(&shape.channels).map(|(samples, channel)| plane(samples, channel)).collect())
}

/// Returns the plane of a channel's blocks, without the samples beyond the picture's right and lower edges.
fn plane(mut samples: Vec<u8>, channel: &Channel) -> Plane {
    let stride = channel.blocks.0 * channel.size;
    let extent = channel.extent();
    let (width, height) = (extent.0.ceil() as usize, extent.1.ceil() as usize);
    if width < stride {
        for row in 1..height {
            samples.copy_within(row * stride..row * stride + width, row * width);
        }
    }
    samples.truncate(width * height);
    Plane { size: Size::new(width as u32, height as u32), extent, samples }
}

/// Returns the size at `scale` eighths, and the columns and rows that the picture covers then.
fn scaled(full: Size, scale: usize) -> (Size, (f64, f64)) {
    let side = |side: u32| f64::from(side) * scale as f64 / 8.0;
    let extent = (side(full.width), side(full.height));
    (Size::new(extent.0.ceil() as u32, extent.1.ceil() as u32), extent)
}

#[cfg(test)]
mod tests;
