//! The host memory of one call: every buffer that the host holds for a guest is charged to it before it is filled, and
//! refused by name if it does not fit.
//!
//! A call has all of its host memory, 16 to 32 MiB by `World::host_memory_mib`, from the beginning (see `admission`), so
//! nothing in it waits for another call, and calls cannot block each other. A part of it is set aside for what cannot be
//! charged one by one: the guest's stack, handles, and the arguments or the answer of one host call, of which there is one
//! at a time.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use stagehost_batch::{Case, Failure};
use tokio::sync::Notify;

use crate::lock::lock;

/// The most bytes that one host call, or the answer, may take out of a guest: 4 MiB of content, and texts beside it. A
/// list may refer to the same guest bytes many times, so the guest's memory limit does not bound this.
pub(crate) const MAX_LIFTED: usize = (4 << 20) + (256 << 10);

/// What is set aside for every call: its stacks (2 MiB), handles and the end of its output; and [`MAX_LIFTED`] or the
/// result of a read, whichever is more. A list of texts of one byte takes 2.25 times what is counted, because each text
/// is an allocation of 32 bytes.
const SET_ASIDE: usize = (5 << 19) + MAX_LIFTED / 4 * 9;

/// What the host may hold for one call. Clones share it.
#[derive(Clone, Debug)]
pub struct HostBudget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: usize,
    held: Mutex<Held>,
    /// Woken when something in transit is freed.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Held {
    bytes: usize,
    /// Bytes on their way to the store, which are a part of it and are freed without a further step of the guest.
    in_transit: usize,
}

impl HostBudget {
    /// Returns the budget of one call with `mib` MiB of host memory.
    pub fn of_call(mib: u32) -> Self {
        Self::new((mib as usize) << 20, SET_ASIDE)
    }

    /// Returns a budget that refuses nothing, for the host's own work.
    pub fn unlimited() -> Self {
        Self::new(usize::MAX, 0)
    }

    fn new(limit: usize, set_aside: usize) -> Self {
        let held = Mutex::new(Held { bytes: set_aside, in_transit: 0 });
        Self(Arc::new(Shared { limit, held, freed: Notify::new() }))
    }

    /// Charges bytes if they fit and `leaving` bytes are still free afterwards; `None` otherwise. For buffers that only
    /// make things faster.
    pub fn try_charge(&self, bytes: usize, leaving: usize) -> Option<Charge> {
        let mut held = lock(&self.0.held);
        let after = held.bytes.checked_add(bytes)?;
        (after.checked_add(leaving)? <= self.0.limit).then(|| {
            held.bytes = after;
            Charge { budget: self.clone(), bytes, in_transit: false }
        })
    }

    /// Charges bytes. `what` names them in the message.
    ///
    /// # Errors
    /// `TooLarge` if they do not fit.
    pub fn charge(&self, bytes: usize, what: &str) -> Result<Charge, Failure> {
        self.try_charge(bytes, 0).ok_or_else(|| self.refusal(bytes, what))
    }

    /// Charges bytes as soon as they fit. Waits only while bytes of this call are on their way to the store.
    ///
    /// # Errors
    /// `TooLarge` if they do not fit when nothing is on its way any more.
    pub async fn charge_in_turn(&self, bytes: usize, what: &str) -> Result<Charge, Failure> {
        loop {
            let mut freed = std::pin::pin!(self.0.freed.notified());
            // Listens before it looks, so that nothing is freed unnoticed in between.
            freed.as_mut().enable();
            if let Some(charge) = self.try_charge(bytes, 0) {
                return Ok(charge);
            }
            if lock(&self.0.held).in_transit == 0 {
                // The last bytes may have arrived since the attempt.
                return self.charge(bytes, what);
            }
            freed.await;
        }
    }

    /// Returns how many bytes are held, those set aside included.
    pub fn held(&self) -> usize {
        lock(&self.0.held).bytes
    }

    fn refusal(&self, bytes: usize, what: &str) -> Failure {
        let message = format!(
            "the host holds at most {} MiB for one call of this stage: {bytes} bytes for {what} do not fit beside the {} \
             bytes that it holds already; keep fewer objects open or use smaller pieces",
            self.0.limit >> 20,
            self.held()
        );
        Failure::new(Case::TooLarge, message)
    }
}

/// Bytes that are charged to a budget until this is dropped.
#[derive(Debug)]
#[must_use = "dropping it frees the bytes"]
pub struct Charge {
    budget: HostBudget,
    bytes: usize,
    in_transit: bool,
}

impl Charge {
    /// Returns a charge of no bytes, to [`absorb`](Self::absorb) others.
    pub fn none(budget: &HostBudget) -> Self {
        Self { budget: budget.clone(), bytes: 0, in_transit: false }
    }

    /// Adds another charge of the same budget to this one.
    pub fn absorb(&mut self, mut other: Charge) {
        debug_assert!(!self.in_transit && !other.in_transit, "bytes in transit are not charged for anything else");
        self.bytes += std::mem::take(&mut other.bytes);
    }

    /// Returns these bytes with the charge attached: it ends when the last clone of them is dropped.
    pub fn attach(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Charged { bytes, _charge: self })
    }

    /// Returns these bytes as [`attach`](Self::attach) does, and notes that they are in transit: they are sent and
    /// freed without a further step of the guest.
    pub fn attach_in_transit(mut self, bytes: Bytes) -> Bytes {
        lock(&self.budget.0.held).in_transit += self.bytes;
        self.in_transit = true;
        self.attach(bytes)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let mut held = lock(&self.budget.0.held);
        held.bytes = held.bytes.saturating_sub(self.bytes);
        if self.in_transit {
            held.in_transit = held.in_transit.saturating_sub(self.bytes);
            drop(held);
            self.budget.0.freed.notify_waiters();
        }
    }
}

struct Charged {
    bytes: Bytes,
    // After `bytes`: fields are dropped in order.
    _charge: Charge,
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    const MIB: usize = 1 << 20;

    fn budget() -> HostBudget {
        HostBudget::new(10 * MIB, 2 * MIB)
    }

    #[test]
    fn bytes_are_charged_until_the_last_clone_of_them_is_dropped() {
        let budget = budget();
        let charge = budget.charge(3 * MIB, "a part").unwrap();
        let bytes = charge.attach(Bytes::from(vec![7; 3 * MIB]));
        let slice = bytes.slice(..10);
        drop(bytes);
        assert_eq!((&slice[..], budget.held()), (&[7; 10][..], 5 * MIB));
        drop(slice);
        assert_eq!(budget.held(), 2 * MIB);
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name_and_changes_nothing() {
        let budget = budget();
        let _held = budget.charge(7 * MIB, "a part").unwrap();
        let refused = budget.charge(2 * MIB, "read-ahead").unwrap_err();
        assert_eq!(refused.case, Case::TooLarge);
        assert!(refused.message.contains("at most 10 MiB"), "{refused}");
        assert!(refused.message.contains("2097152 bytes for read-ahead"), "{refused}");
        assert_eq!(budget.held(), 9 * MIB);
        assert!(budget.charge(usize::MAX, "everything").is_err());
        assert!(budget.charge(MIB, "the rest").is_ok());
    }

    #[test]
    fn an_optional_buffer_leaves_the_room_that_it_is_asked_to_leave() {
        let budget = budget();
        assert!(budget.try_charge(3 * MIB, 6 * MIB).is_none());
        assert!(budget.try_charge(3 * MIB, 5 * MIB).is_some());
        assert!(budget.try_charge(1, usize::MAX).is_none());
    }

    #[test]
    fn absorbed_charges_end_together() {
        let budget = budget();
        let mut all = Charge::none(&budget);
        all.absorb(budget.charge(MIB, "one").unwrap());
        all.absorb(budget.charge(MIB, "two").unwrap());
        assert_eq!(budget.held(), 4 * MIB);
        drop(all);
        assert_eq!(budget.held(), 2 * MIB);
    }

    #[tokio::test]
    async fn a_charge_waits_for_bytes_in_transit_and_for_nothing_else() {
        let budget = budget();
        let kept = budget.charge(4 * MIB, "kept").unwrap();
        assert!(budget.charge_in_turn(5 * MIB, "more").await.is_err(), "nothing is on its way");
        let sent = budget.charge(4 * MIB, "a part").unwrap().attach_in_transit(Bytes::from_static(b"part"));
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.charge_in_turn(4 * MIB, "the next part").await }
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(!waiting.is_finished());
        drop(sent);
        let charged = waiting.await.unwrap().unwrap();
        assert_eq!(budget.held(), 10 * MIB);
        drop((kept, charged));
    }

    #[test]
    fn the_host_s_own_work_is_not_limited() {
        let budget = HostBudget::unlimited();
        assert!(budget.charge(1 << 40, "a lot").is_ok());
        assert_eq!(budget.held(), 0);
    }
}
