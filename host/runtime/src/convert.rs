//! Between the types of the WIT contract and those of the batch document.

use stagehost_batch as doc;
use stagehost_batch::{Case, Failure};

use crate::bindings::exports::toq::media::batch_stage;
use crate::bindings::toq::media::{keys, objects, transcoder, types};
use crate::capability;

pub(crate) fn failure_from_guest(failure: types::Failure) -> Failure {
    use types::Failure as F;
    let (case, message) = match failure {
        F::InvalidInput(m) => (Case::InvalidInput, m),
        F::Missing(m) => (Case::Missing, m),
        F::Mismatch(m) => (Case::Mismatch, m),
        F::Unsupported(m) => (Case::Unsupported, m),
        F::Corrupt(m) => (Case::Corrupt, m),
        F::TooLarge(m) => (Case::TooLarge, m),
        F::Denied(m) => (Case::Denied, m),
        F::Transient(m) => (Case::Transient, m),
        F::Internal(m) => (Case::Internal, m),
    };
    Failure { case, message: shorten(message) }
}

/// A guest's text ends up in documents with a size limit.
fn shorten(mut message: String) -> String {
    const LONGEST: usize = 500;
    if message.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|&i| message.is_char_boundary(i)).unwrap_or(0);
        message.truncate(end);
        message.push('…');
    }
    message
}

impl From<Failure> for types::Failure {
    fn from(failure: Failure) -> Self {
        use types::Failure as F;
        let m = failure.message;
        match failure.case {
            Case::InvalidInput => F::InvalidInput(m),
            Case::Missing => F::Missing(m),
            Case::Mismatch => F::Mismatch(m),
            Case::Unsupported => F::Unsupported(m),
            Case::Corrupt => F::Corrupt(m),
            Case::TooLarge => F::TooLarge(m),
            Case::Denied => F::Denied(m),
            Case::Transient => F::Transient(m),
            _ => F::Internal(m),
        }
    }
}

impl From<doc::MediaType> for types::MediaType {
    fn from(media: doc::MediaType) -> Self {
        match media {
            doc::MediaType::PhotoVertical => Self::PhotoVertical,
            doc::MediaType::PhotoHorizontal => Self::PhotoHorizontal,
            doc::MediaType::VideoVertical => Self::VideoVertical,
            doc::MediaType::VideoHorizontal => Self::VideoHorizontal,
            doc::MediaType::ProjectDoc => Self::ProjectDoc,
            doc::MediaType::ProjectRender => Self::ProjectRender,
        }
    }
}

impl From<types::MediaType> for doc::MediaType {
    fn from(media: types::MediaType) -> Self {
        match media {
            types::MediaType::PhotoVertical => Self::PhotoVertical,
            types::MediaType::PhotoHorizontal => Self::PhotoHorizontal,
            types::MediaType::VideoVertical => Self::VideoVertical,
            types::MediaType::VideoHorizontal => Self::VideoHorizontal,
            types::MediaType::ProjectDoc => Self::ProjectDoc,
            types::MediaType::ProjectRender => Self::ProjectRender,
        }
    }
}

impl From<doc::PixelSize> for types::PixelSize {
    fn from(doc::PixelSize { width, height }: doc::PixelSize) -> Self {
        Self { width, height }
    }
}

impl From<types::PixelSize> for doc::PixelSize {
    fn from(types::PixelSize { width, height }: types::PixelSize) -> Self {
        Self { width, height }
    }
}

impl From<doc::Id> for types::Id {
    fn from(id: doc::Id) -> Self {
        match id {
            doc::Id::Number(number) => Self::Number(number),
            doc::Id::Text(text) => Self::Text(text),
        }
    }
}

impl From<doc::Problem> for types::Problem {
    fn from(doc::Problem { state, code, message }: doc::Problem) -> Self {
        Self { state, code, message }
    }
}

impl From<types::Problem> for doc::Problem {
    fn from(types::Problem { state, code, message }: types::Problem) -> Self {
        Self { state, code, message }
    }
}

impl From<doc::Rendition> for types::Rendition {
    fn from(r: doc::Rendition) -> Self {
        Self {
            name: r.name,
            key: r.key,
            content_type: r.content_type,
            pixels: r.pixels.map(Into::into),
            bytes: r.bytes,
            etag: r.etag,
            crc32: r.crc32,
            reused: r.reused,
        }
    }
}

impl From<types::Rendition> for doc::Rendition {
    fn from(r: types::Rendition) -> Self {
        Self {
            name: r.name,
            key: r.key,
            content_type: r.content_type,
            pixels: r.pixels.map(Into::into),
            bytes: r.bytes,
            etag: r.etag,
            crc32: r.crc32,
            reused: r.reused,
        }
    }
}

impl From<doc::Bundle> for types::Bundle {
    fn from(b: doc::Bundle) -> Self {
        Self {
            name: b.name,
            key: b.key,
            bytes: b.bytes,
            entries: b.entries,
            unpacked_bytes: b.unpacked_bytes,
            reused: b.reused,
        }
    }
}

impl From<types::Bundle> for doc::Bundle {
    fn from(b: types::Bundle) -> Self {
        Self {
            name: b.name,
            key: b.key,
            bytes: b.bytes,
            entries: b.entries,
            unpacked_bytes: b.unpacked_bytes,
            reused: b.reused,
        }
    }
}

impl From<doc::Asset> for types::Asset {
    fn from(a: doc::Asset) -> Self {
        Self {
            key: a.key,
            media_type: a.media_type.into(),
            content_type: a.content_type,
            bytes: a.bytes,
            etag: a.etag,
            sha256: a.sha256,
            crc32: a.crc32,
            pixels: a.pixels.map(Into::into),
            orientation: a.orientation,
            duration_ms: a.duration_ms,
            has_audio: a.has_audio,
            title: a.title,
            sequence: a.sequence,
            verified: a.verified,
            renditions: a.renditions.into_iter().map(Into::into).collect(),
            problem: a.problem.map(Into::into),
        }
    }
}

impl From<types::Asset> for doc::Asset {
    fn from(a: types::Asset) -> Self {
        Self {
            key: a.key,
            media_type: a.media_type.into(),
            content_type: a.content_type,
            bytes: a.bytes,
            etag: a.etag,
            sha256: a.sha256,
            crc32: a.crc32,
            pixels: a.pixels.map(Into::into),
            orientation: a.orientation,
            duration_ms: a.duration_ms,
            has_audio: a.has_audio,
            title: a.title,
            sequence: a.sequence,
            verified: a.verified,
            renditions: a.renditions.into_iter().map(Into::into).collect(),
            problem: a.problem.map(Into::into),
        }
    }
}

impl From<doc::Batch> for types::Batch {
    fn from(b: doc::Batch) -> Self {
        Self {
            listing: b.listing.id.into(),
            listing_field: match b.listing.field {
                doc::ListingField::ListingId => types::ListingField::ListingId,
                doc::ListingField::ListingIdentityId => types::ListingField::ListingIdentityId,
            },
            batch_id: b.batch_id.map(Into::into),
            job_id: b.job_id.map(Into::into),
            external_id: b.external_id,
            traceparent: b.traceparent,
            assets: b.assets.into_iter().map(Into::into).collect(),
            bundles: b.bundles.into_iter().map(Into::into).collect(),
            problems: b.problems.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<doc::Area> for keys::Area {
    fn from(area: doc::Area) -> Self {
        match area {
            doc::Area::Raw => Self::Raw,
            doc::Area::Processed => Self::Processed,
            doc::Area::Thumb => Self::Thumb,
            doc::Area::Zip => Self::Zip,
        }
    }
}

impl From<keys::Area> for doc::Area {
    fn from(area: keys::Area) -> Self {
        match area {
            keys::Area::Raw => Self::Raw,
            keys::Area::Processed => Self::Processed,
            keys::Area::Thumb => Self::Thumb,
            keys::Area::Zip => Self::Zip,
        }
    }
}

impl From<capability::ObjectInfo> for objects::ObjectInfo {
    fn from(info: capability::ObjectInfo) -> Self {
        let capability::ObjectInfo { key, bytes, etag, content_type, crc32, fingerprint } = info;
        Self { key, bytes, etag, content_type, crc32, fingerprint }
    }
}

impl From<capability::Digests> for objects::Digests {
    fn from(capability::Digests { sha256, crc32, bytes, etag }: capability::Digests) -> Self {
        Self { sha256, crc32, bytes, etag }
    }
}

impl From<transcoder::Job> for capability::TranscodeJob {
    fn from(job: transcoder::Job) -> Self {
        Self {
            source_key: job.source_key,
            source_etag: job.source_etag,
            outputs: job
                .outputs
                .into_iter()
                .map(|o| capability::TranscodeOutput {
                    name: o.name,
                    key: o.key,
                    pixels: o.pixels.into(),
                    video_bitrate: o.video_bitrate,
                    audio_bitrate: o.audio_bitrate,
                })
                .collect(),
        }
    }
}

/// What a batch stage gave back, in the document's types.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Additions {
    /// Those that changed.
    pub assets: Vec<doc::Asset>,
    /// Archives that it made or found.
    pub bundles: Vec<doc::Bundle>,
    /// By the asset's key.
    pub failures: Vec<(String, Failure)>,
    /// One line for the log.
    pub note: Option<String>,
}

impl From<batch_stage::Outcome> for Additions {
    fn from(outcome: batch_stage::Outcome) -> Self {
        Self {
            assets: outcome.assets.into_iter().map(Into::into).collect(),
            bundles: outcome.bundles.into_iter().map(Into::into).collect(),
            failures: outcome.failures.into_iter().map(|f| (f.key, failure_from_guest(f.failure))).collect(),
            note: outcome.note.map(shorten),
        }
    }
}
