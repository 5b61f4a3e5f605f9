//! HEIF: pictures in a file of boxes (ISO/IEC 23008-12), coded as HEVC (HEIC) or AV1 (AVIF).
//!
//! The primary picture is decoded: one coded picture, or one that is derived of several, as phones write it in tiles.
//! Thumbnails, depth maps and gain maps are other pictures of the file and are not read. Opacity is.
//!
//! | Module | Contents |
//! |---|---|
//! | [`container`] | the boxes: items, their properties, how they refer to each other |
//! | [`frame`] | what a codec returns: planes of samples |
//! | `hevc`, `av1` | the codecs, each a feature of this crate |
//! | [`convert`] | from planes to red, green and blue |
//! | [`compose`] | from items to one picture: tiles, overlays, opacity |
//! | [`overlay`] | pictures over each other, opacity, cutting |
//! | [`cost`] | what decoding takes, by the header |

#[cfg(feature = "avif")]
mod av1;
mod compose;
mod container;
mod convert;
mod cost;
mod frame;
#[cfg(feature = "heic")]
mod hevc;
mod overlay;

use compose::Composer;
use container::Container;

use super::decoded::Decoded;
use super::limits::Limits;
use crate::colour::profile_of_cicp;
use crate::error::PictureError;
use crate::format::Format;

/// Decodes the primary picture. The properties `irot` and `imir` say how it is turned; EXIF in a HEIF says it once more and
/// does not count.
pub(super) fn decode(format: Format, mut source: Vec<u8>, limits: Limits) -> Result<Decoded, PictureError> {
    container::mend_last_box(&mut source);
    let container = Container::parse(&source, format)?;
    let primary = container.primary();
    let size = container.size(primary)?;
    limits.check_size(format, size)?;
    let memory = cost::bytes(&container, primary)?.saturating_add(2 * source.len() as u64);
    limits.check_memory(format, size, memory)?;
    let (picture, orientation) = Composer::new(&container, limits).primary(primary)?;
    let profile = match container.icc_profile(primary)? {
        Some(profile) => Some(profile.to_vec()),
        None => {
            // Code points beyond a byte are reserved; 2 is "unspecified".
            let code = |point: u16| u8::try_from(point).unwrap_or(2);
            profile_of_cicp(code(picture.colours.primaries), code(picture.colours.transfer))
        }
    };
    Ok(Decoded::whole(picture.raster, orientation, profile))
}
