//! `${Name}` placeholders of a definition.
//!
//! CloudFormation fills them with names that only the deployment knows (function ARNs, queue URLs); here the options
//! give the values. Placeholders are inside JSON strings, so values are escaped for JSON.

use std::collections::BTreeMap;

/// Fills every placeholder that has a value and leaves the others. A resource with a placeholder is refused when the
/// machine is loaded; a `${` anywhere else may be intended.
pub(crate) fn fill(definition: &str, values: &BTreeMap<String, String>) -> String {
    let mut filled = String::with_capacity(definition.len());
    let mut rest = definition;
    while let Some((before, after)) = rest.split_once("${") {
        filled.push_str(before);
        let value = after.split_once('}').and_then(|(name, end)| Some((values.get(name)?, end)));
        match value {
            Some((value, end)) => {
                let quoted = serde_json::Value::from(value.as_str()).to_string();
                filled.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
                rest = end;
            }
            None => {
                filled.push_str("${");
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn known_placeholders_are_filled_and_others_stay() {
        let values = values(&[("A", "1"), ("B", "x-y")]);
        assert_eq!(fill("\"${A}/${B}/${C}/${A\"", &values), "\"1/x-y/${C}/${A\"");
        assert_eq!(fill("${${A}", &values), "${1");
    }

    #[test]
    fn a_value_cannot_break_out_of_its_string() {
        assert_eq!(fill("\"${A}\"", &values(&[("A", "a\"b\\")])), r#""a\"b\\""#);
        assert_eq!(fill("\"${A}\"", &values(&[("A", "\"")])), r#""\"""#);
    }
}
