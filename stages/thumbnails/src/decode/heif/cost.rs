//! The memory that decoding takes, by the header.

use heifer_isobmff::ItemId;

use super::container::Container;
use crate::error::PictureError;

/// How deep pictures may be made of pictures. Phones' are made of tiles; an overlay of these is one deeper.
pub(super) const DEEPEST: u32 = 4;

/// The bytes per pixel of a coded picture at the peak of decoding it, colours at full resolution: three planes of 16 bits,
/// what the codec holds beside them (of AV1 these planes once more), and the result. With halved colours, 12 are measured.
const CODED: u64 = 16;

/// The bytes per pixel of a picture that is made of others: red, green, blue and opacity.
const MADE: u64 = 4;

/// Returns the most bytes that are held while `item` is decoded, beside the file.
pub(super) fn bytes(container: &Container<'_>, item: ItemId) -> Result<u64, PictureError> {
    let own = of(container, item, 0)?;
    match container.opacity(item)? {
        Some(opacity) => Ok(own.max(container.size(item)?.pixels() * MADE + of(container, opacity, 0)?)),
        None => Ok(own),
    }
}

fn of(container: &Container<'_>, item: ItemId, depth: u32) -> Result<u64, PictureError> {
    if depth > DEEPEST {
        return Err(container.damaged("its pictures are made of each other"));
    }
    let pixels = container.size(item)?.pixels();
    let mut sources = container.sources(item).to_vec();
    if sources.is_empty() {
        return Ok(pixels.saturating_mul(CODED));
    }
    // Tiles have one size; what many of them take is what one takes.
    sources.sort_unstable();
    sources.dedup();
    let mut most = 0;
    for source in sources {
        most = of(container, source, depth + 1)?.max(most);
    }
    Ok(most.saturating_add(pixels.saturating_mul(MADE)))
}
