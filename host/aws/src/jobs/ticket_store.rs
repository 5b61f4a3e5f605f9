//! Writes tickets so that a try of a state never replaces the ticket of a later try.
//!
//! Step Functions may no longer wait for a call that still goes on, and have begun the state's next try with a new token. If
//! the earlier try replaced the ticket then, nobody would ever answer the new token.

use bytes::Bytes;
use stagehost_batch::{Case, Failure};
use stagehost_storage::{Found, Storage, StorageError};

use crate::jobs::ticket::Ticket;

/// How often a ticket is written that others change at the same time. A state has a few tries.
const WRITES: u32 = 8;

/// Writes a ticket under a name in the store. Returns `false` if a later try of the state has written its ticket.
///
/// Errors: `Transient` if the bucket does not answer.
pub(crate) async fn write(store: &dyn Storage, name: &str, ticket: &Ticket) -> Result<bool, Failure> {
    let failed = |error: StorageError| Failure::new(Case::Transient, error.to_string());
    let bytes = serde_json::to_vec(ticket)
        .map(Bytes::from)
        .map_err(|error| Failure::new(Case::Internal, format!("writing {}: {error}", store.place(name))))?;
    // A state is usually not tried before.
    if store.create(name, bytes.clone()).await.map_err(failed)?.is_some() {
        return Ok(true);
    }
    for _ in 0..WRITES {
        let written = match store.get(name, None).await.map_err(failed)? {
            // The answer to an earlier attempt was lost.
            Found::Found { bytes: there, .. } if there == bytes => return Ok(true),
            Found::Found { bytes: there, tag } => {
                let there = serde_json::from_slice::<Ticket>(&there);
                if there.is_ok_and(|there| there.attempt > ticket.attempt) {
                    return Ok(false);
                }
                store.replace(name, bytes.clone(), &tag).await
            }
            Found::Missing | Found::Unchanged => store.create(name, bytes.clone()).await,
        };
        if written.map_err(failed)?.is_some() {
            return Ok(true);
        }
    }
    Err(Failure::new(Case::Transient, format!("{} changes all the time", store.place(name))))
}
