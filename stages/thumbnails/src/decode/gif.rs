//! GIF: the first frame on its screen. What the frame does not cover is transparent if the frame has a transparent colour, and
//! black otherwise, as libvips and Pillow show it; so is a number beyond the palette.

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
const BREAKS_RULES: &str = "its data breaks the rules of the format";

pub(super) fn decode(
    source: Vec<u8>,
    limits: Limits,
    orientation: Orientation,
    wanted: &dyn Fn(Size) -> Size,
) -> Result<Decoded, PictureError> {
    let explain = |error: DecodingError| explain(&error, source.len());
    // The logical screen follows the signature. One of no pixels gets its size from the frame.
    if let Some([w0, w1, h0, h1]) = source.get(6..10).and_then(|b| <&[u8; 4]>::try_from(b).ok()) {
        let size = Size::new(u16::from_le_bytes([*w0, *w1]).into(), u16::from_le_bytes([*h0, *h1]).into());
        if size.pixels() > 0 {
            limits.check_size(Format::Gif, size)?;
        }
    }
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    // Extensions that are not in the standard have the same structure as the others and do not affect the picture.
    options.allow_unknown_blocks(true);
    // The memory is checked below, before it is taken.
    options.set_memory_limit(MemoryLimit::Unlimited);
    let mut decoder = options.read_info(Cursor::new(source.as_slice())).map_err(explain)?;
    let screen = (u32::from(decoder.width()), u32::from(decoder.height()));
    let missing = || PictureError::damaged(NAME, "it has no frame");
    let frame = decoder.next_frame_info().map_err(explain)?.ok_or_else(missing)?;
    let (left, top) = (usize::from(frame.left), u32::from(frame.top));
    let (covered, transparent) = (Size::new(frame.width.into(), frame.height.into()), frame.transparent);
    // A frame that reaches beyond its screen enlarges it.
    let size = Size::new(screen.0.max(left as u32 + covered.width), screen.1.max(top + covered.height));
    limits.check_size(Format::Gif, size)?;
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

    const BLACK: [u8; 3] = [0; 3];
    let colour = |index: u8| {
        let found = palette.get(usize::from(index)).copied().unwrap_or(BLACK);
        (transparent != Some(index)).then_some(found)
    };
    let uncovered = transparent.is_none().then_some(BLACK);
    let covers = covered == size;
    let opaque = transparent.is_none() || covers && indices.iter().all(|index| colour(*index).is_some());
    let layout = if opaque { Layout::Rgb } else { Layout::Rgba };
    let mut taken = Rows::new(size, layout, factor);
    let mut row = Vec::with_capacity(size.width as usize * layout.channels());
    for y in 0..size.height {
        row.clear();
        let start = (y.wrapping_sub(top) as usize).saturating_mul(covered.width as usize);
        let line = if y < top { None } else { indices.get(start..start.saturating_add(covered.width as usize)) };
        for x in 0..size.width as usize {
            let index = x.checked_sub(left).and_then(|x| line?.get(x));
            match (index.map_or(uncovered, |index| colour(*index)), opaque) {
                (Some([r, g, b]), true) => row.extend([r, g, b]),
                (Some([r, g, b]), false) => row.extend([r, g, b, 255]),
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
        // The library tells these apart by its text only.
        DecodingError::Format(error) => PictureError::damaged(
            NAME,
            match error.to_string().as_str() {
                "image truncated" => "the data of its first frame ends before the last line",
                "no color table available for current frame" => "it has no palette, so its colours are unknown",
                _ => BREAKS_RULES,
            },
        ),
        _ => PictureError::damaged(NAME, BREAKS_RULES),
    }
}
