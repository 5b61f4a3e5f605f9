//! Texts of stages, which are somebody else's code.

/// Returns a text without characters that a terminal would obey.
pub fn harmless(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() && letter != '\t' { '\u{fffd}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_nothing() {
        assert_eq!(harmless("a\u{1b}[2J\r\u{9b}b\tc"), "a\u{fffd}[2J\u{fffd}\u{fffd}b\tc");
    }
}
