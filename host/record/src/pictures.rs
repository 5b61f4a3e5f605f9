//! Pictures that a candidate made otherwise than the stage in service, kept so that people can compare them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::budget::Share;

/// The media types that are kept, each with the ending of its name: what browsers show.
const TYPES: [(&str, &str); 5] =
    [("image/jpeg", "jpg"), ("image/png", "png"), ("image/webp", "webp"), ("image/gif", "gif"), ("image/avif", "avif")];

/// The largest picture that is kept, in bytes.
const LARGEST: usize = 1 << 20;

/// How many pictures are kept with one report.
const PICTURES: u64 = 24;

/// How many bytes of pictures are kept with one report.
const BYTES: u64 = 8 << 20;

/// A picture that a candidate made otherwise. The one of the stage in service is in the media bucket, until another replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShadowPicture {
    /// The key under which both made it.
    pub key: String,
    /// The media type that the candidate gave it.
    pub content_type: String,
    /// Its length, in bytes.
    pub bytes: u64,
    /// Where the candidate's picture is kept: the name of a document in the media bucket.
    pub kept: String,
}

/// A picture that a candidate has written.
pub(crate) struct MadePicture {
    pub(crate) content_type: String,
    pub(crate) bytes: Bytes,
    taken: Taken,
}

impl MadePicture {
    /// Says that the picture is stored with the report, which has less room for others from then on. Returns its media type.
    pub(crate) fn stored(mut self) -> String {
        self.taken.stored = true;
        self.content_type
    }
}

/// What is left for the pictures of one report. Cheap to clone; clones share what is left.
#[derive(Clone, Debug)]
pub(crate) struct PictureRoom(Arc<Left>);

#[derive(Debug)]
struct Left {
    pictures: AtomicU64,
    bytes: AtomicU64,
}

impl Default for PictureRoom {
    fn default() -> Self {
        Self(Arc::new(Left { pictures: AtomicU64::new(PICTURES), bytes: AtomicU64::new(BYTES) }))
    }
}

impl PictureRoom {
    /// Returns the beginning of a picture, if objects of this media type are kept. Its memory is taken from `share`, too.
    pub(crate) fn begin(&self, content_type: &str, share: &Arc<Share>) -> Option<PictureBytes> {
        let taken = Taken { room: self.clone(), share: share.clone(), bytes: 0, pictures: 0, stored: false };
        extension(content_type).map(|_| PictureBytes { taken, bytes: Vec::new() })
    }
}

/// What one picture has taken of its report's room and of its call's share. When this is dropped, the memory is given back, and
/// the room unless the picture was stored: it turned out to be the same, another of its key has replaced it, or it is not kept.
struct Taken {
    room: PictureRoom,
    share: Arc<Share>,
    bytes: u64,
    pictures: u64,
    stored: bool,
}

impl Taken {
    /// Takes bytes; returns whether there were enough.
    fn take_bytes(&mut self, bytes: u64) -> bool {
        if !take(&self.room.0.bytes, bytes) {
            return false;
        }
        if !self.share.take_memory(bytes) {
            give_back(&self.room.0.bytes, bytes);
            return false;
        }
        self.bytes += bytes;
        true
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if !self.stored {
            give_back(&self.room.0.bytes, self.bytes);
            give_back(&self.room.0.pictures, self.pictures);
        }
        self.share.give_memory_back(self.bytes);
    }
}

/// The bytes of a picture, as they are written.
pub(crate) struct PictureBytes {
    taken: Taken,
    bytes: Vec<u8>,
}

impl PictureBytes {
    /// Adds bytes. Returns false if there is no room; then the picture is not kept.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> bool {
        let room = self.bytes.len() + bytes.len() <= LARGEST && self.taken.take_bytes(bytes.len() as u64);
        if room {
            self.bytes.extend_from_slice(bytes);
        }
        room
    }

    /// Returns the picture, if there is room for one more.
    pub(crate) fn finish(mut self, content_type: &str) -> Option<MadePicture> {
        if self.bytes.is_empty() || !take(&self.taken.room.0.pictures, 1) {
            return None;
        }
        self.taken.pictures = 1;
        let bytes = Bytes::from(self.bytes);
        Some(MadePicture { content_type: content_type.to_owned(), bytes, taken: self.taken })
    }
}

fn take(left: &AtomicU64, count: u64) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(count)).is_ok()
}

fn give_back(left: &AtomicU64, count: u64) {
    left.fetch_add(count, Ordering::Relaxed);
}

/// Returns the ending of a picture's name; `None` for media types that are not kept.
pub(crate) fn extension(content_type: &str) -> Option<&'static str> {
    let plain = content_type.split(';').next().unwrap_or_default().trim();
    TYPES.iter().find(|(name, _)| plain.eq_ignore_ascii_case(name)).map(|(_, extension)| *extension)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::budget::RecordBudget;

    fn share(memory: u64) -> Arc<Share> {
        Arc::new(RecordBudget::new(memory, 0).share())
    }

    /// Returns a picture that is written in two pieces.
    fn picture(room: &PictureRoom, share: &Arc<Share>, length: usize) -> Option<MadePicture> {
        let mut picture = room.begin("image/JPEG; q=1", share)?;
        let fits = picture.append(&vec![1; length / 2]) && picture.append(&vec![2; length - length / 2]);
        if fits { picture.finish("image/jpeg") } else { None }
    }

    #[test]
    fn pictures_are_kept_up_to_a_size_and_a_number_and_other_types_never() {
        let (room, share) = (PictureRoom::default(), share(1 << 30));
        assert!(room.begin("image/svg+xml", &share).is_none() && room.begin("text/html", &share).is_none());
        assert!(picture(&room, &share, LARGEST + 1).is_none(), "too large");
        assert!(picture(&room, &share, 0).is_none(), "there is nothing to see");
        let kept: Vec<_> = (0..100).filter_map(|_| picture(&room, &share, 1000)).collect();
        assert_eq!(kept.len() as u64, PICTURES);
        let room = PictureRoom::default();
        let kept: Vec<_> = (0..100).filter_map(|_| picture(&room, &share, LARGEST)).collect();
        assert_eq!(kept.len() as u64, BYTES / LARGEST as u64);
    }

    #[test]
    fn what_is_not_kept_gives_its_room_and_its_memory_back() {
        let (room, share) = (PictureRoom::default(), share(LARGEST as u64));
        for round in 0..100 {
            // Begun and given up; too large for the rest of the memory; whole, and not kept for long.
            assert!(room.begin("image/png", &share).is_some_and(|mut picture| picture.append(&vec![1; LARGEST])));
            let half = picture(&room, &share, LARGEST / 2);
            assert!(half.is_some() && picture(&room, &share, LARGEST / 2 + 2).is_none(), "round {round}");
            drop(half);
            assert!(picture(&room, &share, LARGEST).is_some(), "round {round}");
        }
        assert_eq!(room.0.pictures.load(Ordering::Relaxed), PICTURES);
        assert_eq!(room.0.bytes.load(Ordering::Relaxed), BYTES);
        // A picture that is stored counts for its report, but takes no memory any more.
        assert_eq!(picture(&room, &share, LARGEST).unwrap().stored(), "image/jpeg");
        assert_eq!(room.0.pictures.load(Ordering::Relaxed), PICTURES - 1);
        assert_eq!(room.0.bytes.load(Ordering::Relaxed), BYTES - LARGEST as u64);
        assert!(share.take_memory(LARGEST as u64));
    }
}
