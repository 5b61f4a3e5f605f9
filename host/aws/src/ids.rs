//! Ids that are derived from what they identify, so that a repeated attempt gets the same ids.

use sha2::{Digest as _, Sha256};

/// Returns the SHA-256 of texts in lower-case hexadecimal. Each text is hashed after its length, so that different
/// lists never give the same bytes.
pub(crate) fn hash<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut sha256 = Sha256::new();
    for text in texts {
        sha256.update((text.len() as u64).to_be_bytes());
        sha256.update(text);
    }
    hex::encode(sha256.finalize())
}

/// Returns the id of the ticket of a waiting state: 64 hexadecimal digits.
pub fn ticket_id(execution: &str, state: &str) -> String {
    hash(["ticket", execution, state])
}

/// The prefix of all tickets.
pub(crate) const TICKETS: &str = "pipeline/tickets/";

/// Returns the key of the ticket with this id.
pub fn ticket_key(id: &str) -> String {
    format!("{TICKETS}{id}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_id_is_the_same_for_all_attempts_and_different_for_each_state_and_execution() {
        assert_eq!(ticket_id("arn:e", "ProcessVideos"), ticket_id("arn:e", "ProcessVideos"));
        assert_ne!(ticket_id("arn:e", "ProcessVideos"), ticket_id("arn:f", "ProcessVideos"));
        assert_ne!(ticket_id("arn:e", "ProcessVideos"), ticket_id("arn:eP", "rocessVideos"));
    }
}
