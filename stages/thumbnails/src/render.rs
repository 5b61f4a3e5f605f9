//! Rendering: from one photo's bytes to its renditions.

use fast_image_resize::Resizer;

use crate::cascade::Cascade;
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
    /// The size of the photo that it was made of, upright.
    pub picture: Size,
    /// Its size.
    pub size: Size,
    /// The file.
    pub bytes: &'a [u8],
}

/// Renders `source` for all bounds in `wanted`, the largest first, and calls `each` with every rendition as soon as it is
/// made. Its bytes follow from `source` and `config` alone, whatever else is wanted.
///
/// The photo is decoded once. The largest rendition of the configuration is resized from it, every other one from the next
/// larger; only the wanted ones are encoded. Turning upright and converting colours happen once, on the largest.
///
/// # Errors
/// If `wanted` has bounds that are not in the configuration, the photo cannot be rendered, or the first error of `each`.
pub fn render<E: From<PictureError>>(
    source: Vec<u8>,
    config: &Config,
    wanted: &[Bounds],
    mut each: impl FnMut(Rendered<'_>) -> Result<(), E>,
) -> Result<(), E> {
    if let Some(unknown) = wanted.iter().find(|bounds| !config.renditions.contains(bounds)) {
        return Err(PictureError::defect(format!("the rendition {unknown} is not in the configuration")).into());
    }
    let format = recognise(&source)?;
    let limits = Limits { pixels: config.max_pixels, memory: config.max_memory };
    let cascade = |upright: Size| Cascade::new(upright, &config.renditions);
    let decoded = decode::decode(format, source, limits, &|upright| cascade(upright).largest())?;
    let upright = decoded.orientation.apply(decoded.full);
    let cascade = cascade(upright);
    let fitted = |bounds: &Bounds| bounds.fit(upright);
    let Some(smallest) = wanted.iter().map(fitted).min_by_key(|size| (size.pixels(), size.width)) else {
        return Ok(());
    };

    let mut resizer = Resizer::new();
    let stored = decoded.orientation.apply(cascade.largest());
    let first = if decoded.raster.size() == stored {
        decoded.raster
    } else {
        let first = decoded.raster.resized(stored, decoded.extent, &mut resizer)?;
        drop(decoded.raster);
        first
    };
    let mut picture = to_srgb(first, decoded.profile.as_deref())?.oriented(decoded.orientation);
    let mut bytes = Vec::new();
    for &size in cascade.down_to(smallest).unwrap_or_default() {
        if picture.size() != size {
            picture = picture.shrunk(size, &mut resizer)?;
        }
        // A small photo gives the same picture for several bounds, which is encoded once.
        let mut made = wanted.iter().filter(|bounds| fitted(bounds) == size).peekable();
        if made.peek().is_some() {
            bytes = encode(picture.clone(), config.format, config.quality, config.lossless)?;
        }
        for &bounds in made {
            each(Rendered { bounds, picture: upright, size, bytes: &bytes })?;
        }
    }
    Ok(())
}
