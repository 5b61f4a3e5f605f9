//! The events of a history, with as many of their documents as a page may hold in memory.

use crate::source::executions::PastEvent;

/// How many bytes of documents are kept of one history. 25,000 events could have 256 KiB each.
const MOST_BYTES: usize = 64 << 20;

/// Events in their order. Those that came first lose their documents, if there are too many: a page shows the newest batch.
pub(super) struct KeptEvents {
    events: Vec<PastEvent>,
    bytes: usize,
    most: usize,
    /// All events before this place have lost their documents.
    oldest: usize,
}

impl Default for KeptEvents {
    fn default() -> Self {
        Self { events: Vec::new(), bytes: 0, most: MOST_BYTES, oldest: 0 }
    }
}

impl KeptEvents {
    /// Adds an event.
    pub(super) fn push(&mut self, event: PastEvent) {
        self.bytes += length(&event);
        self.events.push(event);
        while self.bytes > self.most
            && let Some(event) = self.events.get_mut(self.oldest)
        {
            self.bytes -= length(event);
            event.left_out |= event.input.take().is_some() | event.output.take().is_some();
            self.oldest += 1;
        }
    }

    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// Returns all.
    pub(super) fn into_events(self) -> Vec<PastEvent> {
        self.events
    }
}

fn length(event: &PastEvent) -> usize {
    [&event.input, &event.output].into_iter().flatten().map(String::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_events_lose_their_documents_if_there_are_too_many() {
        let mut kept = KeptEvents { most: 10, ..KeptEvents::default() };
        for (id, text) in [(1, "aaaa"), (2, ""), (3, "bbbb"), (4, "cccc")] {
            let input = Some(text.to_owned()).filter(|text| !text.is_empty());
            kept.push(PastEvent { id, input, ..PastEvent::default() });
        }
        assert_eq!(kept.len(), 4);
        let events = kept.into_events();
        let left: Vec<_> = events.iter().map(|event| (event.input.as_deref(), event.left_out)).collect();
        assert_eq!(left, [(None, true), (None, false), (Some("bbbb"), false), (Some("cccc"), false)]);
    }

    #[test]
    fn a_document_that_is_too_long_alone_is_left_out() {
        let mut kept = KeptEvents { most: 3, ..KeptEvents::default() };
        kept.push(PastEvent { output: Some("aaaa".into()), ..PastEvent::default() });
        assert!(kept.into_events().iter().all(|event| event.output.is_none() && event.left_out));
    }
}
