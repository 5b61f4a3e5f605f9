//! Fingerprints: everything that the bytes of a rendition follow from, and nothing else.
//!
//! ```text
//! thumbnails/5 from=sha256:… of=4000x3000 as=jpeg-q85-420 px=1280x960>640x480>320x240
//! ```
//!
//! `of` is the photo's size, upright. It follows from the photo, but must be known when the rendition is up to date and
//! nothing is decoded. `px` is the way to the rendition through the [`Cascade`]; the last size is its own.

use crate::cascade::Cascade;
use crate::config::{Config, OutputFormat, Subsampling};
use crate::geometry::{Bounds, Size};

/// A number that is increased when the same photo and settings give other bytes, so that everything is rendered again.
const GENERATION: u32 = 5;

/// What all renditions of one photo have in common.
pub struct Recipe<'a> {
    beginning: String,
    config: &'a Config,
}

impl<'a> Recipe<'a> {
    /// Returns the recipe for the photo that `source` identifies by its digest or entity tag.
    pub fn new(source: &str, config: &'a Config) -> Self {
        Self { beginning: format!("thumbnails/{GENERATION} from={source} of="), config }
    }

    /// Returns the fingerprint of the rendition for `bounds`, made of a photo of `picture` pixels. Equal fingerprints mean
    /// equal bytes. `None` if the configuration has no such rendition.
    pub fn fingerprint(&self, picture: Size, bounds: Bounds) -> Option<String> {
        let cascade = Cascade::new(picture, &self.config.renditions);
        let steps: Vec<String> = cascade.down_to(bounds.fit(picture))?.iter().map(ToString::to_string).collect();
        let format = match self.config.format {
            OutputFormat::Jpeg => {
                let colours = match self.config.subsampling.unwrap_or_default() {
                    Subsampling::Halved => "420",
                    Subsampling::Full => "444",
                };
                format!("jpeg-q{}-{colours}", self.config.quality)
            }
            OutputFormat::Webp if self.config.lossless => "webp-lossless".to_owned(),
            OutputFormat::Webp => format!("webp-q{}", self.config.quality),
        };
        Some(format!("{}{picture} as={format} px={}", self.beginning, steps.join(">")))
    }

    /// Returns the size of the rendition for `bounds` if an object with this fingerprint is that rendition.
    pub fn recognise(&self, fingerprint: &str, bounds: Bounds) -> Option<Size> {
        let (picture, _) = fingerprint.strip_prefix(&self.beginning)?.split_once(' ')?;
        let picture = parse_size(picture)?;
        (self.fingerprint(picture, bounds)? == fingerprint).then(|| bounds.fit(picture))
    }
}

fn parse_size(text: &str) -> Option<Size> {
    let (width, height) = text.split_once('x')?;
    let size = Size::new(width.parse().ok()?, height.parse().ok()?);
    (size.pixels() > 0).then_some(size)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const PHOTO: Size = Size::new(4000, 3000);
    const SMALL: Bounds = Bounds::Box(Size::new(320, 240));
    const LARGE: Bounds = Bounds::Box(Size::new(1280, 960));

    fn fingerprint(config: &str, bounds: Bounds) -> String {
        Recipe::new("sha256:ab", &Config::parse(config).unwrap()).fingerprint(PHOTO, bounds).unwrap()
    }

    #[test]
    fn a_fingerprint_names_photo_size_format_and_way() {
        assert_eq!(
            fingerprint("{}", SMALL),
            "thumbnails/5 from=sha256:ab of=4000x3000 as=jpeg-q85-420 px=1280x960>640x480>320x240"
        );
    }

    #[test]
    fn it_changes_exactly_with_what_can_change_the_bytes() {
        let small = fingerprint("{}", SMALL);
        for (config, why) in [
            (r#"{"boxes":["320x240","1280x960"]}"#, "it is resized from another size"),
            (r#"{"boxes":["320x240","640x480","1280x960","2000x2000"]}"#, "the photo is decoded at another scale"),
            (r#"{"quality":84}"#, "another quality"),
            (r#"{"format":"webp"}"#, "another format"),
            (r#"{"subsampling":"4:4:4"}"#, "colours for every pixel"),
            (r#"{"format":"webp","lossless":true}"#, "without loss"),
        ] {
            assert_ne!(fingerprint(config, SMALL), small, "{why}");
        }
        for (config, why) in [
            (r#"{"boxes":["1280x960","320x240","640x480"]}"#, "the order in the configuration"),
            (r#"{"boxes":["320x240","640x480","1280x960","100x100"]}"#, "a smaller size"),
            (r#"{"subsampling":"4:2:0"}"#, "the default"),
            (r#"{"maxPixels":50000000,"maxBytes":1000}"#, "limits"),
        ] {
            assert_eq!(fingerprint(config, SMALL), small, "{why}");
        }
        assert_eq!(fingerprint("{}", LARGE), fingerprint(r#"{"boxes":["1280x960"]}"#, LARGE));
    }

    #[test]
    fn other_fingerprints_are_not_recognised() {
        let config = Config::default();
        let recipe = Recipe::new("sha256:ab", &config);
        let right = recipe.fingerprint(PHOTO, SMALL).unwrap();
        assert_eq!(recipe.recognise(&right, SMALL), Some(Size::new(320, 240)));
        assert_eq!(recipe.recognise(&right, LARGE), None);
        for wrong in [
            String::new(),
            right.replace("/5 ", "/4 "),
            right.replace("sha256:ab", "sha256:ac"),
            right.replace("of=4000", "of=04000"),
            right.replace("of=4000x3000", "of=4000x0"),
            format!("{right} "),
        ] {
            assert_eq!(recipe.recognise(&wrong, SMALL), None, "{wrong}");
        }
    }

    #[test]
    fn the_longest_fingerprint_is_one_that_the_host_stores() {
        let widths: Vec<String> = (16_352..=16_383).map(|width| width.to_string()).collect();
        let config = Config::parse(&format!(r#"{{"widths":[{}],"format":"webp"}}"#, widths.join(","))).unwrap();
        let recipe = Recipe::new(&format!("sha256:{}", "a".repeat(64)), &config);
        let longest = recipe.fingerprint(Size::new(65_535, 65_535), Bounds::Width(16_352)).unwrap();
        assert!(longest.len() <= 512, "{} characters", longest.len());
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,80}", size in "[0-9x]{0,30}") {
            let config = Config::default();
            let recipe = Recipe::new("etag:1", &config);
            let _ = recipe.recognise(&text, SMALL);
            let _ = recipe.recognise(&format!("thumbnails/5 from=etag:1 of={size} as=jpeg-q85-420 px=320x240"), SMALL);
        }
    }
}
