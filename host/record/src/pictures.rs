//! Pictures that a candidate made otherwise than the stage in service, kept so that people can compare them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The media types that are kept, each with the ending of its name: what browsers show.
const TYPES: [(&str, &str); 5] =
    [("image/jpeg", "jpg"), ("image/png", "png"), ("image/webp", "webp"), ("image/gif", "gif"), ("image/avif", "avif")];

/// The largest picture that is kept, in bytes.
const LARGEST: usize = 1 << 20;

/// How many pictures are kept with one report.
const PICTURES: u64 = 24;

/// How many bytes of pictures are kept with one report, those included that turn out to be the same.
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
#[derive(Clone, Debug)]
pub(crate) struct MadePicture {
    pub(crate) content_type: String,
    pub(crate) bytes: Bytes,
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
    /// Returns the beginning of a picture, if objects of this media type are kept.
    pub(crate) fn begin(&self, content_type: &str) -> Option<PictureBytes> {
        extension(content_type).map(|_| PictureBytes { room: self.clone(), bytes: Vec::new() })
    }
}

/// The bytes of a picture, as they are written.
pub(crate) struct PictureBytes {
    room: PictureRoom,
    bytes: Vec<u8>,
}

impl PictureBytes {
    /// Adds bytes. Returns false if there is no room; then the picture is not kept.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> bool {
        let room = self.bytes.len() + bytes.len() <= LARGEST && take(&self.room.0.bytes, bytes.len() as u64);
        if room {
            self.bytes.extend_from_slice(bytes);
        }
        room
    }

    /// Returns the picture, if there is room for one more.
    pub(crate) fn finish(self, content_type: &str) -> Option<MadePicture> {
        let room = !self.bytes.is_empty() && take(&self.room.0.pictures, 1);
        room.then(|| MadePicture { content_type: content_type.to_owned(), bytes: Bytes::from(self.bytes) })
    }
}

fn take(left: &AtomicU64, count: u64) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(count)).is_ok()
}

/// Returns the ending of a picture's name; `None` for media types that are not kept.
pub(crate) fn extension(content_type: &str) -> Option<&'static str> {
    let plain = content_type.split(';').next().unwrap_or_default().trim();
    TYPES.iter().find(|(name, _)| plain.eq_ignore_ascii_case(name)).map(|(_, extension)| *extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_kept_up_to_a_size_and_a_number_and_other_types_never() {
        let room = PictureRoom::default();
        assert!(room.begin("image/svg+xml").is_none() && room.begin("text/html").is_none());
        let picture = |length: usize| -> Option<MadePicture> {
            let mut picture = room.begin("image/JPEG; q=1")?;
            let fits = picture.append(&vec![1; length / 2]) && picture.append(&vec![2; length - length / 2]);
            if fits { picture.finish("image/jpeg") } else { None }
        };
        assert!(picture(LARGEST + 1).is_none(), "too large");
        assert!(picture(0).is_none(), "there is nothing to see");
        let kept = (0..100).filter_map(|_| picture(1000)).count();
        assert_eq!(kept as u64, PICTURES);
        let room = PictureRoom::default();
        let fits = |_: &u64| room.begin("image/png").is_some_and(|mut picture| picture.append(&vec![1; LARGEST]));
        assert_eq!((0..100).filter(fits).count() as u64, BYTES / LARGEST as u64);
    }
}
