//! The stage's configuration, from its pin.

use serde::Deserialize;
use stage_probe::{Format, Kind};

use crate::bindings::toq::media::types::Failure;

/// What is accepted. Every field may be left out. An unknown field is refused by name, because a limit with a typing error
/// would otherwise be no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The largest file, in bytes: `maxFileBytes`, 256 MiB by default.
    pub max_file_bytes: u64,
    /// The most pixels of a picture: `maxPixels`, 100 million by default. Decoding takes several bytes per pixel.
    pub max_pixels: u64,
    /// The accepted formats, by name (`"HEIC"`) or MIME type (`"image/heic"`): `accept`, by default JPEG, PNG, HEIC, WebP,
    /// MP4, QuickTime and PDF.
    pub accept: Vec<Format>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_file_bytes: 256 * 1024 * 1024,
            max_pixels: 100_000_000,
            accept: vec![
                Format::Jpeg,
                Format::Png,
                Format::Heic,
                Format::WebP,
                Format::Mp4,
                Format::QuickTime,
                Format::Pdf,
            ],
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    max_file_bytes: Option<u64>,
    max_pixels: Option<u64>,
    accept: Option<Vec<String>>,
}

impl Config {
    /// Returns the configuration in the pin's JSON object.
    ///
    /// # Errors
    /// `invalid-input` that names the wrong field.
    pub fn parse(json: &str) -> Result<Self, Failure> {
        let refuse = |reason: String| Failure::InvalidInput(format!("the validate stage's configuration: {reason}"));
        let written: Written = serde_json::from_str(json).map_err(|error| refuse(error.to_string()))?;
        let defaults = Config::default();
        let at_least_one = |field: &str, value: Option<u64>, default: u64| match value {
            Some(0) => Err(refuse(format!("`{field}` is 0, which would refuse every file"))),
            value => Ok(value.unwrap_or(default)),
        };
        let accept = match written.accept {
            None => defaults.accept,
            Some(names) if names.is_empty() => {
                return Err(refuse("`accept` is empty, which would refuse every file".to_owned()));
            }
            Some(names) => names
                .iter()
                .map(|name| {
                    format_named(name).ok_or_else(|| {
                        refuse(format!(
                            "`accept` contains {name:?}, which is not a known format; known are {}",
                            list(&Format::ALL)
                        ))
                    })
                })
                .collect::<Result<_, _>>()?,
        };
        Ok(Self {
            max_file_bytes: at_least_one("maxFileBytes", written.max_file_bytes, defaults.max_file_bytes)?,
            max_pixels: at_least_one("maxPixels", written.max_pixels, defaults.max_pixels)?,
            accept,
        })
    }

    /// Returns the accepted formats of a kind for a message; all of them if there is none of that kind.
    pub fn accepted(&self, kind: Kind) -> String {
        let of_kind: Vec<Format> = self.accept.iter().copied().filter(|format| format.kind() == kind).collect();
        list(if of_kind.is_empty() { &self.accept } else { &of_kind })
    }
}

fn format_named(name: &str) -> Option<Format> {
    let by_name = Format::ALL.into_iter().find(|format| format.to_string().eq_ignore_ascii_case(name));
    by_name.or_else(|| Format::from_mime(name))
}

fn list(formats: &[Format]) -> String {
    let names: Vec<String> = formats.iter().map(Format::to_string).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config_schema::{assert_same_defaults, assert_same_settings, assert_same_verdict, configs};
    use proptest::prelude::*;

    fn refusal(json: &str) -> String {
        match Config::parse(json) {
            Err(Failure::InvalidInput(message)) => message,
            other => panic!("{json} gave {other:?}"),
        }
    }

    #[test]
    fn an_empty_object_is_the_defaults() {
        assert_eq!(Config::parse("{}").unwrap(), Config::default());
    }

    #[test]
    fn each_field_may_be_set_alone_and_formats_by_name_or_mime_type() {
        let config = Config::parse(r#"{"accept": ["jpeg", "image/tiff", "QuickTime"]}"#).unwrap();
        assert_eq!(config.accept, [Format::Jpeg, Format::Tiff, Format::QuickTime]);
        assert_eq!(config.max_pixels, Config::default().max_pixels);
        assert_eq!(Config::parse(r#"{"maxFileBytes": 7}"#).unwrap().max_file_bytes, 7);
        assert_eq!(Config::parse(r#"{"maxPixels": null}"#).unwrap(), Config::default());
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_name() {
        assert!(refusal(r#"{"maxFileBites": 7}"#).contains("maxFileBites"));
        assert!(refusal(r#"{"maxFileBytes": -1}"#).contains("-1"));
        assert!(refusal(r#"{"maxPixels": 0}"#).contains("maxPixels"));
        assert!(refusal(r#"{"accept": ["jpeg", "bmp"]}"#).contains("\"bmp\""));
        assert!(refusal(r#"{"accept": []}"#).contains("accept"));
        assert!(refusal("[]").contains("configuration"));
        assert!(refusal("").contains("configuration"));
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
            assert_same_verdict(SCHEMA, &config, |_| false, Config::parse);
        }
    }
}
