//! Removes secrets from log lines, as the last step before they are written.
//!
//! The host's code logs no secret. But failure messages quote other services and stages, which may quote a presigned
//! URL.

use std::borrow::Cow;
use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

/// What precedes a value that gives access, in lower case: parts of presigned URLs and of signatures, and the
/// callback's secret.
const MARKERS: [&str; 5] = ["signature=", "credential=", "security-token=", "whsec_", "awsaccesskeyid="];

/// Returns `text` with `…` in place of every value that gives access.
pub(crate) fn scrub(text: &str) -> Cow<'_, str> {
    // Has the same length as `text`, because only ASCII letters change.
    let lower = text.to_ascii_lowercase();
    let next = |from: usize| {
        let found = MARKERS.iter().filter_map(|marker| Some(lower[from..].find(marker)? + marker.len()));
        found.min().map(|past| from + past)
    };
    let Some(mut value) = next(0) else { return Cow::Borrowed(text) };
    let (mut clean, mut copied) = (String::with_capacity(text.len()), 0);
    loop {
        clean.push_str(&text[copied..value]);
        clean.push('…');
        let length = text[value..].find(ends_a_value).unwrap_or(text.len() - value);
        copied = value + length;
        match next(copied) {
            Some(following) => value = following,
            None => break,
        }
    }
    clean.push_str(&text[copied..]);
    Cow::Owned(clean)
}

fn ends_a_value(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '\\' | '&' | '<' | '>' | ',' | ';' | '(' | ')' | '{' | '}')
}

/// Makes writers that scrub each line. tracing-subscriber writes whole lines.
pub(crate) struct Scrubbed<M>(pub(crate) M);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Scrubbed<M> {
    type Writer = ScrubbedWriter<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        ScrubbedWriter(self.0.make_writer())
    }
}

pub(crate) struct ScrubbedWriter<W>(W);

impl<W: Write> Write for ScrubbedWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(scrub(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_presigned_url_loses_its_credentials_and_signature_and_keeps_the_rest() {
        let url = "https://b.s3.amazonaws.com/51/raw/a.jpg?X-Amz-Credential=AKIA%2F1&X-Amz-Expires=60\
                   &X-Amz-Security-Token=IQoJ&X-Amz-Signature=fe5f80";
        assert_eq!(
            scrub(&format!("GET {url} failed")),
            "GET https://b.s3.amazonaws.com/51/raw/a.jpg?X-Amz-Credential=…&X-Amz-Expires=60\
             &X-Amz-Security-Token=…&X-Amz-Signature=… failed"
        );
    }

    #[test]
    fn the_callback_secret_and_a_signature_in_a_header_are_removed() {
        assert_eq!(scrub(r#"{"message":"whsec_MfKQ9r8GKYq+/="}"#), r#"{"message":"whsec_…"}"#);
        assert_eq!(
            scrub("AWS4-HMAC-SHA256 Credential=AKIA/x, SignedHeaders=host, Signature=fe5f"),
            "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=host, Signature=…"
        );
    }

    proptest! {
        #[test]
        fn text_without_a_marker_stays_unchanged(text in "[^=_]*") {
            prop_assert_eq!(scrub(&text), text.as_str());
        }

        #[test]
        fn a_value_after_a_marker_is_removed_at_any_position(before in ".{0,20}", value in "[a-z0-9]{8}", after in "(&.{0,20})?") {
            prop_assume!(!before.contains(&value) && !after.contains(&value));
            let text = format!("{before}X-Amz-Signature={value}{after}");
            prop_assert!(!scrub(&text).contains(&value));
        }
    }
}
