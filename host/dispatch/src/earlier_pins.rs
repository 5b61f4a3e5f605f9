//! Earlier revisions, kept in memory for executions that began with them.

use std::collections::VecDeque;
use std::sync::Arc;

use stagehost_pins::Pins;

/// How many are kept.
const KEPT: usize = 8;

/// The earlier revisions that were used last.
#[derive(Default)]
pub(crate) struct EarlierPins {
    /// The one that was used last is at the back.
    kept: VecDeque<Arc<Pins>>,
}

impl EarlierPins {
    /// Returns a revision, if it is kept.
    pub(crate) fn get(&mut self, revision: u64) -> Option<Arc<Pins>> {
        let pins = self.remove(revision)?;
        self.kept.push_back(pins.clone());
        Some(pins)
    }

    /// Keeps a revision, in place of the one that was not used for the longest time.
    pub(crate) fn keep(&mut self, pins: Arc<Pins>) {
        self.remove(pins.revision);
        self.kept.push_back(pins);
        while self.kept.len() > KEPT {
            self.kept.pop_front();
        }
    }

    /// Forgets a revision, and returns it if it was kept.
    pub(crate) fn remove(&mut self, revision: u64) -> Option<Arc<Pins>> {
        let place = self.kept.iter().position(|pins| pins.revision == revision)?;
        self.kept.remove(place)
    }

    /// Returns all of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Pins>> {
        self.kept.iter()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn pins(revision: u64) -> Arc<Pins> {
        let text = format!(r#"{{"revision": {revision}, "states": {{}}}}"#);
        Arc::new(Pins::parse(text.as_bytes(), "test").unwrap())
    }

    fn kept(earlier: &EarlierPins) -> Vec<u64> {
        earlier.iter().map(|pins| pins.revision).collect()
    }

    #[test]
    fn a_revision_that_was_just_put_in_is_kept_although_it_is_the_oldest() {
        let mut earlier = EarlierPins::default();
        (100..110).for_each(|revision| earlier.keep(pins(revision)));
        earlier.keep(pins(1));
        assert_eq!(earlier.get(1).unwrap().revision, 1);
        assert_eq!(kept(&earlier), [103, 104, 105, 106, 107, 108, 109, 1]);
    }

    #[test]
    fn the_revision_that_was_not_used_for_the_longest_time_makes_room() {
        let mut earlier = EarlierPins::default();
        (1..=8).for_each(|revision| earlier.keep(pins(revision)));
        earlier.get(1).unwrap();
        earlier.keep(pins(9));
        assert!(earlier.get(2).is_none());
        assert_eq!(kept(&earlier), [3, 4, 5, 6, 7, 8, 1, 9]);
        earlier.keep(pins(5));
        assert_eq!(kept(&earlier), [3, 4, 6, 7, 8, 1, 9, 5], "no revision is kept twice");
    }
}
