//! Errors as one sentence.

/// Returns an error and its causes as one line. Libraries often put the cause into their own message; it is not repeated.
pub fn sentence(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("port 4599 is taken: {source}")]
    struct Taken {
        source: std::io::Error,
    }

    #[test]
    fn a_cause_that_the_message_contains_is_named_once() {
        let taken = Taken { source: std::io::Error::from_raw_os_error(98) };
        let cause = taken.source.to_string();
        let text = sentence(&anyhow::Error::from(taken).context("cannot serve"));
        assert_eq!(text, format!("cannot serve: port 4599 is taken: {cause}"));
    }
}
