//! GIF: the first frame on its screen. What the frame does not cover is transparent, as in browsers.

use std::io::Cursor;

use gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};

use super::decoded::Decoded;
use super::limits::Limits;
use super::rows::{self, Rows};
use super::target::stored_target;
use crate::error::PictureError;
use crate::format::Format;
use crate::geometry::{Orientation, Size};
use crate::raster::Layout;

const NAME: &str = Format::Gif.name();

pub(super) fn decode(
    source: Vec<u8>,
    limits: Limits,
    orientation: Orientation,
    wanted: &dyn Fn(Size) -> Size,
) -> Result<Decoded, PictureError> {
    let explain = |error: DecodingError| explain(&error, source.len());
    // The logical screen follows the signature.
    if let Some([w0, w1, h0, h1]) = source.get(6..10).and_then(|b| <&[u8; 4]>::try_from(b).ok()) {
        let size = Size::new(u16::from_le_bytes([*w0, *w1]).into(), u16::from_le_bytes([*h0, *h1]).into());
        limits.check_size(Format::Gif, size)?;
    }
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    // Extensions that are not in the standard have the same structure as the others and do not affect the picture.
    options.allow_unknown_blocks(true);
    // The memory is checked below, before it is taken.
    options.set_memory_limit(MemoryLimit::Unlimited);
    let mut decoder = options.read_info(Cursor::new(source.as_slice())).map_err(explain)?;
    let size = Size::new(decoder.width().into(), decoder.height().into());
    let missing = || PictureError::damaged(NAME, "it has no frame");
    let frame = decoder.next_frame_info().map_err(explain)?.ok_or_else(missing)?;
    let (left, top) = (usize::from(frame.left), u32::from(frame.top));
    let (covered, transparent) = (Size::new(frame.width.into(), frame.height.into()), frame.transparent);
    // A frame may claim to be larger than its screen, so its pixels are limited as well.
    limits.check_size(Format::Gif, covered)?;
    let target = stored_target(size, orientation, wanted);
    let factor = rows::factor(size, target);
    // With opacity, which is only known after decoding.
    let taken = rows::memory(size, Layout::Rgba, factor);
    let decoding = (source.len() as u64).saturating_add(taken).saturating_add(covered.pixels());
    limits.check_memory(Format::Gif, size, decoding.max(taken + rows::resizing(size, Layout::Rgba, factor, target)))?;

    let mut indices = vec![0; covered.pixels() as usize];
    decoder.read_into_buffer(&mut indices).map_err(explain)?;
    let palette: Vec<[u8; 3]> = decoder.palette().map_err(explain)?.as_chunks::<3>().0.to_vec();
    let profile = decoder.icc_profile().map(<[u8]>::to_vec);
    drop(decoder);
    drop(source);

    let colour = |index: u8| palette.get(usize::from(index)).filter(|_| transparent != Some(index));
    let covers = left == 0 && top == 0 && covered.width >= size.width && covered.height >= size.height;
    let opaque = covers && indices.iter().all(|index| colour(*index).is_some());
    let layout = if opaque { Layout::Rgb } else { Layout::Rgba };
    let mut taken = Rows::new(size, layout, factor);
    let mut row = Vec::with_capacity(size.width as usize * layout.channels());
    for y in 0..size.height {
        row.clear();
        let start = (y.wrapping_sub(top) as usize).saturating_mul(covered.width as usize);
        let line = if y < top { None } else { indices.get(start..start.saturating_add(covered.width as usize)) };
        for x in 0..size.width as usize {
            let index = x.checked_sub(left).and_then(|x| line?.get(x));
            match (index.and_then(|index| colour(*index)), opaque) {
                (Some([r, g, b]), true) => row.extend([*r, *g, *b]),
                (Some([r, g, b]), false) => row.extend([*r, *g, *b, 255]),
                (None, _) => row.extend([0; 4].iter().take(layout.channels())),
            }
        }
        taken.push(&row);
    }
    taken.finish(orientation, profile)
}

fn explain(error: &DecodingError, bytes: usize) -> PictureError {
    match error {
        DecodingError::Io(_) | DecodingError::UnexpectedEof => PictureError::cut_off(NAME, bytes),
        DecodingError::OutOfMemory => PictureError::too_much_memory(NAME),
        // The library's text contains its own data structures, so it is left out.
        _ => PictureError::damaged(NAME, "its data breaks the rules of the format"),
    }
}
