//! Texts of guests: checked before they are used, cut before they are quoted.

use stagehost_batch::{Case, Failure, KEY_MAX};

/// The longest message of a guest that is kept, in bytes. It ends up in documents with a size limit.
const MAX_GUEST_MESSAGE: usize = 500;
/// The longest failure message that is recorded on a file, in bytes. Those of traps have the end of the guest's output
/// and frames.
const MAX_MESSAGE: usize = 2000;
/// How much of a guest's text a message quotes, in bytes.
const MAX_QUOTED: usize = 200;

/// Refuses a key that is too long. Errors: `InvalidInput`.
pub(crate) fn check_key(key: &str) -> Result<(), Failure> {
    check_length("key", key, KEY_MAX)
}

/// Refuses a text of more than `longest` bytes. Errors: `InvalidInput`.
pub(crate) fn check_length(what: &str, text: &str, longest: usize) -> Result<(), Failure> {
    if text.len() <= longest {
        return Ok(());
    }
    let message = format!("a {what} has at most {longest} bytes; this one has {}: {}", text.len(), quoted(text));
    Err(Failure::new(Case::InvalidInput, message))
}

/// Returns a text in quotation marks, cut if it is long.
pub(crate) fn quoted(text: &str) -> String {
    match cut(text, MAX_QUOTED) {
        Some(beginning) => format!("{beginning:?}…"),
        None => format!("{text:?}"),
    }
}

/// Returns a guest's message, cut if it is long.
pub(crate) fn shorten(message: String) -> String {
    cut_to(message, MAX_GUEST_MESSAGE)
}

/// Returns a message of a failure as it is recorded, cut if it is long.
pub(crate) fn recorded(message: String) -> String {
    cut_to(message, MAX_MESSAGE)
}

/// Returns a text, cut if it has more than `longest` bytes.
pub(crate) fn cut_to(mut message: String, longest: usize) -> String {
    if let Some(end) = cut(&message, longest).map(str::len) {
        message.truncate(end);
        message.push('…');
        // The whole text would stay in memory with its beginning.
        message.shrink_to_fit();
    }
    message
}

/// Returns the beginning of a text that has more than `longest` bytes; `None` for a shorter one.
fn cut(text: &str, longest: usize) -> Option<&str> {
    (text.len() > longest).then(|| &text[..text.floor_char_boundary(longest)])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_key_may_be_as_long_as_s3_allows_and_no_longer() {
        assert!(check_key(&"k".repeat(1024)).is_ok());
        let refused = check_key(&"k".repeat(1025)).unwrap_err();
        assert_eq!(refused.case, Case::InvalidInput);
        assert!(refused.message.starts_with("a key has at most 1024 bytes; this one has 1025: \"kkk"));
    }

    #[test]
    fn a_message_does_not_grow_with_the_text_that_it_quotes() {
        assert!(check_key(&"\u{1}".repeat(1 << 20)).unwrap_err().message.len() < 2048);
        assert_eq!(quoted("a\"b"), "\"a\\\"b\"");
        // No cut within a character of two bytes.
        assert_eq!(quoted(&"ä".repeat(101)), format!("\"{}\"…", "ä".repeat(100)));
        assert_eq!(quoted(&format!("a{}", "ä".repeat(100))), format!("\"a{}\"…", "ä".repeat(99)));
        assert_eq!(shorten("x".repeat(501)), format!("{}…", "x".repeat(500)));
        assert_eq!(shorten("x".repeat(500)), "x".repeat(500));
        assert_eq!(recorded("x".repeat(2001)), format!("{}…", "x".repeat(2000)));
    }
}
