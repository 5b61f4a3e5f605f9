//! The names of variables.

use crate::findings::Code;

/// The longest name of a variable, in characters.
const MOST_NAME: usize = 80;

/// Cuts a variable's name off the beginning of a path without its `$`. Returns it and the remaining text.
pub(crate) fn cut(text: &str) -> Option<(&str, &str)> {
    text.starts_with(begins).then(|| text.split_at(text.find(|c| !continues(c)).unwrap_or(text.len())))
}

/// Returns whether a variable can have this name.
///
/// A name begins with a letter or `_`, as in Unicode's ID_Start, and continues with letters, digits, marks and `_`.
///
/// # Errors
/// The code and the message of a finding, as the service writes them.
pub(crate) fn check(name: &str) -> Result<(), (Code, String)> {
    let invalid = |problem: &str| Err((Code::InvalidVariable, format!("Invalid variable name '{name}': {problem}")));
    match name {
        "states" => Err((Code::ReservedVariable, "Cannot assign to reserved variable '$states'.".to_owned())),
        name if name.chars().count() > MOST_NAME => {
            invalid(&format!("the variable name has more than {MOST_NAME} characters."))
        }
        name if cut(name).is_none_or(|(_, rest)| !rest.is_empty()) => {
            invalid("the variable name contains invalid characters.")
        }
        _ => Ok(()),
    }
}

fn begins(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn continues(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_where_the_path_goes_on() {
        assert_eq!(cut("name.a[0]"), Some(("name", ".a[0]")));
        assert_eq!(cut("x1[0]"), Some(("x1", "[0]")));
        for text in ["", ".a", "[0]", "1a", "$a"] {
            assert_eq!(cut(text), None, "{text}");
        }
    }

    #[test]
    fn names_follow_the_language_s_rules() {
        for name in ["x", "_x", "größe", "名前", "a1_b"] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        for name in ["", "1a", "a-b", "a.b", "states", "a b", &"x".repeat(81)] {
            assert!(check(name).is_err(), "{name}");
        }
    }
}
