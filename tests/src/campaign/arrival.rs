//! The batches of a seed.

/// Which files a batch has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Variant {
    /// Two photos, a damaged one and a document.
    Photos,
    /// A photo and a video.
    WithVideo,
    /// A photo and a video that is so large that archives of it are uploaded in parts, one of them a copy.
    WithLargeVideo,
}

impl Variant {
    pub(super) const ALL: [Variant; 3] = [Self::Photos, Self::WithVideo, Self::WithLargeVideo];
}

/// One batch that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    pub(super) variant: Variant,
    pub(super) listing: u32,
    pub(super) job: u32,
}

impl Arrival {
    /// Returns the id of the batch, which is part of the keys of its archives.
    pub(super) fn batch(self) -> u32 {
        self.job + 100
    }
}
