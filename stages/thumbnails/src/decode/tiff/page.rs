//! What the tags of a directory say about its picture, and which pictures are refused.

use super::chunks::Chunks;
use super::colours::{Colours, YCbCr};
use super::directory::Directory;
use super::fault::NAME;
use crate::error::PictureError;
use crate::geometry::Size;
use crate::raster::Layout;

/// How the data of a strip or tile is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    PackBits,
    Lzw,
    Deflate,
    /// Zstandard (RFC 8878), a frame for every strip or tile.
    Zstandard,
    /// LZMA2 in the format of xz, a stream for every strip or tile.
    Lzma,
    Fax(Fax),
    /// ThunderScan: rows of samples of 4 bits, as runs and differences.
    Thunder,
    Jpeg,
    /// JPEG as TIFF 6.0 described it first: one stream for the whole picture, or data alone in every strip or tile.
    OldJpeg,
    /// A WebP file for every strip or tile.
    WebP,
}

impl Packing {
    /// Returns whether a strip or tile is a picture of its own, which is decoded as a whole.
    pub(super) fn is_picture(self) -> bool {
        matches!(self, Packing::Jpeg | Packing::OldJpeg | Packing::WebP)
    }

    /// Returns whether samples may be stored as differences, as the tag for predictors says.
    fn has_predictor(self) -> bool {
        matches!(self, Packing::Lzw | Packing::Deflate | Packing::Zstandard | Packing::Lzma)
    }
}

/// The codings of facsimile machines (ITU-T T.4 and T.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fax {
    /// Runs only; every row begins at a multiple of this many bits.
    Runs { align: usize },
    /// Group 3: rows end with a mark. With `two_dimensional`, a bit after it says how the row is coded.
    Group3 { two_dimensional: bool },
    /// Group 4: every row is coded by the one above.
    Group4,
}

/// What the last sample of a pixel says of its opacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opacity {
    None,
    /// The colours are as they are.
    Unassociated,
    /// The colours are multiplied by it.
    Associated,
    /// It is that of inks, which are reduced to what is seen on white paper.
    OfInks,
}

/// A picture, as its tags describe it.
pub(super) struct Page {
    pub(super) size: Size,
    pub(super) colours: Colours,
    /// Whether JPEG data is YCbCr, of which its decoder makes RGB.
    pub(super) ycbcr_in_jpeg: bool,
    pub(super) opacity: Opacity,
    /// Samples of a pixel, those that mean nothing included.
    pub(super) samples: usize,
    /// Bits of a sample.
    pub(super) bits: u32,
    /// Whether samples are floating-point numbers.
    pub(super) floats: bool,
    /// Whether every sample has a plane of its own.
    pub(super) planar: bool,
    /// The planes that are read: one, or one for each sample that means something.
    pub(super) planes: usize,
    pub(super) packing: Packing,
    /// Whether samples are differences from the pixel before.
    pub(super) differences: bool,
    /// Whether the bits of a byte are in reverse order.
    pub(super) reversed: bool,
    pub(super) little: bool,
    pub(super) chunks: Chunks,
}

mod tag {
    pub const NEW_SUBFILE_TYPE: u16 = 254;
    pub const WIDTH: u16 = 256;
    pub const HEIGHT: u16 = 257;
    pub const BITS: u16 = 258;
    pub const COMPRESSION: u16 = 259;
    pub const PHOTOMETRIC: u16 = 262;
    pub const FILL_ORDER: u16 = 266;
    pub const SAMPLES: u16 = 277;
    pub const PLANAR: u16 = 284;
    pub const T4_OPTIONS: u16 = 292;
    pub const PREDICTOR: u16 = 317;
    pub const COLOR_MAP: u16 = 320;
    pub const SUB_DIRECTORIES: u16 = 330;
    pub const INK_SET: u16 = 332;
    pub const EXTRA_SAMPLES: u16 = 338;
    pub const SAMPLE_FORMAT: u16 = 339;
    pub const YCBCR_COEFFICIENTS: u16 = 529;
    pub const YCBCR_SUBSAMPLING: u16 = 530;
    pub const REFERENCE_BLACK_WHITE: u16 = 532;
    pub const DNG_VERSION: u16 = 50_706;
}

fn refused(what: &str) -> PictureError {
    PictureError::Unsupported(format!("is a TIFF with {what}, of which no thumbnails can be made"))
}

/// Returns the size in a directory.
///
/// # Errors
/// If there is none.
pub(super) fn size(directory: &Directory<'_>) -> Result<Size, PictureError> {
    let side = |tag| -> Result<u32, PictureError> {
        let side = directory.number(tag)?.and_then(|side| u32::try_from(side).ok());
        side.ok_or_else(|| PictureError::damaged(NAME, "its directory gives no width or no height"))
    };
    Ok(Size::new(side(tag::WIDTH)?, side(tag::HEIGHT)?))
}

impl Page {
    /// Returns the picture of a directory.
    ///
    /// # Errors
    /// If it is of a kind that is not decoded, or its tags contradict each other.
    pub(super) fn read(directory: &Directory<'_>) -> Result<Self, PictureError> {
        let size = size(directory)?;
        // Raw files are TIFFs whose first picture is a small preview; the picture itself is in a directory below it.
        let is_preview = directory.number(tag::NEW_SUBFILE_TYPE)?.is_some_and(|kind| kind & 1 == 1);
        if directory.count(tag::DNG_VERSION) > 0 || is_preview && directory.count(tag::SUB_DIRECTORIES) > 0 {
            return Err(refused("the raw data of a camera's sensor"));
        }
        let packing = packing(directory)?;
        // Old writers of JPEG leave the number out; their pictures are in colour.
        let unstated = if packing == Packing::OldJpeg { 3 } else { 1 };
        let samples = directory.number(tag::SAMPLES)?.unwrap_or(unstated);
        if !(1..=32).contains(&samples) {
            return Err(PictureError::damaged(NAME, &format!("its pixels have {samples} samples")));
        }
        let old_jpeg = packing == Packing::OldJpeg;
        let bits = if old_jpeg && directory.count(tag::BITS) == 0 { 8 } else { depth(directory, samples)? };
        let floats = are_floats(directory, samples)?;
        // Readers take a picture without this tag as drawn in black on white, or as RGB.
        let photometric = directory.number(tag::PHOTOMETRIC)?.unwrap_or(if samples < 3 { 0 } else { 2 });
        let samples = samples as usize;
        let planar = directory.number(tag::PLANAR)? == Some(2) && samples > 1;
        if old_jpeg && planar {
            return Err(refused("the JPEG compression of 1992 and planes"));
        }
        // Old writers of JPEG say RGB where they mean YCbCr, and all readers take it so.
        let says_ycbcr = photometric == 6 && packing == Packing::Jpeg || matches!(photometric, 2 | 6) && old_jpeg;
        let ycbcr_in_jpeg = says_ycbcr && samples == 3 && !planar;
        let colours = if ycbcr_in_jpeg { Colours::Rgb } else { colours(directory, photometric, bits)? };
        if floats && colours != Colours::Rgb {
            return Err(refused(
                "floating-point samples that are not RGB, so that it does not say which number is white",
            ));
        }
        if floats && !matches!(bits, 16 | 32 | 64) {
            return Err(refused(&format!("floating-point samples of {bits} bits")));
        }
        if !floats && bits > 32 {
            return Err(refused(&format!("samples of {bits} bits")));
        }
        let coloured = colours.samples();
        if samples < coloured {
            let what = format!("its pixels have {samples} samples, and its colours need {coloured}");
            return Err(PictureError::damaged(NAME, &what));
        }
        if let Colours::YCbCr(ycbcr) = &colours
            && (planar && ycbcr.is_subsampled() || samples > 3 || bits != 8)
        {
            return Err(refused("an unusual kind of YCbCr samples"));
        }
        let differences = match directory.number(tag::PREDICTOR)? {
            Some(2) if packing.has_predictor() => {
                if floats {
                    return Err(refused("differences of floating-point samples as whole numbers"));
                }
                if !matches!(bits, 8 | 16 | 32) {
                    return Err(refused(&format!("differences of samples of {bits} bits")));
                }
                if matches!(&colours, Colours::YCbCr(ycbcr) if ycbcr.is_subsampled()) {
                    return Err(refused("differences of samples that share colours"));
                }
                true
            }
            Some(3) if packing.has_predictor() && !floats => {
                return Err(refused("differences of floating-point samples, and samples that are none"));
            }
            Some(3) if packing.has_predictor() => true,
            _ => false,
        };
        if matches!(packing, Packing::Fax(_)) && (samples != 1 || bits != 1) {
            return Err(refused("fax coding of more than black and white"));
        }
        if packing == Packing::Thunder && (samples != 1 || bits != 4) {
            return Err(refused("ThunderScan compression of other samples than one of 4 bits"));
        }
        if packing.is_picture() && bits != 8 {
            return Err(refused(&format!("pictures within it and {bits} bits per sample")));
        }
        if packing == Packing::WebP && (planar || !matches!((&colours, samples), (Colours::Rgb, 3 | 4))) {
            return Err(refused("WebP data that is not RGB"));
        }
        let opacity = opacity(directory, &colours, samples)?;
        let used = coloured + usize::from(opacity != Opacity::None);
        let planes = if planar { used } else { 1 };
        let chunks = Chunks::read(directory, size, planes, old_jpeg)?;
        let reversed = directory.number(tag::FILL_ORDER)? == Some(2);
        let little = directory.little();
        Ok(Self {
            size,
            colours,
            ycbcr_in_jpeg,
            opacity,
            samples,
            bits,
            floats,
            planar,
            planes,
            packing,
            differences,
            reversed,
            little,
            chunks,
        })
    }

    /// Returns whether the decoded picture has opacity.
    pub(super) fn has_alpha(&self) -> bool {
        matches!(self.opacity, Opacity::Unassociated | Opacity::Associated)
    }

    /// Returns what the samples of the decoded picture mean.
    pub(super) fn layout(&self) -> Layout {
        let alpha = self.has_alpha();
        match self.colours {
            Colours::Gray { .. } => {
                if alpha {
                    Layout::GrayAlpha
                } else {
                    Layout::Gray
                }
            }
            Colours::Cmyk => Layout::Cmyk,
            _ => {
                if alpha {
                    Layout::Rgba
                } else {
                    Layout::Rgb
                }
            }
        }
    }
}

fn packing(directory: &Directory<'_>) -> Result<Packing, PictureError> {
    let what = match directory.number(tag::COMPRESSION)?.unwrap_or(1) {
        1 => return Ok(Packing::None),
        2 => return Ok(Packing::Fax(Fax::Runs { align: 8 })),
        3 => {
            let options = directory.number(tag::T4_OPTIONS)?.unwrap_or(0);
            return Ok(Packing::Fax(Fax::Group3 { two_dimensional: options & 1 == 1 }));
        }
        4 => return Ok(Packing::Fax(Fax::Group4)),
        5 => return Ok(Packing::Lzw),
        6 => return Ok(Packing::OldJpeg),
        7 => return Ok(Packing::Jpeg),
        8 | 32_946 => return Ok(Packing::Deflate),
        32_771 => return Ok(Packing::Fax(Fax::Runs { align: 16 })),
        32_773 => return Ok(Packing::PackBits),
        32_809 => return Ok(Packing::Thunder),
        34_925 => return Ok(Packing::Lzma),
        34_926 | 50_000 => return Ok(Packing::Zstandard),
        34_927 | 50_001 => return Ok(Packing::WebP),
        9 | 10 | 34_661 => "JBIG",
        32_766 => "NeXT",
        32_908 | 32_909 => "Pixar",
        33_003 | 33_005 | 34_712 => "JPEG 2000",
        34_676 | 34_677 => "SGI LogLuv",
        34_887 => "LERC",
        34_892 => "lossy JPEG of raw pictures",
        50_002 | 52_546 => "JPEG XL",
        other => return Err(refused(&format!("the unknown compression {other}"))),
    };
    Err(refused(&format!("{what} compression")))
}

/// Returns the bits of a sample.
fn depth(directory: &Directory<'_>, samples: u64) -> Result<u32, PictureError> {
    let depths = directory.numbers(tag::BITS, samples)?;
    let bits = depths.first().copied().unwrap_or(1);
    if depths.iter().any(|other| *other != bits) {
        return Err(refused("samples of different depths"));
    }
    match u32::try_from(bits) {
        Ok(bits @ (1..=16 | 32 | 64)) => Ok(bits),
        _ => Err(refused(&format!("samples of {bits} bits"))),
    }
}

/// Returns whether samples are floating-point numbers, and not whole ones.
fn are_floats(directory: &Directory<'_>, samples: u64) -> Result<bool, PictureError> {
    let formats = directory.numbers(tag::SAMPLE_FORMAT, samples)?;
    match formats.iter().find(|format| !matches!(format, 1 | 4)) {
        None => Ok(false),
        Some(2) => Err(refused("samples that can be negative")),
        Some(3) if formats.iter().all(|format| *format == 3) => Ok(true),
        Some(3) => Err(refused("floating-point samples beside others")),
        Some(_) => Err(refused("complex numbers as samples")),
    }
}

fn colours(directory: &Directory<'_>, photometric: u64, bits: u32) -> Result<Colours, PictureError> {
    let what = match photometric {
        0 | 1 => return Ok(Colours::Gray { white_is_zero: photometric == 0 }),
        2 => return Ok(Colours::Rgb),
        3 => return palette(directory, bits),
        5 => {
            return match directory.number(tag::INK_SET)? {
                None | Some(1) => Ok(Colours::Cmyk),
                _ => Err(refused("inks other than cyan, magenta, yellow and black")),
            };
        }
        6 => return ycbcr(directory),
        8 | 9 if matches!(bits, 8 | 16) => return Ok(Colours::Lab { signed: photometric == 8 }),
        8..=10 => "CIELAB colours of an unusual kind",
        4 => "a transparency mask and no picture",
        32_803 | 34_892 => "the raw data of a camera's sensor",
        32_844 | 32_845 => "LogLuv colours",
        _ => "unknown colours",
    };
    Err(refused(what))
}

fn palette(directory: &Directory<'_>, bits: u32) -> Result<Colours, PictureError> {
    if bits > 8 {
        return Err(refused(&format!("a palette of {bits} bits")));
    }
    let entries = 1usize << bits;
    let map = directory.numbers(tag::COLOR_MAP, 3 * entries as u64)?;
    if map.len() < 3 * entries {
        return Err(PictureError::damaged(NAME, &format!("its palette has {} of {entries} colours", map.len() / 3)));
    }
    // Some writers use 8 of the 16 bits.
    let shift = if map.iter().all(|value| *value < 256) { 0 } else { 8 };
    let byte = |at: usize| map.get(at).map_or(0, |value| (value >> shift).min(255) as u8);
    Ok(Colours::Palette((0..entries).map(|at| [byte(at), byte(at + entries), byte(at + 2 * entries)]).collect()))
}

/// Returns how many pixels share a colour of YCbCr, across and down.
///
/// # Errors
/// If the tag for it has other numbers than 1, 2 and 4.
pub(super) fn subsampling(directory: &Directory<'_>) -> Result<(u32, u32), PictureError> {
    match directory.numbers(tag::YCBCR_SUBSAMPLING, 2)?.as_slice() {
        [] => Ok((2, 2)),
        [across @ (1 | 2 | 4), down @ (1 | 2 | 4)] => Ok((*across as u32, *down as u32)),
        _ => Err(PictureError::damaged(NAME, "its subsampling is none of 1, 2 and 4")),
    }
}

fn ycbcr(directory: &Directory<'_>) -> Result<Colours, PictureError> {
    let (across, down) = subsampling(directory)?;
    let coefficients = directory.fractions(tag::YCBCR_COEFFICIENTS).unwrap_or([0.299, 0.587, 0.114]);
    let reference = directory.fractions(tag::REFERENCE_BLACK_WHITE);
    let reference = reference.unwrap_or([0.0, 255.0, 128.0, 255.0, 128.0, 255.0]);
    YCbCr::new(across, down, coefficients, reference)
        .map(Colours::YCbCr)
        .ok_or_else(|| PictureError::damaged(NAME, "its YCbCr coefficients cannot be used"))
}

/// Returns what the samples after the colours mean. Only the first of them can be opacity.
fn opacity(directory: &Directory<'_>, colours: &Colours, samples: usize) -> Result<Opacity, PictureError> {
    if samples == colours.samples() {
        return Ok(Opacity::None);
    }
    if *colours == Colours::Cmyk {
        // Inks that are multiplied by it are those on paper already.
        let unassociated = directory.number(tag::EXTRA_SAMPLES)? == Some(2);
        return Ok(if unassociated { Opacity::OfInks } else { Opacity::None });
    }
    Ok(match directory.number(tag::EXTRA_SAMPLES)? {
        Some(1) => Opacity::Associated,
        Some(2) => Opacity::Unassociated,
        Some(_) => Opacity::None,
        // Programs that leave the tag out mean opacity by a single further sample.
        None if samples == colours.samples() + 1 => Opacity::Unassociated,
        None => Opacity::None,
    })
}
