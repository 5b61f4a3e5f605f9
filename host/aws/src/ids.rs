//! Ids that are derived from what they identify, so that a repeated attempt gets the same ids.

use stagehost_batch::list_digest;

/// Returns the id of the ticket of a waiting state: 64 hexadecimal digits.
pub fn ticket_id(execution: &str, state: &str) -> String {
    list_digest(["ticket", execution, state])
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
