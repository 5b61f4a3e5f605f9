//! The stage's configuration, from its pin.

use serde::Deserialize;

use crate::bindings::toq::media::types::Failure;

/// The configuration. `{}` is the two outputs of the service's job template.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The outputs to make of every video, in this order.
    pub outputs: Vec<OutputConfig>,
}

/// One MP4 to make of every video.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OutputConfig {
    /// The rendition's name, also the suffix of its key: lower-case letters, digits and `-`.
    pub name: String,
    /// The longer side of the box that the video is fitted into, in pixels, even.
    pub long: u32,
    /// The shorter side, in pixels, even.
    pub short: u32,
    /// The highest bit rate of the video, in bits per second.
    pub video_bitrate: u32,
    /// The bit rate of the sound, in bits per second.
    pub audio_bitrate: u32,
}

impl Default for Config {
    fn default() -> Self {
        let output = |name: &str, long, short, video_bitrate, audio_bitrate| OutputConfig {
            name: name.to_owned(),
            long,
            short,
            video_bitrate,
            audio_bitrate,
        };
        Self {
            outputs: vec![
                output("1080p", 1920, 1080, 5_000_000, 128_000),
                output("720p", 1280, 720, 3_000_000, 96_000),
            ],
        }
    }
}

impl Config {
    /// Returns the configuration in a JSON object.
    ///
    /// # Errors
    /// `invalid-input` that names the wrong field.
    pub fn parse(json: &str) -> Result<Self, Failure> {
        let refuse = |text: String| Failure::InvalidInput(format!("the transcode stage's configuration: {text}"));
        let config: Config = serde_json::from_str(json).map_err(|error| refuse(error.to_string()))?;
        if config.outputs.is_empty() {
            return Err(refuse("`outputs` is empty; leave it out for the default outputs".to_owned()));
        }
        for (index, output) in config.outputs.iter().enumerate() {
            output.check().map_err(|text| refuse(format!("output `{}`: {text}", output.name)))?;
            if config.outputs[..index].iter().any(|other| other.name == output.name) {
                return Err(refuse(format!("output `{}` is listed twice", output.name)));
            }
        }
        Ok(config)
    }
}

impl OutputConfig {
    fn check(&self) -> Result<(), &'static str> {
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        if self.name.is_empty() || self.name.len() > 32 || !self.name.bytes().all(plain) {
            return Err("`name` must be 1 to 32 lower-case letters, digits and `-`");
        }
        if self.short > self.long {
            return Err("`short` is longer than `long`");
        }
        // The smallest and largest pictures that the service encodes.
        if self.short < 32 || self.long > 4096 || !self.long.is_multiple_of(2) || !self.short.is_multiple_of(2) {
            return Err("`long` and `short` must be even numbers from 32 to 4096");
        }
        if self.video_bitrate == 0 || self.audio_bitrate == 0 {
            return Err("`videoBitrate` and `audioBitrate` must not be 0");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config_schema::{
        assert_same_defaults, assert_same_item_settings, assert_same_settings, assert_same_verdict, configs,
    };
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn the_default_outputs_are_those_of_the_job_template() {
        let outputs = Config::parse("{}").unwrap().outputs;
        let facts: Vec<_> =
            outputs.iter().map(|o| (o.name.as_str(), o.long, o.short, o.video_bitrate, o.audio_bitrate)).collect();
        assert_eq!(facts, [("1080p", 1920, 1080, 5_000_000, 128_000), ("720p", 1280, 720, 3_000_000, 96_000)]);
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_name() {
        let output = |change: &str, to: &str| {
            let good = r#"{"name":"480p","long":854,"short":480,"videoBitrate":1,"audioBitrate":1}"#;
            assert!(good.contains(change));
            format!(r#"{{"outputs":[{}]}}"#, good.replace(change, to))
        };
        assert!(Config::parse(&output("854", "854")).is_ok());
        for (json, named) in [
            (r#"{"output":[]}"#.to_owned(), "`output`"),
            (r#"{"outputs":[]}"#.to_owned(), "`outputs`"),
            (output("long", "wide"), "`wide`"),
            (output("480p", "../x"), "`../x`"),
            (output("854", "853"), "even"),
            (output("854", "320"), "longer"),
            (output("854", "8000"), "4096"),
            (output(r#""videoBitrate":1"#, r#""videoBitrate":0"#), "`videoBitrate`"),
            (output("}", r#"},{"name":"480p","long":854,"short":480,"videoBitrate":1,"audioBitrate":1}"#), "twice"),
        ] {
            match Config::parse(&json) {
                Err(Failure::InvalidInput(text)) => assert!(text.contains(named), "{text}"),
                other => panic!("{json}: {other:?}"),
            }
        }
    }

    /// No JSON Schema can compare two settings, or the names of all outputs.
    fn sides_or_names_clash(config: &Value) -> bool {
        let outputs = config["outputs"].as_array().into_iter().flatten();
        let mut names = std::collections::HashSet::new();
        outputs.into_iter().any(|output| {
            output["short"].as_u64() > output["long"].as_u64() || !names.insert(output["name"].to_string())
        })
    }

    const SCHEMA: &str = include_str!("../config.schema.json");

    #[test]
    fn the_schema_has_the_same_settings_and_defaults() {
        assert_same_settings(SCHEMA, Config::parse);
        assert_same_item_settings(SCHEMA, "outputs", Config::parse);
        assert_same_defaults(SCHEMA, Config::parse);
    }

    proptest! {
        #[test]
        fn the_schema_accepts_and_refuses_the_same_configurations(config in configs(SCHEMA)) {
            assert_same_verdict(SCHEMA, &config, sides_or_names_clash, Config::parse);
        }
    }
}
