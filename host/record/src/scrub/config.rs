//! A stage's configuration without credentials.

use serde_json::Value;

use super::names::{WITHHELD, is_credential_setting};
use super::urls::url;

/// Removes credentials from a configuration: texts and numbers under a name such as `apiKey`, `token` or `password`, and
/// the path and query of values that are URLs. Returns whether there was one.
///
/// A reduced URL still leads to the recorded answers in a replay; see [`url`].
pub(crate) fn config(value: &mut Value) -> bool {
    inside(value, false)
}

fn inside(value: &mut Value, credential: bool) -> bool {
    let removed = match value {
        Value::Object(fields) => {
            let mut found = false;
            for (name, value) in fields {
                found |= inside(value, credential || is_credential_setting(name));
            }
            return found;
        }
        Value::Array(values) => {
            let mut found = false;
            for value in values {
                found |= inside(value, credential);
            }
            return found;
        }
        Value::String(_) | Value::Number(_) if credential => WITHHELD.to_owned(),
        Value::String(text) if is_url(text) => url(text),
        _ => return false,
    };
    if value.as_str() == Some(removed.as_str()) {
        return false;
    }
    *value = removed.into();
    true
}

fn is_url(text: &str) -> bool {
    let begins = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    begins("https://") || begins("http://")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_under_names_of_credentials_are_removed_at_any_depth() {
        let mut value = json!({
            "apiKey": "hunter2", "login": {"password": "hunter2", "user": "a"}, "tokens": ["hunter2", {"x": "hunter2"}],
            "secretNumber": 4711, "secretEnabled": true, "quality": 85, "widths": [200, 400],
        });
        assert!(config(&mut value));
        assert_eq!(
            value,
            json!({
                "apiKey": WITHHELD, "login": {"password": WITHHELD, "user": "a"}, "tokens": [WITHHELD, {"x": WITHHELD}],
                "secretNumber": WITHHELD, "secretEnabled": true, "quality": 85, "widths": [200, 400],
            })
        );
        assert!(!config(&mut value), "nothing is left to remove");
    }

    #[test]
    fn addresses_keep_their_host() {
        let mut value = json!({"notify": "https://hooks.chat.example/T0/hunter2", "see": "https://docs.example/"});
        assert!(config(&mut value));
        let notify = value["notify"].as_str().unwrap_or_default();
        assert!(notify.starts_with("https://hooks.chat.example/") && !notify.contains("hunter2"), "{notify}");
        assert_eq!(value["see"], "https://docs.example/");
    }
}
