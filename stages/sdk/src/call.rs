//! The facts of the running call, and its settings.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::bindings::toq::media::types::{Context, Failure};
use crate::sys;

/// The call that runs.
#[derive(Clone, Debug)]
pub struct Call {
    context: Context,
}

impl From<Context> for Call {
    fn from(context: Context) -> Self {
        Self { context }
    }
}

impl Call {
    /// Returns the facts as the contract has them.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Returns the name of the Step Functions state.
    pub fn state(&self) -> &str {
        &self.context.state
    }

    /// Returns the execution's ARN; the same on every retry.
    pub fn execution(&self) -> &str {
        &self.context.execution
    }

    /// Returns when the execution began: RFC 3339, UTC.
    pub fn started_at(&self) -> &str {
        &self.context.started_at
    }

    /// Returns the retries of this state so far; 0 on the first try.
    pub fn attempt(&self) -> u32 {
        self.context.attempt
    }

    /// Returns how much time is left until the host ends this call.
    pub fn remaining(&self) -> Duration {
        Duration::from_millis(sys::remaining_ms())
    }

    /// Returns the identifier of the batch's trace, if it has one.
    pub fn trace_id(&self) -> Option<String> {
        sys::trace_id()
    }

    /// Returns the settings as a JSON text.
    pub fn config_text(&self) -> &str {
        &self.context.config
    }

    /// Returns the settings.
    ///
    /// # Errors
    /// `invalid-input` that names the field at fault.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        parse_config(&self.context.config)
    }
}

/// Returns the settings in a JSON text.
///
/// # Errors
/// `invalid-input` that names the field at fault.
pub fn parse_config<T: DeserializeOwned>(json: &str) -> Result<T, Failure> {
    let refuse = |text: String| Failure::InvalidInput(format!("the stage's configuration: {text}"));
    let mut reader = serde_json::Deserializer::from_str(json);
    let config = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let field = error.path().to_string();
        // The path of an error about the whole document is a dot.
        if field == "." { refuse(error.inner().to_string()) } else { refuse(format!("`{field}`: {}", error.inner())) }
    })?;
    reader.end().map_err(|error| refuse(error.to_string()))?;
    Ok(config)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Config {
        sizes: Vec<Size>,
        quality: u8,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    struct Size {
        width: u32,
    }

    #[test]
    fn a_wrong_setting_is_refused_with_its_place() {
        let refusal = |json: &str| match parse_config::<Config>(json) {
            Err(Failure::InvalidInput(text)) => text,
            other => panic!("{other:?}"),
        };
        assert!(refusal(r#"{"sizes": [{"width": 1}, {"width": "wide"}]}"#).contains("`sizes[1].width`"));
        assert!(refusal(r#"{"quality": 300}"#).contains("`quality`"));
        assert!(refusal(r#"{"colour": 1}"#).contains("colour"));
        assert!(refusal("[").starts_with("the stage's configuration: "));
        assert!(refusal("{} {}").contains("trailing"));
        assert_eq!(parse_config::<Config>("{}").unwrap(), Config::default());
    }
}
