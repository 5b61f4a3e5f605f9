//! Names that are derived from what they stand for, so that a repeated attempt arrives at the same ones.

use sha2::{Digest as _, Sha256};

/// SHA-256 over texts, each with its length in front so that no two lists run together; lower-case hexadecimal.
pub(crate) fn hash<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut sha256 = Sha256::new();
    for text in texts {
        sha256.update((text.len() as u64).to_be_bytes());
        sha256.update(text);
    }
    hex::encode(sha256.finalize())
}

/// The id of the one ticket that a waiting state of an execution has: 64 hexadecimal digits.
pub fn ticket_id(execution: &str, state: &str) -> String {
    hash(["ticket", execution, state])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_the_same_over_attempts_and_another_for_each_state_and_execution() {
        assert_eq!(ticket_id("arn:e", "ProcessVideos"), ticket_id("arn:e", "ProcessVideos"));
        assert_ne!(ticket_id("arn:e", "ProcessVideos"), ticket_id("arn:f", "ProcessVideos"));
        assert_ne!(ticket_id("arn:e", "ProcessVideos"), ticket_id("arn:eP", "rocessVideos"));
    }
}
