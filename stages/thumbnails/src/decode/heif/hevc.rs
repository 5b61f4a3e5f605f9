//! HEVC (ITU-T H.265), one picture.

use heifer_hevc_dec::Error;
use heifer_hevc_dec::decoder::{DecodeOptions, decode_picture};
use heifer_hevc_dec::nal::{NalUnit, split_annex_b};
use heifer_hevc_dec::params::{ParameterSets, Sps};
use heifer_isobmff::ItemId;

use super::container::Container;
use super::frame::{Chroma, Colours, Frame, Siting};
use crate::error::PictureError;
use crate::geometry::Size;

/// Decodes an item whose coded size is at most `most` pixels.
pub(super) fn decode(container: &Container<'_>, item: ItemId, most: u64) -> Result<Frame, PictureError> {
    let stream = container.file().hevc_bitstream(item).map_err(|error| container.fault(&error))?;
    let explain = |error: Error| match error {
        Error::UnexpectedEof => container.cut_off(),
        Error::Unimplemented(what) => container.unsupported(&format!("coded with a feature of HEVC ({what})")),
        _ => container.damaged("its data breaks the rules of HEVC"),
    };
    let coded = parameters(&stream).map_err(explain)?;
    let [left, right, top, bottom] = coded.conf_win_offsets.map(u64::from);
    let (columns, rows) = coded.chroma_subsampling();
    let (width, height) = (u64::from(coded.pic_width_in_luma_samples), u64::from(coded.pic_height_in_luma_samples));
    // The library subtracts without checking that there is enough.
    if (left + right) * u64::from(columns) >= width || (top + bottom) * u64::from(rows) >= height {
        return Err(container.damaged("it cuts more from its picture than there is"));
    }
    if width * height > most {
        return Err(container.damaged("a picture in it is larger than its header says"));
    }
    let options = DecodeOptions { max_pixels: most, ..DecodeOptions::default() };
    let frame = decode_picture(&stream, options).map_err(explain)?;
    let chroma = (frame.widths[1] > 0).then(|| Chroma {
        size: Size::new(frame.widths[1], frame.heights[1]),
        // H.265, section 7.4.3.3.3, figure E.1: at the left of two columns, between two rows. A stream may say something
        // else; other readers do not look at that either.
        halved_columns: (columns == 2).then_some(Siting::Beside),
        halved_rows: (rows == 2).then_some(Siting::Between),
    });
    Ok(Frame {
        size: Size::new(frame.widths[0], frame.heights[0]),
        chroma,
        planes: frame.planes,
        depth: frame.bit_depth,
        colours: Colours {
            primaries: coded.vui.as_ref().map_or(2, |vui| vui.colour_primaries.into()),
            transfer: coded.vui.as_ref().map_or(2, |vui| vui.transfer_characteristics.into()),
            matrix: frame.matrix_coeffs.into(),
            full_range: frame.full_range,
        },
    })
}

/// Returns the parameters of the stream's picture.
fn parameters(stream: &[u8]) -> Result<Sps, Error> {
    let mut sets = ParameterSets::default();
    for bytes in split_annex_b(stream) {
        let unit = NalUnit::parse(bytes)?;
        if unit.header.unit_type.is_slice() {
            break;
        }
        sets.add(&unit)?;
    }
    let mut found = sets.sps.into_iter().flatten();
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Error::Invalid("no parameters")),
        (Some(_), Some(_)) => Err(Error::Unimplemented("several sets of parameters")),
    }
}
