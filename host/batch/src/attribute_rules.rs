//! The rules of attributes: what stages found out about a file or a batch, by name.

/// The most attributes of one file, and of the batch as a whole.
pub const MAX_ATTRIBUTES: usize = 32;
/// The longest name of an attribute, in bytes.
const MAX_NAME: usize = 64;
/// The longest value of an attribute, in bytes.
const MAX_VALUE: usize = 1024;

/// Returns whether a text can be the name of an attribute or of a stage's metric: 1 to 64 characters of
/// `a-z A-Z 0-9 . _ -`.
pub fn is_plain_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(plain)
}

/// Returns why an attribute cannot be taken; `None` if it can. The reason quotes neither name nor value.
pub fn attribute_fault(name: &str, value: &str) -> Option<String> {
    if !is_plain_name(name) {
        return Some(format!("its name must have 1 to {MAX_NAME} characters of a-z, A-Z, 0-9, '.', '_' and '-'"));
    }
    (value.len() > MAX_VALUE).then(|| format!("its value has {} bytes; at most {MAX_VALUE} are accepted", value.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_plain_and_a_value_is_short() {
        for name in ["thumbhash", "colour.1", "A_b-9", &"n".repeat(64)] {
            assert_eq!(attribute_fault(name, "any \u{1F600} text"), None, "{name}");
        }
        for name in ["", "two words", "naïve", "a/b", &"n".repeat(65)] {
            assert!(attribute_fault(name, "").is_some_and(|why| why.contains("its name")), "{name}");
        }
        assert_eq!(attribute_fault("n", &"v".repeat(1024)), None);
        assert!(attribute_fault("n", &"v".repeat(1025)).is_some_and(|why| why.contains("1025 bytes")));
    }
}
