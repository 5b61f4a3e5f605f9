//! One photo's bytes in, its renditions out.

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
    /// Which of the bounds asked for it fills.
    pub bounds: Bounds,
    /// Its size.
    pub size: Size,
    /// The file.
    pub bytes: &'a [u8],
}

/// Renders `source` into every one of `wanted`, the largest first, and hands each to `each` as soon as it is done.
///
/// The photo is decoded once. The largest rendition is resized from it, every other from the next larger one; turning it
/// upright and converting its colours happen once, on the largest.
pub fn render<E: From<PictureError>>(
    source: Vec<u8>,
    config: &Config,
    wanted: &[Bounds],
    mut each: impl FnMut(Rendered<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let format = recognise(&source)?;
    let limits = Limits { pixels: config.max_pixels, memory: config.max_memory };
    // All have the picture's own proportions, so the one with the most pixels covers the others.
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
        // A small photo fills several bounds with the same picture: it is written once.
        if encoded != Some(size) {
            bytes = encode(picture.clone(), config.format, config.quality)?;
            encoded = Some(size);
        }
        each(Rendered { bounds, size, bytes: &bytes })?;
    }
    Ok(())
}
