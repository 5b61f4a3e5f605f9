//! Colours: every picture becomes BT.709 of 8 bits in limited range, which all players show alike.
//!
//! - **HDR** (PQ of SMPTE ST 2084, HLG of ARIB STD-B67) is tone mapped. Reference white is 203 nits (ITU-R BT.2408); what is
//!   brighter is compressed. A picture of 8 bits that still says HDR would be shown washed out.
//! - **Wide SDR** (BT.2020, Display P3) is converted without tone mapping.
//! - **Other SDR** has its matrix converted to BT.709 and its range to the limited one. A file that does not give its matrix
//!   is taken for BT.601 below 720 lines, else for BT.709, as players do.

/// Colour properties as ffprobe names them; `None` where the file gives none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ColourTags {
    /// `bt709`, `bt2020nc`, …
    pub(crate) matrix: Option<String>,
    /// `bt709`, `arib-std-b67`, `smpte2084`, …
    pub(crate) transfer: Option<String>,
    /// `bt709`, `bt2020`, `smpte432`, …
    pub(crate) primaries: Option<String>,
    /// The samples use all codes, 0 to 255, as in JPEG.
    pub(crate) full_range: bool,
}

/// How the colours of a stream are converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conversion {
    Hdr,
    Wide,
    Standard,
}

/// The tags that every output gets.
pub(super) const OUTPUT_TAGS: [&str; 8] =
    ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"];

impl ColourTags {
    fn conversion(&self) -> Conversion {
        match (self.transfer.as_deref(), self.primaries.as_deref()) {
            (Some("smpte2084" | "arib-std-b67"), _) => Conversion::Hdr,
            (_, Some("bt2020" | "smpte431" | "smpte432")) => Conversion::Wide,
            _ => Conversion::Standard,
        }
    }

    /// Returns whether converting needs ffmpeg's filter `zscale`, which not every build has.
    pub(crate) fn needs_zscale(&self) -> bool {
        self.conversion() != Conversion::Standard
    }

    /// Returns the filter that scales to `width` × `height`. `lines` is the height of the stored picture.
    pub(super) fn scale(&self, (width, height): (u32, u32), lines: u32, target: Target) -> String {
        let size = format!("scale={width}:{height}:flags=lanczos");
        match self.conversion() {
            // Converted after scaling, in 10 bits: there are fewer pixels then.
            Conversion::Hdr | Conversion::Wide => size,
            Conversion::Standard => {
                let range = if self.full_range { "full" } else { "limited" };
                let matrix = self.matrix_or_guess(lines);
                format!("{size}:in_color_matrix={matrix}:in_range={range}:{}", target.as_scaled())
            }
        }
    }

    /// Returns the filters after scaling, the last of which sets the pixel format.
    pub(super) fn convert(&self, target: Target) -> Vec<String> {
        let mut chain = Vec::new();
        let conversion = self.conversion();
        if conversion != Conversion::Standard {
            // `zscale` refuses a picture of which it does not know everything.
            let hdr = conversion == Conversion::Hdr;
            let or = |tag: &Option<String>, other: &str| tag.clone().unwrap_or_else(|| other.to_owned());
            chain.push(format!(
                "setparams=colorspace={}:color_primaries={}:color_trc={}:range={}",
                or(&self.matrix, if hdr { "bt2020nc" } else { "bt709" }),
                or(&self.primaries, "bt2020"),
                or(&self.transfer, "bt709"),
                if self.full_range { "pc" } else { "tv" },
            ));
            chain.push(if hdr { "zscale=t=linear:npl=203" } else { "zscale=t=linear" }.to_owned());
            chain.push("format=gbrpf32le".to_owned());
            chain.push("zscale=p=bt709".to_owned());
            if hdr {
                chain.push("tonemap=tonemap=mobius:param=0.5:desat=0".to_owned());
            }
            chain.push(format!("zscale=t=bt709:{}", target.as_converted()));
        }
        chain.push(format!("format={}", target.format()));
        chain
    }

    /// Returns the matrix in the words of ffmpeg's filter `scale`.
    fn matrix_or_guess(&self, lines: u32) -> &'static str {
        match self.matrix.as_deref() {
            Some("bt709") => "bt709",
            Some("bt470bg" | "smpte170m") => "bt601",
            Some("smpte240m") => "smpte240m",
            Some("fcc") => "fcc",
            Some("bt2020nc" | "bt2020c") => "bt2020",
            _ if lines >= 720 => "bt709",
            _ => "bt601",
        }
    }
}

/// What the pictures are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A film: BT.709, limited range.
    Film,
    /// A JPEG: the matrix of BT.601, full range (JFIF).
    Jpeg,
}

impl Target {
    fn as_scaled(self) -> &'static str {
        match self {
            Self::Film => "out_color_matrix=bt709:out_range=limited",
            Self::Jpeg => "out_color_matrix=bt601:out_range=full",
        }
    }

    fn as_converted(self) -> &'static str {
        match self {
            Self::Film => "m=bt709:r=tv",
            Self::Jpeg => "m=470bg:r=pc",
        }
    }

    fn format(self) -> &'static str {
        match self {
            Self::Film => "yuv420p",
            Self::Jpeg => "yuvj420p",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(matrix: &str, transfer: &str, primaries: &str) -> ColourTags {
        let tag = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        ColourTags { matrix: tag(matrix), transfer: tag(transfer), primaries: tag(primaries), full_range: false }
    }

    #[test]
    fn hdr_is_tone_mapped_to_bt_709_and_so_is_hdr_without_primaries() {
        for hdr in [tags("bt2020nc", "arib-std-b67", "bt2020"), tags("", "smpte2084", "")] {
            let chain = hdr.convert(Target::Film).join(",");
            assert!(chain.contains("tonemap=") && chain.contains("zscale=t=bt709:m=bt709:r=tv"), "{chain}");
            assert!(chain.contains("colorspace=bt2020nc:color_primaries=bt2020"), "{chain}");
            assert!(hdr.needs_zscale());
        }
    }

    #[test]
    fn wide_sdr_is_converted_without_tone_mapping() {
        let chain = tags("bt709", "bt709", "smpte432").convert(Target::Film).join(",");
        assert!(chain.contains("zscale=p=bt709") && !chain.contains("tonemap"), "{chain}");
    }

    #[test]
    fn a_picture_without_a_matrix_is_taken_for_what_its_size_suggests() {
        let scale = |lines| tags("", "", "").scale((640, 360), lines, Target::Film);
        assert!(scale(576).contains("in_color_matrix=bt601"), "{}", scale(576));
        assert!(scale(720).contains("in_color_matrix=bt709"), "{}", scale(720));
        let full = ColourTags { full_range: true, ..tags("bt470bg", "", "") }.scale((640, 360), 1080, Target::Film);
        assert_eq!(
            full,
            "scale=640:360:flags=lanczos:in_color_matrix=bt601:in_range=full:out_color_matrix=bt709:out_range=limited"
        );
    }

    #[test]
    fn a_still_picture_has_the_colours_of_jpeg() {
        assert_eq!(tags("", "", "").convert(Target::Jpeg), ["format=yuvj420p"]);
        let hdr = tags("", "smpte2084", "").convert(Target::Jpeg).join(",");
        assert!(hdr.ends_with("zscale=t=bt709:m=470bg:r=pc,format=yuvj420p"), "{hdr}");
    }
}
