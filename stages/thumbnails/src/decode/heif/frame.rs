//! What a codec returns: planes of samples, and what their numbers mean.

use crate::error::PictureError;
use crate::format::Format;
use crate::geometry::Size;

/// Where the samples of a halved colour plane are, along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Siting {
    /// At every second lightness sample.
    Beside,
    /// Between two lightness samples.
    Between,
}

/// The colour planes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chroma {
    /// Columns and rows of each.
    pub(super) size: Size,
    /// `Some` if there is one column for two of lightness.
    pub(super) halved_columns: Option<Siting>,
    /// `Some` if there is one row for two of lightness.
    pub(super) halved_rows: Option<Siting>,
}

/// A decoded frame. Rows have no padding.
pub(super) struct Frame {
    pub(super) size: Size,
    /// `None` for a gray picture.
    pub(super) chroma: Option<Chroma>,
    /// Lightness, then the two of colour, which are empty in a gray picture.
    pub(super) planes: [Vec<u16>; 3],
    /// Bits per sample of lightness and of colour: 8 to 16.
    pub(super) depth: [u8; 2],
    pub(super) colours: Colours,
}

/// What samples mean, in code points of ITU-T H.273. 2 is "unspecified".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Colours {
    pub(super) primaries: u16,
    pub(super) transfer: u16,
    pub(super) matrix: u16,
    /// Whether samples use all values. Otherwise, black is 16 and white is 235 of 255.
    pub(super) full_range: bool,
}

impl Colours {
    /// Returns the ICC profile of these primaries and transfer. `None` for those of sRGB and for unspecified ones.
    pub(super) fn profile(self, format: Format) -> Result<Option<Vec<u8>>, PictureError> {
        use moxcms::{CicpColorPrimaries, CicpProfile, ColorProfile, MatrixCoefficients, TransferCharacteristics};
        // The curves of cameras (BT.709 and its equals) are shown by screens like that of sRGB.
        let curve = match self.transfer {
            1 | 2 | 6 | 13 | 14 | 15 => TransferCharacteristics::Srgb,
            4 => TransferCharacteristics::Bt470M,
            5 => TransferCharacteristics::Bt470Bg,
            8 => TransferCharacteristics::Linear,
            16 | 18 => {
                return Err(PictureError::Unsupported(format!(
                    "is a {} of high dynamic range ({}), which is not supported",
                    format.name(),
                    if self.transfer == 16 { "PQ" } else { "HLG" }
                )));
            }
            _ => return Ok(None),
        };
        let primaries = match self.primaries {
            1 | 2 => CicpColorPrimaries::Bt709,
            4 => CicpColorPrimaries::Bt470M,
            5 => CicpColorPrimaries::Bt470Bg,
            6 => CicpColorPrimaries::Bt601,
            7 => CicpColorPrimaries::Smpte240,
            9 => CicpColorPrimaries::Bt2020,
            11 => CicpColorPrimaries::Smpte431,
            12 => CicpColorPrimaries::Smpte432,
            _ => return Ok(None),
        };
        if primaries == CicpColorPrimaries::Bt709 && curve == TransferCharacteristics::Srgb {
            return Ok(None);
        }
        let profile = ColorProfile::new_from_cicp(CicpProfile {
            color_primaries: primaries,
            transfer_characteristics: curve,
            matrix_coefficients: MatrixCoefficients::Identity,
            full_range: true,
        });
        Ok(profile.encode().ok())
    }
}
