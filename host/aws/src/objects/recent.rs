//! Remembers objects that were just looked up or hashed, so that S3 need not be asked again.
//!
//! A stage that checks an upload asks for its size, has it hashed, and then opens it to read its headers: the first
//! kilobytes of a photo, perhaps the last ones of a video. All of these bytes passed by while the object was hashed.
//! Everything here is about one version, named by its entity tag, so it cannot be outdated. It is returned once.

use std::collections::VecDeque;
use std::sync::Mutex;

use bytes::Bytes;
use stagehost_runtime::capability::ObjectInfo;

use stagehost_runtime::lock;

/// How many objects are remembered: about twice as many as are checked at the same time.
const MAX_OBJECTS: usize = 32;
/// How many bytes of an object's beginning are kept; an EXIF preview and a colour profile fit.
const HEAD: usize = 128 * 1024;
/// How many bytes of its end are kept.
const TAIL: usize = 64 * 1024;

/// What the edges of an object take in memory at most.
pub(crate) const EDGES_BYTES: usize = HEAD + TAIL;

/// The beginning and the end of one version of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edges {
    head: Bytes,
    /// The offset at which the tail begins.
    tail_at: u64,
    tail: Bytes,
}

impl Edges {
    /// Returns the bytes that they take in memory.
    pub(crate) fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// Returns the bytes of `offset..end` if they lie within the beginning or within the end.
    pub(crate) fn get(&self, offset: u64, end: u64) -> Option<Bytes> {
        within(&self.head, 0, offset, end).or_else(|| within(&self.tail, self.tail_at, offset, end))
    }
}

fn within(bytes: &Bytes, begins: u64, offset: u64, end: u64) -> Option<Bytes> {
    let from = usize::try_from(offset.checked_sub(begins)?).ok()?;
    let to = usize::try_from(end.checked_sub(begins)?).ok()?;
    (from <= to && to <= bytes.len()).then(|| bytes.slice(from..to))
}

/// Collects the edges of an object from its bytes in order.
#[derive(Default)]
pub(crate) struct EdgeCollector {
    head: Vec<u8>,
    tail: Vec<u8>,
    /// How many bytes have been added.
    total: u64,
}

impl EdgeCollector {
    pub(crate) fn add(&mut self, chunk: &[u8]) {
        let wanted = HEAD.saturating_sub(self.head.len()).min(chunk.len());
        self.head.extend_from_slice(&chunk[..wanted]);
        let last = &chunk[chunk.len().saturating_sub(TAIL)..];
        let stays = TAIL.saturating_sub(last.len()).min(self.tail.len());
        self.tail.drain(..self.tail.len() - stays);
        self.tail.extend_from_slice(last);
        self.total += chunk.len() as u64;
    }

    pub(crate) fn finish(self) -> Edges {
        let tail_at = self.total - self.tail.len() as u64;
        Edges { head: self.head.into(), tail_at, tail: self.tail.into() }
    }
}

/// The objects that were looked up or hashed last.
#[derive(Default)]
pub(crate) struct RecentObjects(Mutex<VecDeque<(ObjectInfo, Option<Edges>)>>);

impl RecentObjects {
    /// Remembers what S3 has just answered about an object.
    pub(crate) fn add(&self, info: &ObjectInfo) {
        let mut objects = lock(&self.0);
        objects.retain(|(known, _)| known.key != info.key);
        if objects.len() == MAX_OBJECTS {
            objects.pop_front();
        }
        objects.push_back((info.clone(), None));
    }

    /// Remembers the edges of a version that has just been hashed.
    pub(crate) fn add_edges(&self, key: &str, etag: &str, edges: Edges) {
        let mut objects = lock(&self.0);
        if let Some((_, known)) = objects.iter_mut().find(|(info, _)| info.key == key && info.etag == etag) {
            *known = Some(edges);
        }
    }

    /// Takes out what is known of exactly this version, if it has been hashed.
    pub(crate) fn take(&self, key: &str, etag: &str) -> Option<(ObjectInfo, Edges)> {
        let mut objects = lock(&self.0);
        let at = objects.iter().position(|(info, edges)| info.key == key && info.etag == etag && edges.is_some())?;
        let (info, edges) = objects.remove(at)?;
        Some((info, edges?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn info(key: &str, etag: &str) -> ObjectInfo {
        let (key, etag) = (key.to_owned(), etag.to_owned());
        ObjectInfo { key, bytes: 1, etag, content_type: None, crc32: None, fingerprint: None }
    }

    proptest! {
        #[test]
        fn edges_return_exactly_the_bytes_that_were_added(
            chunks in proptest::collection::vec(0usize..90_000, 0..6), offset in 0u64..400_000, len in 0u64..70_000,
        ) {
            let all: Vec<u8> = (0..chunks.iter().sum::<usize>()).map(|at| (at * 31 % 251) as u8).collect();
            let (mut collector, mut rest) = (EdgeCollector::default(), all.as_slice());
            for chunk in chunks {
                let (now, later) = rest.split_at(chunk);
                collector.add(now);
                rest = later;
            }
            let edges = collector.finish();
            let total = all.len() as u64;
            let end = offset + len;
            let kept = end <= total.min(HEAD as u64) || (end <= total && offset >= total.saturating_sub(TAIL as u64));
            let got = edges.get(offset, end);
            prop_assert_eq!(got.is_some(), kept);
            if let Some(got) = got {
                prop_assert_eq!(&got[..], &all[offset as usize..end as usize]);
            }
        }
    }

    #[test]
    fn only_the_version_that_was_hashed_is_returned_and_only_once() {
        let recent = RecentObjects::default();
        recent.add(&info("a", "1"));
        assert_eq!(recent.take("a", "1"), None, "it was not hashed");
        recent.add_edges("a", "2", Edges::default());
        assert_eq!(recent.take("a", "2"), None, "that version was not looked up");
        recent.add_edges("a", "1", Edges::default());
        assert_eq!(recent.take("a", "2"), None);
        assert_eq!(recent.take("a", "1"), Some((info("a", "1"), Edges::default())));
        assert_eq!(recent.take("a", "1"), None);
    }

    #[test]
    fn the_oldest_objects_are_forgotten() {
        let recent = RecentObjects::default();
        for at in 0..MAX_OBJECTS + 1 {
            recent.add(&info(&at.to_string(), "1"));
            recent.add_edges(&at.to_string(), "1", Edges::default());
        }
        assert_eq!(recent.take("0", "1"), None);
        assert!(recent.take("1", "1").is_some());
    }
}
