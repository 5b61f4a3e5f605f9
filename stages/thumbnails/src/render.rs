//! Rendering: from one photo's bytes to its renditions.

use fast_image_resize::Resizer;

use crate::colour::to_srgb;
use crate::config::Config;
use crate::decode::{self, Limits};
use crate::encode::encode;
use crate::error::PictureError;
use crate::format::recognise;
use crate::geometry::{Bounds, Size};

/// A finished rendition.
#[derive(Debug)]
pub struct Rendered<'a> {
    /// The bounds that it was made for.
    pub bounds: Bounds,
    /// Its size.
    pub size: Size,
    /// The file.
    pub bytes: &'a [u8],
}

/// Renders `source` for all bounds in `wanted`, the largest first, and calls `each` with every rendition as soon as it is
/// made.
///
/// The photo is decoded once. The largest rendition is resized from it, every other one from the next larger. Turning
/// upright and converting colours happen once, on the largest.
///
/// # Errors
/// If the photo cannot be rendered, or the first error of `each`.
pub fn render<E: From<PictureError>>(
    source: Vec<u8>,
    config: &Config,
    wanted: &[Bounds],
    mut each: impl FnMut(Rendered<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let format = recognise(&source)?;
    let limits = Limits { pixels: config.max_pixels, memory: config.max_memory };
    // All have the picture's aspect ratio, so the one with the most pixels covers the others.
    let largest = |upright: Size| {
        wanted.iter().map(|bounds| bounds.fit(upright)).max_by_key(|size| size.pixels()).unwrap_or(Size::new(1, 1))
    };
    let decoded = decode::decode(format, source, limits, &largest)?;
    let upright = decoded.orientation.apply(decoded.full);

    let mut order: Vec<(Size, Bounds)> = wanted.iter().map(|&bounds| (bounds.fit(upright), bounds)).collect();
    order.sort_by_key(|(size, _)| std::cmp::Reverse(size.pixels()));

    let mut resizer = Resizer::new();
    let stored = decoded.orientation.apply(largest(upright));
    let first = if decoded.raster.size() == stored {
        decoded.raster
    } else {
        let first = decoded.raster.resized(stored, decoded.extent, &mut resizer)?;
        drop(decoded.raster);
        first
    };
    let mut picture = to_srgb(first, decoded.profile.as_deref())?.oriented(decoded.orientation);
    let mut bytes = Vec::new();
    let mut encoded = None;
    for (size, bounds) in order {
        if picture.size() != size {
            picture = picture.shrunk(size, &mut resizer)?;
        }
        // A small photo gives the same picture for several bounds, which is encoded once.
        if encoded != Some(size) {
            bytes = encode(picture.clone(), config.format, config.quality)?;
            encoded = Some(size);
        }
        each(Rendered { bounds, size, bytes: &bytes })?;
    }
    Ok(())
}
