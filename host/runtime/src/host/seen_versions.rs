//! What a call has found under the keys that it looked at, so that it replaces exactly that and nothing newer.

use std::collections::VecDeque;

use stagehost_batch::{Case, Failure, KEY_MAX};

use crate::capability::{ObjectInfo, Replaces};

/// How many keys a call remembers. A rendition is looked at right before it is written.
const MAX_KEYS: usize = 256;
/// The longest entity tag that is remembered, in bytes.
const MAX_ETAG: usize = 256;

/// The keys that a call looked at last, with what was there.
#[derive(Default)]
pub(crate) struct SeenKeys(VecDeque<(String, Replaces)>);

impl SeenKeys {
    /// Remembers the answer to a request about `key`. An answer that says nothing about the object, such as a timeout,
    /// changes nothing.
    pub(crate) fn found(&mut self, key: &str, answer: Result<&ObjectInfo, &Failure>) {
        let there = match answer {
            Ok(info) if (1..=MAX_ETAG).contains(&info.etag.len()) => Replaces::Version(info.etag.clone()),
            Err(failure) if failure.case == Case::Missing => Replaces::Nothing,
            _ => return,
        };
        if key.len() > KEY_MAX {
            return;
        }
        self.0.retain(|(known, _)| known != key);
        if self.0.len() == MAX_KEYS {
            self.0.pop_front();
        }
        self.0.push_back((key.to_owned(), there));
    }

    /// Returns what a new object at `key` may replace.
    pub(crate) fn replaces(&self, key: &str) -> Replaces {
        self.0.iter().find(|(known, _)| known == key).map(|(_, there)| there.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(etag: &str) -> ObjectInfo {
        ObjectInfo { key: "k".into(), bytes: 1, etag: etag.into(), content_type: None, crc32: None, fingerprint: None }
    }

    #[test]
    fn the_last_answer_about_a_key_counts() {
        let mut seen = SeenKeys::default();
        assert_eq!(seen.replaces("k"), Replaces::Anything);
        seen.found("k", Err(&Failure::new(Case::Missing, "k")));
        assert_eq!(seen.replaces("k"), Replaces::Nothing);
        seen.found("k", Ok(&info("1")));
        seen.found("k", Err(&Failure::new(Case::Transient, "no answer")));
        assert_eq!(seen.replaces("k"), Replaces::Version("1".into()));
        assert_eq!(seen.replaces("other"), Replaces::Anything);
    }

    #[test]
    fn what_a_call_remembers_is_bounded() {
        let mut seen = SeenKeys::default();
        for number in 0..10_000 {
            seen.found(&number.to_string(), Ok(&info("1")));
        }
        seen.found(&"k".repeat(1 << 20), Ok(&info("1")));
        seen.found("long", Ok(&info(&"1".repeat(1 << 20))));
        assert_eq!(seen.0.len(), MAX_KEYS);
        assert_eq!(seen.replaces("9999"), Replaces::Version("1".into()));
        assert_eq!(seen.replaces("long"), Replaces::Anything);
    }
}
