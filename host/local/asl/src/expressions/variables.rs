//! The names of variables.

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
/// The reason.
pub(crate) fn check(name: &str) -> Result<(), String> {
    match name {
        "states" => Err("the variable 'states' is reserved".to_owned()),
        name if name.chars().count() > MOST_NAME => {
            Err(format!("a variable's name must have 1 to {MOST_NAME} characters"))
        }
        name if cut(name).is_none_or(|(_, rest)| !rest.is_empty()) => Err(format!(
            "'{name}' cannot be a variable's name: it must begin with a letter and hold letters, digits and '_' only"
        )),
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
