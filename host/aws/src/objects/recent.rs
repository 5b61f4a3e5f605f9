//! What a call has just learnt of an object, so that it need not ask the store again.
//!
//! A stage that checks an upload asks for its size, has it digested, and then opens it to read its headers: of a photo
//! the first kilobytes, of a video perhaps the last. The digest has seen all of these bytes. Everything here is about
//! one version, named by its entity tag, so it cannot be out of date; it is handed out once.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use stagehost_runtime::capability::ObjectInfo;

/// Objects that are remembered: about twice as many as are checked at once.
const OBJECTS: usize = 32;
/// Bytes kept of an object's beginning; an EXIF preview and a colour profile fit.
const HEAD: usize = 128 * 1024;
/// Bytes kept of its end.
const TAIL: usize = 64 * 1024;

/// The beginning and the end of one version of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edges {
    head: Bytes,
    /// Where the tail begins.
    tail_at: u64,
    tail: Bytes,
}

impl Edges {
    /// `offset..end`, if it lies within one of them.
    pub(crate) fn get(&self, offset: u64, end: u64) -> Option<Bytes> {
        within(&self.head, 0, offset, end).or_else(|| within(&self.tail, self.tail_at, offset, end))
    }
}

fn within(bytes: &Bytes, begins: u64, offset: u64, end: u64) -> Option<Bytes> {
    let from = usize::try_from(offset.checked_sub(begins)?).ok()?;
    let to = usize::try_from(end.checked_sub(begins)?).ok()?;
    (from <= to && to <= bytes.len()).then(|| bytes.slice(from..to))
}

/// Keeps the edges of bytes that stream by.
#[derive(Default)]
pub(crate) struct EdgeKeeper {
    head: Vec<u8>,
    tail: Vec<u8>,
    seen: u64,
}

impl EdgeKeeper {
    pub(crate) fn add(&mut self, chunk: &[u8]) {
        let wanted = HEAD.saturating_sub(self.head.len()).min(chunk.len());
        self.head.extend_from_slice(&chunk[..wanted]);
        let last = &chunk[chunk.len().saturating_sub(TAIL)..];
        let stays = TAIL.saturating_sub(last.len()).min(self.tail.len());
        self.tail.drain(..self.tail.len() - stays);
        self.tail.extend_from_slice(last);
        self.seen += chunk.len() as u64;
    }

    pub(crate) fn finish(self) -> Edges {
        let tail_at = self.seen - self.tail.len() as u64;
        Edges { head: self.head.into(), tail_at, tail: self.tail.into() }
    }
}

/// The objects that were looked at last.
#[derive(Default)]
pub(crate) struct Recent(Mutex<VecDeque<(ObjectInfo, Option<Edges>)>>);

impl Recent {
    /// The store has just said this.
    pub(crate) fn seen(&self, info: &ObjectInfo) {
        let mut objects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        objects.retain(|(known, _)| known.key != info.key);
        if objects.len() == OBJECTS {
            objects.pop_front();
        }
        objects.push_back((info.clone(), None));
    }

    /// The bytes of this version have just been read.
    pub(crate) fn read(&self, key: &str, etag: &str, edges: Edges) {
        let mut objects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = objects.iter_mut().find(|(info, _)| info.key == key && info.etag == etag) {
            *known = Some(edges);
        }
    }

    /// What is known of this very version, if its bytes have been read.
    pub(crate) fn take(&self, key: &str, etag: &str) -> Option<(ObjectInfo, Edges)> {
        let mut objects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        fn what_the_edges_give_is_what_went_by(
            chunks in proptest::collection::vec(0usize..90_000, 0..6), offset in 0u64..400_000, len in 0u64..70_000,
        ) {
            let all: Vec<u8> = (0..chunks.iter().sum::<usize>()).map(|at| (at * 31 % 251) as u8).collect();
            let (mut keeper, mut rest) = (EdgeKeeper::default(), all.as_slice());
            for chunk in chunks {
                let (now, later) = rest.split_at(chunk);
                keeper.add(now);
                rest = later;
            }
            let edges = keeper.finish();
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
    fn only_the_version_that_was_read_is_handed_out_and_only_once() {
        let recent = Recent::default();
        recent.seen(&info("a", "1"));
        assert_eq!(recent.take("a", "1"), None, "none of its bytes were read");
        recent.read("a", "2", Edges::default());
        assert_eq!(recent.take("a", "2"), None, "nobody has seen that version");
        recent.read("a", "1", Edges::default());
        assert_eq!(recent.take("a", "2"), None);
        assert_eq!(recent.take("a", "1"), Some((info("a", "1"), Edges::default())));
        assert_eq!(recent.take("a", "1"), None);
    }

    #[test]
    fn old_ones_are_forgotten() {
        let recent = Recent::default();
        for at in 0..OBJECTS + 1 {
            recent.seen(&info(&at.to_string(), "1"));
            recent.read(&at.to_string(), "1", Edges::default());
        }
        assert_eq!(recent.take("0", "1"), None);
        assert!(recent.take("1", "1").is_some());
    }
}
