//! Which stored objects a call knows of from the host, so that a rendition is only believed if it is stored.

use std::collections::HashSet;
use std::hash::BuildHasher as _;

use crate::budget::{Charge, HostBudget};

/// How many objects a call may know of. Only two hashes of each are kept; they fit into a table of 2^18 places of nine
/// bytes, 2.25 MiB. A batch of 2,000 files with ten renditions each needs a quarter of it.
const MAX_OBJECTS: usize = 7 << 14;
/// The hashes in the first table, of 128 places. Of each eight places seven are used, and a table that is full is replaced by
/// one of twice the size.
const FIRST_TABLE: usize = 7 << 4;

/// The stored objects that the host has told a call of: those of its input, and those that it wrote, looked at, opened or listed.
#[derive(Default)]
pub(crate) struct KnownObjects {
    /// Hashes with a key that the guest cannot know. One for the object's key, one for the key with the entity tag.
    hashes: HashSet<u64>,
    /// The memory of the table.
    charge: Option<Charge>,
}

impl KnownObjects {
    /// Remembers an object, if there is room for it in the call's budget.
    pub(crate) fn add(&mut self, budget: &HostBudget, key: &str, etag: &str) {
        if self.hashes.len() + 2 <= 2 * MAX_OBJECTS && self.has_room(budget) {
            self.hashes.insert(self.hash(key, None));
            self.hashes.insert(self.hash(key, Some(etag)));
        }
    }

    /// Returns whether there is room for two more hashes. Makes it if the budget allows.
    fn has_room(&mut self, budget: &HostBudget) -> bool {
        if self.hashes.len() + 2 <= self.hashes.capacity() {
            return true;
        }
        let wanted = FIRST_TABLE.max(2 * self.hashes.capacity());
        // Both tables are there while the hashes move; the old one is charged until then.
        let Some(charge) = budget.try_charge(wanted / 7 * 8 * 9, 0) else { return false };
        self.hashes.reserve(wanted - self.hashes.len());
        self.charge = Some(charge);
        true
    }

    /// Forgets an object that the call has deleted.
    pub(crate) fn remove(&mut self, key: &str, etag: &str) {
        for hash in [self.hash(key, None), self.hash(key, Some(etag))] {
            self.hashes.remove(&hash);
        }
    }

    /// Returns whether the call knows of an object at this key; with an entity tag, of one that has it.
    pub(crate) fn contains(&self, key: &str, etag: Option<&str>) -> bool {
        // The key as well: with an object that was deleted, its earlier versions are gone.
        [None, etag].into_iter().all(|etag| self.hashes.contains(&self.hash(key, etag)))
    }

    fn hash(&self, key: &str, etag: Option<&str>) -> u64 {
        self.hashes.hasher().hash_one((key, etag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_known_by_its_key_and_by_its_entity_tag() {
        let (mut known, budget) = (KnownObjects::default(), HostBudget::of_call(16));
        known.add(&budget, "51/thumb/a.jpg", "1");
        assert!(known.contains("51/thumb/a.jpg", None) && known.contains("51/thumb/a.jpg", Some("1")));
        assert!(!known.contains("51/thumb/a.jpg", Some("2")) && !known.contains("51/thumb/b.jpg", None));
        known.remove("51/thumb/a.jpg", "1");
        assert!(!known.contains("51/thumb/a.jpg", None) && !known.contains("51/thumb/a.jpg", Some("1")));
    }

    #[test]
    fn no_version_of_an_object_that_was_deleted_is_known() {
        let (mut known, budget) = (KnownObjects::default(), HostBudget::of_call(16));
        known.add(&budget, "51/thumb/a.jpg", "1");
        known.add(&budget, "51/thumb/a.jpg", "2");
        known.remove("51/thumb/a.jpg", "2");
        assert!(!known.contains("51/thumb/a.jpg", Some("1")));
    }

    #[test]
    fn what_a_call_knows_is_bounded() {
        let (mut known, budget) = (KnownObjects::default(), HostBudget::of_call(16));
        for number in 0..2 * MAX_OBJECTS {
            known.add(&budget, &number.to_string(), "1");
        }
        assert_eq!(known.hashes.len(), 2 * MAX_OBJECTS);
        assert_eq!(known.hashes.capacity(), 2 * MAX_OBJECTS, "the table is no larger than what is charged for it");
    }

    #[test]
    fn what_does_not_fit_into_the_budget_is_not_remembered() {
        let (mut known, budget) = (KnownObjects::default(), HostBudget::of_call(16));
        let _rest = (0..24).rev().filter_map(|bit| budget.try_charge(1 << bit, 0)).collect::<Vec<_>>();
        known.add(&budget, "51/thumb/a.jpg", "1");
        assert!(!known.contains("51/thumb/a.jpg", None));
    }
}
