//! Writes tickets so that a try of a state never replaces the ticket of a later try.
//!
//! Step Functions may no longer wait for a call that still goes on, and have begun the state's next try with a new token. If
//! the earlier try replaced the ticket then, nobody would ever answer the new token. Tries are ordered by their numbers, which
//! begin again from zero when an execution is redriven; so a later number counts only while somebody waits with its token.

use bytes::Bytes;
use stagehost_batch::{Case, Failure};
use stagehost_storage::{Found, Storage, StorageError};

use crate::jobs::ticket::Ticket;

/// How many times a write is tried while others change the ticket at the same time. A state has a few tries only.
const MAX_WRITES: u32 = 8;

/// Writes a ticket under a name in the store. If there is the ticket of a later try, it stays and is returned, unless its
/// token is `gone`: nobody waits with that any more.
///
/// Errors: `Transient` if the bucket does not answer.
pub(crate) async fn write(
    store: &dyn Storage,
    name: &str,
    ticket: &Ticket,
    gone: Option<&str>,
) -> Result<Option<Ticket>, Failure> {
    let failed = |error: StorageError| Failure::new(Case::Transient, error.to_string());
    let bytes = serde_json::to_vec(ticket)
        .map(Bytes::from)
        .map_err(|error| Failure::new(Case::Internal, format!("writing {}: {error}", store.place(name))))?;
    // A state is usually not tried before.
    if store.create(name, bytes.clone()).await.map_err(failed)?.is_some() {
        return Ok(None);
    }
    for _ in 0..MAX_WRITES {
        let written = match store.get(name, None).await.map_err(failed)? {
            // The answer to an earlier attempt was lost.
            Found::Found { bytes: there, .. } if there == bytes => return Ok(None),
            Found::Found { bytes: there, tag } => {
                let there = serde_json::from_slice::<Ticket>(&there).ok();
                let later = |there: &Ticket| there.attempt > ticket.attempt && gone != Some(there.task_token.as_str());
                if let Some(later) = there.filter(later) {
                    return Ok(Some(later));
                }
                store.replace(name, bytes.clone(), &tag).await
            }
            Found::Missing | Found::Unchanged => store.create(name, bytes.clone()).await,
        };
        if written.map_err(failed)?.is_some() {
            return Ok(None);
        }
    }
    Err(Failure::new(Case::Transient, format!("{} changes all the time", store.place(name))))
}
