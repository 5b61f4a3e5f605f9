//! The stage's configuration, from its pin.

use serde::Deserialize;

use crate::bindings::toq::media::types::Failure;

/// The configuration. `{}` is every bundle.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The bundles to make, in this order.
    pub bundles: Vec<BundleKind>,
}

impl Default for Config {
    fn default() -> Self {
        Self { bundles: vec![BundleKind::Complete, BundleKind::Originals, BundleKind::Thumbnails] }
    }
}

/// The kinds of bundles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BundleKind {
    /// The uploads and all their renditions.
    Complete,
    /// The uploads, unchanged.
    Originals,
    /// The thumbnails.
    Thumbnails,
}

impl BundleKind {
    /// Returns the bundle's name in the batch and in its key.
    pub fn name(self) -> &'static str {
        match self {
            BundleKind::Complete => "complete",
            BundleKind::Originals => "originals",
            BundleKind::Thumbnails => "thumbnails",
        }
    }
}

impl Config {
    /// Returns the configuration in a JSON object.
    ///
    /// # Errors
    /// `invalid-input` that names the wrong field or bundle.
    pub fn parse(json: &str) -> Result<Self, Failure> {
        let config: Config = serde_json::from_str(json)
            .map_err(|error| Failure::InvalidInput(format!("the zip stage's configuration: {error}")))?;
        for (index, kind) in config.bundles.iter().enumerate() {
            if config.bundles[..index].contains(kind) {
                let name = kind.name();
                return Err(Failure::InvalidInput(format!(
                    "the zip stage's configuration: `bundles` lists `{name}` twice"
                )));
            }
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config_schema::{assert_same_defaults, assert_same_settings, assert_same_verdict, configs};
    use proptest::prelude::*;

    #[test]
    fn the_default_is_every_bundle() {
        assert_eq!(
            Config::parse("{}").unwrap().bundles,
            [BundleKind::Complete, BundleKind::Originals, BundleKind::Thumbnails]
        );
        assert_eq!(Config::parse(r#"{"bundles":["thumbnails"]}"#).unwrap().bundles, [BundleKind::Thumbnails]);
    }

    #[test]
    fn an_unknown_field_or_bundle_is_refused_with_its_name() {
        for (json, named) in [
            (r#"{"bundels":[]}"#, "bundels"),
            (r#"{"bundles":["everything"]}"#, "everything"),
            (r#"{"bundles":["complete","complete"]}"#, "`complete` twice"),
            ("", "configuration"),
        ] {
            match Config::parse(json) {
                Err(Failure::InvalidInput(text)) => assert!(text.contains(named), "{text}"),
                other => panic!("{json}: {other:?}"),
            }
        }
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
