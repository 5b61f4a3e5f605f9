//! What the channels of a JPEG mean.

use super::error::unsupported;
use super::header::{Frame, Header};
use crate::error::PictureError;

/// What the channels of a JPEG mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// One channel.
    Gray,
    /// Brightness and two colour differences, as JFIF defines them.
    YCbCr,
    /// Red, green, blue.
    Rgb,
    /// Four inks, with full ink as zero. Adobe's programs began to write them so, and by now all readers take them so, whether
    /// Adobe's segment is there or not.
    Cmyk,
    /// Three inks as the complement of YCbCr, and black.
    Ycck,
    /// One to four channels as they are: the file that the picture is in says what they mean.
    Stored,
}

impl Colours {
    /// Returns what the channels mean. By libjpeg's rules (`default_decompress_parms` in `jdapimin.c`), which all browsers
    /// follow: a JFIF segment wins, then Adobe's, then the channels' identifiers.
    pub fn of(header: &Header, frame: &Frame) -> Result<Self, PictureError> {
        let ids: Vec<u8> = frame.components.iter().map(|component| component.id).collect();
        Ok(match (ids.as_slice(), header.adobe) {
            ([_], _) => Self::Gray,
            ([_, _, _], _) if header.jfif => Self::YCbCr,
            ([_, _, _], Some(0)) => Self::Rgb,
            ([_, _, _], Some(_)) => Self::YCbCr,
            ([b'R', b'G', b'B'], None) => Self::Rgb,
            ([_, _, _], None) => Self::YCbCr,
            ([_, _, _, _], None | Some(0)) => Self::Cmyk,
            ([_, _, _, _], Some(_)) => Self::Ycck,
            _ => return Err(unsupported(&format!("{} colour channels", ids.len()))),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::header::Component;
    use super::*;

    #[test]
    fn segments_and_identifiers_say_what_the_channels_mean() {
        for (ids, jfif, adobe, want) in [
            (&[1][..], false, Some(0), Colours::Gray),
            (&[1, 2, 3], true, Some(0), Colours::YCbCr),
            (&[1, 2, 3], false, Some(0), Colours::Rgb),
            (&[0, 1, 2], false, Some(0), Colours::Rgb),
            (&[1, 2, 3], false, Some(1), Colours::YCbCr),
            (b"RGB", false, Some(1), Colours::YCbCr),
            (b"RGB", false, None, Colours::Rgb),
            (b"RGB", true, None, Colours::YCbCr),
            (&[1, 2, 3], false, None, Colours::YCbCr),
            (&[0, 1, 2], false, None, Colours::YCbCr),
            (b"CMYK", false, None, Colours::Cmyk),
            (b"CMYK", false, Some(0), Colours::Cmyk),
            (&[1, 2, 3, 4], false, Some(2), Colours::Ycck),
        ] {
            let component = |&id| Component { id, horizontal: 1, vertical: 1, quantisation: 0 };
            let components = ids.iter().map(component).collect();
            let frame = Frame { marker: 0xC0, precision: 8, height: 1, width: 1, components };
            let mut header = Header::default();
            (header.jfif, header.adobe) = (jfif, adobe);
            assert_eq!(Colours::of(&header, &frame).unwrap(), want, "{ids:?}, JFIF {jfif}, Adobe {adobe:?}");
        }
    }
}
