//! The stage's configuration, from its pin.

use serde::Deserialize;

use crate::bindings::toq::media::types::Failure;

/// The name of the playlist above a stream's renditions, with which their names begin.
pub const STREAM: &str = "hls";
/// The shortest side of a picture that the service makes, in pixels ("VideoDescription" in MediaConvert's API reference).
pub const SMALLEST: u32 = 32;
/// The longest side of a picture in H.264, and the longest that the other side may be ("Maximum supported output
/// resolutions" in MediaConvert's user guide).
const LONGEST: u32 = 4096;
const WIDEST: u32 = 2160;
/// Bits per second ("H264Settings" and "AacSettings" in MediaConvert's API reference).
const VIDEO_BITRATES: std::ops::RangeInclusive<u32> = 1_000..=1_152_000_000;
const AUDIO_BITRATES: std::ops::RangeInclusive<u32> = 6_000..=1_024_000;

/// The configuration. `{}` is the two outputs of the service's job template, and posters in the sizes of thumbnails.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The outputs to make of every video, in this order.
    pub outputs: Vec<OutputConfig>,
    /// The renditions of a stream to make of every video; none for no stream. Those that would only repeat a larger one, because
    /// nothing is enlarged, are left out.
    pub streaming: Vec<OutputConfig>,
    /// The boxes that pictures of every video are fitted into; none for no picture.
    pub posters: Vec<PosterConfig>,
}

/// A picture to take from every video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PosterConfig {
    /// The width of the box, in pixels.
    pub width: u32,
    /// The height of the box, in pixels.
    pub height: u32,
}

/// One MP4, or one rendition of a stream, to make of every video.
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
            streaming: Vec::new(),
            posters: [(320, 240), (640, 480), (1280, 960)]
                .map(|(width, height)| PosterConfig { width, height })
                .to_vec(),
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
        for list in [&config.outputs, &config.streaming] {
            for (index, output) in list.iter().enumerate() {
                output.check().map_err(|text| refuse(format!("output `{}`: {text}", output.name)))?;
                if list[..index].iter().any(|other| other.name == output.name) {
                    return Err(refuse(format!("output `{}` is listed twice", output.name)));
                }
            }
        }
        let is_stream =
            |name: &str| name == STREAM || name.strip_prefix(STREAM).is_some_and(|rest| rest.starts_with('-'));
        if let Some(output) = config.outputs.iter().find(|output| is_stream(&output.name)) {
            return Err(refuse(format!("output `{}`: names that begin with `hls` are those of streams", output.name)));
        }
        for (index, poster) in config.posters.iter().enumerate() {
            let name = poster.name();
            poster.check().map_err(|text| refuse(format!("poster {name}: {text}")))?;
            let taken = config.outputs.iter().any(|output| output.name == name);
            if taken || config.posters[..index].contains(poster) {
                return Err(refuse(format!("poster {name}: another result has this name")));
            }
        }
        Ok(config)
    }
}

impl PosterConfig {
    /// Returns the rendition's name, which is that of a thumbnail in the same box.
    pub fn name(self) -> String {
        format!("{}x{}", self.width, self.height)
    }

    fn check(self) -> Result<(), &'static str> {
        if self.width.min(self.height) < SMALLEST || self.width.max(self.height) > LONGEST {
            return Err("`width` and `height` must be numbers from 32 to 4096");
        }
        Ok(())
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
        let even = self.long.is_multiple_of(2) && self.short.is_multiple_of(2);
        if self.short < SMALLEST || self.long > LONGEST || self.short > WIDEST || !even {
            return Err("`long` and `short` must be even numbers from 32, up to 4096 and 2160");
        }
        if !VIDEO_BITRATES.contains(&self.video_bitrate) {
            return Err("`videoBitrate` must be a number from 1000 to 1152000000");
        }
        if !AUDIO_BITRATES.contains(&self.audio_bitrate) {
            return Err("`audioBitrate` must be a number from 6000 to 1024000");
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
            let good = r#"{"name":"480p","long":854,"short":480,"videoBitrate":1000,"audioBitrate":6000}"#;
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
            (output(r#""videoBitrate":1000"#, r#""videoBitrate":0"#), "`videoBitrate`"),
            (output(r#""audioBitrate":6000"#, r#""audioBitrate":1"#), "`audioBitrate`"),
            (r#"{"posters":[{"width":16,"height":16}]}"#.to_owned(), "32"),
            (r#"{"posters":[{"width":64,"height":64},{"width":64,"height":64}]}"#.to_owned(), "64x64"),
            (
                output("}", r#"},{"name":"480p","long":854,"short":480,"videoBitrate":1000,"audioBitrate":6000}"#),
                "twice",
            ),
        ] {
            match Config::parse(&json) {
                Err(Failure::InvalidInput(text)) => assert!(text.contains(named), "{text}"),
                other => panic!("{json}: {other:?}"),
            }
        }
    }

    #[test]
    fn posters_are_in_the_sizes_of_thumbnails_unless_there_are_to_be_none() {
        let names = |json| Config::parse(json).unwrap().posters.into_iter().map(PosterConfig::name).collect::<Vec<_>>();
        assert_eq!(names("{}"), ["320x240", "640x480", "1280x960"]);
        assert!(names(r#"{"posters":[]}"#).is_empty());
    }

    /// No JSON Schema can compare two settings, or the names of all results.
    fn sides_or_names_clash(config: &Value) -> bool {
        let list = |name: &str| config[name].as_array().cloned().unwrap_or_default();
        let mut names = std::collections::HashSet::new();
        let text = |output: &Value| output["name"].as_str().unwrap_or_default().to_owned();
        let clash = list("outputs").iter().any(|output| {
            let stream = text(output) == STREAM || text(output).starts_with("hls-");
            stream || output["short"].as_u64() > output["long"].as_u64() || !names.insert(text(output))
        });
        let mut streams = std::collections::HashSet::new();
        let clash = clash
            || list("streaming")
                .iter()
                .any(|output| output["short"].as_u64() > output["long"].as_u64() || !streams.insert(text(output)));
        clash || list("posters").iter().any(|poster| !names.insert(format!("{}x{}", poster["width"], poster["height"])))
    }

    const SCHEMA: &str = include_str!("../config.schema.json");

    #[test]
    fn the_schema_has_the_same_settings_and_defaults() {
        assert_same_settings(SCHEMA, Config::parse);
        assert_same_item_settings(SCHEMA, "outputs", Config::parse);
        assert_same_item_settings(SCHEMA, "posters", Config::parse);
        assert_same_item_settings(SCHEMA, "streaming", Config::parse);
        assert_same_defaults(SCHEMA, Config::parse);
    }

    proptest! {
        #[test]
        fn the_schema_accepts_and_refuses_the_same_configurations(config in configs(SCHEMA)) {
            assert_same_verdict(SCHEMA, &config, sides_or_names_clash, Config::parse);
        }
    }
}
