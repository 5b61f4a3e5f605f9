//! The stage's configuration, from its pin. A misspelt setting is an error and not a default.

use serde::Deserialize;

use crate::geometry::{Bounds, Size};

/// The formats in which renditions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputFormat {
    /// Progressive JPEG, with Huffman tables made for the picture.
    #[default]
    Jpeg,
    /// WebP: lossy, or lossless if [`Config::lossless`].
    Webp,
}

impl OutputFormat {
    /// Returns the extension of a rendition's key.
    pub fn extension(self) -> &'static str {
        match self {
            OutputFormat::Jpeg => "jpg",
            OutputFormat::Webp => "webp",
        }
    }

    /// Returns the MIME type.
    pub fn content_type(self) -> &'static str {
        match self {
            OutputFormat::Jpeg => "image/jpeg",
            OutputFormat::Webp => "image/webp",
        }
    }
}

/// How finely the colours of a JPEG are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
pub enum Subsampling {
    /// Colour at half the columns and half the rows, as cameras write photos.
    #[default]
    #[serde(rename = "4:2:0")]
    Halved,
    /// Colour for every pixel: for drawings, whose coloured lines and texts would blur.
    #[serde(rename = "4:4:4")]
    Full,
}

/// What to make, and how large a source may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The bounds of the renditions; never empty, all different.
    pub renditions: Vec<Bounds>,
    /// The format of all renditions.
    pub format: OutputFormat,
    /// The quality of JPEG and of lossy WebP, 1 to 100.
    pub quality: u8,
    /// How finely the colours of a JPEG are stored. None: at half for photos, and for every pixel of a `project/render`.
    pub subsampling: Option<Subsampling>,
    /// Whether WebP is lossless.
    pub lossless: bool,
    /// The most pixels of a source, checked in its header before it is decoded.
    pub max_pixels: u64,
    /// The most bytes of memory for decoding, and for writing the largest rendition, as computed from the header.
    /// `None` for all that the stage's pin gives.
    pub max_memory: Option<u64>,
    /// The largest source file, in bytes. It is held in memory while it is decoded.
    pub max_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            renditions: [(320, 240), (640, 480), (1280, 960)].map(|(w, h)| Bounds::Box(Size::new(w, h))).to_vec(),
            format: OutputFormat::Jpeg,
            quality: 85,
            subsampling: None,
            lossless: false,
            max_pixels: 100_000_000,
            max_memory: None,
            max_bytes: 256 << 20,
        }
    }
}

/// Why the configuration is invalid.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is not a JSON object of known settings.
    #[error("the thumbnails stage's configuration: {0}")]
    Json(#[from] serde_json::Error),
    /// A setting has an invalid value.
    #[error("the thumbnails stage's configuration: `{setting}`: {problem}")]
    Setting {
        /// The setting's name.
        setting: &'static str,
        /// What is wrong with it, and what is allowed.
        problem: String,
    },
}

/// The configuration as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Written {
    boxes: Option<Vec<String>>,
    widths: Option<Vec<u32>>,
    #[serde(default)]
    format: OutputFormat,
    quality: Option<u8>,
    subsampling: Option<Subsampling>,
    lossless: Option<bool>,
    max_pixels: Option<u64>,
    max_memory: Option<u64>,
    max_bytes: Option<u64>,
}

/// The largest side of a rendition, which is also the limit of WebP.
const MAX_SIDE: u32 = 16_383;
/// The most renditions of one call.
const MAX_RENDITIONS: usize = 32;

impl Config {
    /// Returns the configuration in a JSON object. Every setting may be left out. Without `boxes` and `widths`, the boxes are
    /// 320×240, 640×480 and 1280×960.
    ///
    /// ```json
    /// {"boxes": ["320x240"], "widths": [200, 400], "format": "jpeg", "quality": 85, "subsampling": "4:2:0",
    ///  "lossless": false, "maxPixels": 100000000, "maxBytes": 268435456}
    /// ```
    pub fn parse(json: &str) -> Result<Self, ConfigError> {
        let written: Written = serde_json::from_str(json)?;
        let defaults = Config::default();
        let renditions = if written.boxes.is_none() && written.widths.is_none() {
            defaults.renditions
        } else {
            renditions(&written.boxes.unwrap_or_default(), &written.widths.unwrap_or_default())?
        };
        let quality = written.quality.unwrap_or(defaults.quality);
        if !(1..=100).contains(&quality) {
            return Err(wrong("quality", format!("{quality} is not from 1 to 100")));
        }
        let lossless = written.lossless.unwrap_or(defaults.lossless);
        if lossless && written.format != OutputFormat::Webp {
            return Err(wrong(
                "lossless",
                "only WebP renditions can be lossless; leave it out, or set `format` to `webp`".to_owned(),
            ));
        }
        if lossless && written.quality.is_some() {
            return Err(wrong("quality", "lossless renditions have no quality; leave it out".to_owned()));
        }
        if written.format == OutputFormat::Webp && written.subsampling.is_some() {
            return Err(wrong("subsampling", "it is a setting of JPEG renditions; leave it out".to_owned()));
        }
        Ok(Self {
            renditions,
            format: written.format,
            quality,
            subsampling: written.subsampling,
            lossless,
            max_pixels: positive("maxPixels", written.max_pixels, defaults.max_pixels)?,
            max_memory: written.max_memory.map(|memory| positive("maxMemory", Some(memory), memory)).transpose()?,
            max_bytes: positive("maxBytes", written.max_bytes, defaults.max_bytes)?,
        })
    }
}

fn wrong(setting: &'static str, problem: String) -> ConfigError {
    ConfigError::Setting { setting, problem }
}

fn positive(setting: &'static str, value: Option<u64>, default: u64) -> Result<u64, ConfigError> {
    match value {
        Some(0) => Err(wrong(setting, "0 would refuse every file; give a positive number".to_owned())),
        Some(value) => Ok(value),
        None => Ok(default),
    }
}

fn renditions(boxes: &[String], widths: &[u32]) -> Result<Vec<Bounds>, ConfigError> {
    let mut all = Vec::new();
    for text in boxes {
        all.push(("boxes", Bounds::Box(parse_box(text)?)));
    }
    for &width in widths {
        if !(1..=MAX_SIDE).contains(&width) {
            return Err(wrong("widths", format!("{width} is not from 1 to {MAX_SIDE}")));
        }
        all.push(("widths", Bounds::Width(width)));
    }
    let mut kept = Vec::with_capacity(all.len());
    for (setting, bounds) in all {
        if kept.contains(&bounds) {
            return Err(wrong(setting, format!("{bounds} is listed twice")));
        }
        kept.push(bounds);
    }
    if kept.is_empty() {
        return Err(wrong("boxes", "there is no rendition to make; add a box or a width".to_owned()));
    }
    if kept.len() > MAX_RENDITIONS {
        return Err(wrong(
            "boxes",
            format!("there are {} renditions; at most {MAX_RENDITIONS} are allowed", kept.len()),
        ));
    }
    Ok(kept)
}

/// Returns the size in `320x240`. No other spelling is accepted, because it becomes part of keys.
fn parse_box(text: &str) -> Result<Size, ConfigError> {
    let bad =
        || wrong("boxes", format!("{text:?} is not a box such as \"320x240\" with sides from 1 to {MAX_SIDE} pixels"));
    let (w, h) = text.split_once('x').ok_or_else(bad)?;
    let size = Size::new(w.parse().map_err(|_| bad())?, h.parse().map_err(|_| bad())?);
    let in_range = |side| (1..=MAX_SIDE).contains(&side);
    // The comparison refuses "+320x240" and "0320x240", which would parse but lead to another key.
    if in_range(size.width) && in_range(size.height) && size.to_string() == text { Ok(size) } else { Err(bad()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config_schema::{assert_same_defaults, assert_same_settings, assert_same_verdict, configs};
    use proptest::prelude::*;
    use serde_json::Value;

    fn names(config: &Config) -> Vec<String> {
        config.renditions.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_default_is_three_boxes_as_jpeg() {
        let config = Config::parse("{}").unwrap();
        assert_eq!(config, Config::default());
        assert_eq!(names(&config), ["320x240", "640x480", "1280x960"]);
        assert_eq!((config.format, config.quality), (OutputFormat::Jpeg, 85));
    }

    #[test]
    fn widths_replace_the_default_boxes() {
        let config = Config::parse(r#"{"widths":[200,400,800,1200],"quality":80}"#).unwrap();
        assert_eq!(names(&config), ["w200", "w400", "w800", "w1200"]);
    }

    #[test]
    fn every_error_names_its_setting() {
        for (json, word) in [
            (r#"{"box":["1x1"]}"#, "box"),
            (r#"{"boxes":["320*240"]}"#, "320*240"),
            (r#"{"boxes":["0x240"]}"#, "0x240"),
            (r#"{"boxes":["+320x240"]}"#, "+320x240"),
            (r#"{"boxes":["320x240","320x240"]}"#, "twice"),
            (r#"{"boxes":[]}"#, "no rendition"),
            (r#"{"widths":[0]}"#, "widths"),
            (r#"{"widths":[99999]}"#, "99999"),
            (r#"{"format":"avif"}"#, "avif"),
            (r#"{"quality":0}"#, "quality"),
            (r#"{"quality":101}"#, "quality"),
            (r#"{"subsampling":"4:2:2"}"#, "4:2:2"),
            (r#"{"format":"webp","subsampling":"4:4:4"}"#, "subsampling"),
            (r#"{"format":"webp","lossless":true,"quality":80}"#, "no quality"),
            (r#"{"lossless":true}"#, "WebP"),
            (r#"{"maxPixels":0}"#, "maxPixels"),
            (r#"[]"#, "configuration"),
            ("", "configuration"),
        ] {
            let message = Config::parse(json).unwrap_err().to_string();
            assert!(message.contains(word), "{json} gave: {message}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_a_panic(text in ".*") {
            let _ = Config::parse(&text);
            let _ = parse_box(&text);
        }
    }

    /// No JSON Schema can count the entries of two lists together.
    fn too_many_renditions(config: &Value) -> bool {
        let entries = |name: &str| config[name].as_array().map_or(0, Vec::len);
        entries("boxes") + entries("widths") > MAX_RENDITIONS
    }

    const SCHEMA: &str = include_str!("../config.schema.json");

    #[test]
    fn the_schema_has_the_same_settings_and_defaults() {
        assert_same_settings(SCHEMA, Config::parse);
        assert_same_defaults(SCHEMA, Config::parse);
    }

    proptest! {
        #[test]
        fn the_schema_accepts_and_refuses_the_same_configurations(config in configs(SCHEMA)) {
            assert_same_verdict(SCHEMA, &config, too_many_renditions, Config::parse);
        }
    }
}
