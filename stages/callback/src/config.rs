//! The stage's configuration, from its pin.

use std::time::Duration;

use serde::Deserialize;

use crate::bindings::toq::media::types::Failure;

/// The time after which the host gives up on one attempt.
pub const ATTEMPT_LIMIT: Duration = Duration::from_secs(10);

/// How long to keep trying. The state machine tries the whole state again later, so this need not outlast an outage.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Config {
    /// The most attempts of one call.
    pub attempts: u32,
    /// The wait after the first attempt, in milliseconds. Each later one is twice as long.
    pub first_delay_ms: u64,
    /// The longest wait, in milliseconds, even if the backend's `Retry-After` is longer.
    pub max_delay_ms: u64,
    /// The most time for all attempts and waits together, in milliseconds. Must be shorter than the deadline in the pin.
    pub total_ms: u64,
    /// Whether a 404 is tried again. By contract it is final, but while a new version of the backend is rolled out, some of its
    /// servers may not know the address yet.
    pub retry_not_found: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { attempts: 4, first_delay_ms: 500, max_delay_ms: 10_000, total_ms: 30_000, retry_not_found: false }
    }
}

impl Config {
    /// Returns the configuration in a JSON object.
    ///
    /// # Errors
    /// `invalid-input` that names the wrong field.
    pub fn parse(json: &str) -> Result<Self, Failure> {
        let refuse = |text: String| Failure::InvalidInput(format!("the callback stage's configuration: {text}"));
        let config: Config = serde_json::from_str(json).map_err(|error| refuse(error.to_string()))?;
        let one_attempt = ATTEMPT_LIMIT.as_millis() as u64;
        if !(1..=20).contains(&config.attempts) {
            return Err(refuse("`attempts` must be from 1 to 20".to_owned()));
        }
        if config.first_delay_ms == 0 || config.first_delay_ms > config.max_delay_ms {
            return Err(refuse("`firstDelayMs` must be from 1 to `maxDelayMs`".to_owned()));
        }
        if config.max_delay_ms > 300_000 {
            return Err(refuse("`maxDelayMs` must be at most 300000".to_owned()));
        }
        if !(one_attempt..=840_000).contains(&config.total_ms) {
            let text = format!("`totalMs` must be from {one_attempt}, the time of one attempt, to 840000");
            return Err(refuse(text));
        }
        Ok(config)
    }

    /// Returns [`Self::total_ms`] as a duration.
    pub fn total(&self) -> Duration {
        Duration::from_millis(self.total_ms)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config_schema::{assert_same_defaults, assert_same_settings, assert_same_verdict, configs};
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn the_default_is_four_attempts_in_thirty_seconds() {
        let config = Config::parse("{}").unwrap();
        assert_eq!((config.attempts, config.total_ms), (4, 30_000));
        assert_eq!(Config::parse(r#"{"attempts":1}"#).unwrap(), Config { attempts: 1, ..config });
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_name() {
        for (json, named) in [
            (r#"{"url":"https://example.org"}"#, "`url`"),
            (r#"{"attempts":0}"#, "`attempts`"),
            (r#"{"attempts":21}"#, "`attempts`"),
            (r#"{"firstDelayMs":0}"#, "`firstDelayMs`"),
            (r#"{"firstDelayMs":20000}"#, "`firstDelayMs`"),
            (r#"{"maxDelayMs":300001}"#, "`maxDelayMs`"),
            (r#"{"totalMs":9999}"#, "`totalMs`"),
            ("[", "configuration"),
        ] {
            match Config::parse(json) {
                Err(Failure::InvalidInput(text)) => assert!(text.contains(named), "{text}"),
                other => panic!("{json}: {other:?}"),
            }
        }
    }

    /// No JSON Schema can compare two settings.
    fn waits_shrink(config: &Value) -> bool {
        let or = |name: &str, default| config[name].as_u64().unwrap_or(default);
        or("firstDelayMs", 500) > or("maxDelayMs", 10_000)
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
            assert_same_verdict(SCHEMA, &config, waits_shrink, Config::parse);
        }
    }
}
