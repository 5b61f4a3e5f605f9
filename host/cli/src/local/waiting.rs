//! States that wait for transcoding jobs, and what happens if their ticket is lost.
//!
//! The host keeps a waiting state's token in a ticket in the bucket, which here is a folder that a person can delete at any
//! time. Nobody could end the state then before its heartbeat is missed, fifteen minutes later. So this process remembers
//! the tokens, too: when a job ends and the ticket of its state is not there, the state fails at once.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Mutex;

use serde::Deserialize;
use stagehost_asl::TokenBoard;
use stagehost_aws::{JobReport, ticket_id, ticket_key};
use stagehost_runtime::lock;

/// The error of a state whose ticket is lost.
const LOST: &str = "Host.TicketLost";

/// The states of this process that wait for jobs.
pub(super) struct WaitingStates {
    /// The bucket as a folder.
    bucket: PathBuf,
    tokens: TokenBoard,
    /// By the ids of their tickets.
    known: Mutex<HashMap<String, Waiting>>,
}

struct Waiting {
    state: String,
    token: String,
    /// Whether the state's invocation has succeeded, so that its ticket was in the bucket.
    opened: bool,
}

/// The parts of an invocation by a waiting state.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    state: String,
    execution: Arn,
    task_token: String,
}

#[derive(Deserialize)]
struct Arn {
    arn: String,
}

impl WaitingStates {
    pub(super) fn new(bucket: PathBuf, tokens: TokenBoard) -> Self {
        Self { bucket, tokens, known: Mutex::default() }
    }

    /// Notes an invocation before it is handled. Returns the id of its ticket if it is by a waiting state.
    pub(super) fn invoked(&self, payload: &[u8]) -> Option<String> {
        let Invocation { state, execution, task_token: token } = serde_json::from_slice(payload).ok()?;
        let id = ticket_id(&execution.arn, &state);
        lock(&self.known).insert(id.clone(), Waiting { state, token, opened: false });
        Some(id)
    }

    /// Notes that an invocation by a waiting state was handled. If it succeeded, the state's ticket is in the bucket, or its
    /// jobs have ended meanwhile.
    pub(super) fn handled(&self, id: &str, succeeded: bool) {
        let mut known = lock(&self.known);
        match known.get_mut(id) {
            Some(waiting) if succeeded => waiting.opened = true,
            _ => drop(known.remove(id)),
        }
    }

    /// Fails the state that waits for a job whose final event has been handled, if its ticket is lost. Returns whether it
    /// did.
    pub(super) fn job_ended(&self, payload: &[u8]) -> bool {
        let Ok(event) = serde_json::from_slice(payload) else { return false };
        let Ok(JobReport { ticket: Some(id), status, .. }) = JobReport::from_event(&event) else { return false };
        if !status.is_final() || self.bucket.join(ticket_key(&id)).is_file() {
            return false;
        }
        let waiting = {
            let mut known = lock(&self.known);
            if !known.get(&id).is_some_and(|waiting| waiting.opened) {
                return false;
            }
            known.remove(&id)
        };
        // Also after the state has ended: then its token is not accepted any more.
        let Some(Waiting { state, token, .. }) = waiting else { return false };
        let cause = format!(
            "the ticket of {state} is not in the bucket any more, so nobody could tell the state how its jobs ended: \
             {} was deleted while they ran",
            self.bucket.display()
        );
        let lost = self.tokens.send_failure(&token, Some(LOST.to_owned()), Some(cause.clone())).is_ok();
        if lost {
            tracing::error!(state, cause, "a waiting state has lost its ticket");
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:states:us-east-1:000000000000:execution:m:e";

    fn ended(status: &str) -> Vec<u8> {
        let metadata = json!({"ticket": ticket_id(ARN, "ProcessVideos"), "listing": "1"});
        let detail = json!({"jobId": "1700000000000-abc123", "status": status, "userMetadata": metadata});
        let kind = "MediaConvert Job State Change";
        json!({"source": "aws.mediaconvert", "detail-type": kind, "detail": detail}).to_string().into()
    }

    fn waiting() -> (WaitingStates, tempfile::TempDir) {
        let bucket = tempfile::tempdir().unwrap();
        let states = WaitingStates::new(bucket.path().to_owned(), TokenBoard::new());
        let invocation = json!({"state": "ProcessVideos", "execution": {"arn": ARN}, "taskToken": "t", "batch": {}});
        let id = states.invoked(invocation.to_string().as_bytes()).unwrap();
        states.handled(&id, true);
        (states, bucket)
    }

    #[test]
    fn a_state_with_a_ticket_is_left_to_it() {
        let (states, bucket) = waiting();
        let file = bucket.path().join(ticket_key(&ticket_id(ARN, "ProcessVideos")));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "{}").unwrap();
        states.job_ended(&ended("COMPLETE"));
        assert_eq!(lock(&states.known).len(), 1);
    }

    #[test]
    fn only_a_final_event_of_a_known_ticket_ends_a_state() {
        let (states, _bucket) = waiting();
        for event in [ended("STATUS_UPDATE"), b"{}".to_vec(), b"no json".to_vec()] {
            assert!(!states.job_ended(&event));
            assert_eq!(lock(&states.known).len(), 1);
        }
        states.job_ended(&ended("ERROR"));
        assert!(lock(&states.known).is_empty(), "its token was used");
    }
}
