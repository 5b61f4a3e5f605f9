//! Conversions between the types of the WIT contract and those of the batch document.
//!
//! The generated types stay apart from the document's (bindgen's `with` could only unite them if `stagehost-batch` knew
//! wasmtime), so two macros derive the conversions of the types that have the same fields or variants on both sides.

use stagehost_batch as doc;
use stagehost_batch::{Case, Failure};

use crate::additions::Additions;
use crate::bindings::exports::toq::media::batch_stage;
use crate::bindings::toq::media::{keys, objects, own_objects, transcoder, types};
use crate::capability;
use crate::text::shorten;

/// Converts between two enums that have the same variants, in both directions.
macro_rules! same_variants {
    ($left:ty, $right:ty { $($variant:ident),* $(,)? }) => {
        impl From<$left> for $right {
            fn from(value: $left) -> Self {
                match value { $(<$left>::$variant => Self::$variant),* }
            }
        }
        impl From<$right> for $left {
            fn from(value: $right) -> Self {
                match value { $(<$right>::$variant => Self::$variant),* }
            }
        }
    };
}

/// Converts between two structs that have the same fields, in both directions. `options` and `lists` hold other structs
/// or enums; every other field is moved or converted by `From`.
macro_rules! same_fields {
    ($left:ty, $right:ty { $($field:ident),* $(,)? } $(options { $($option:ident),* })? $(lists { $($list:ident),* })?) => {
        same_fields!(@one $left => $right { $($field),* } { $($($option),*)? } { $($($list),*)? });
        same_fields!(@one $right => $left { $($field),* } { $($($option),*)? } { $($($list),*)? });
    };
    (@one $from:ty => $into:ty { $($field:ident),* } { $($option:ident),* } { $($list:ident),* }) => {
        impl From<$from> for $into {
            #[allow(clippy::useless_conversion)]
            fn from(value: $from) -> Self {
                Self {
                    $($field: value.$field.into(),)*
                    $($option: value.$option.map(Into::into),)*
                    $($list: value.$list.into_iter().map(Into::into).collect(),)*
                }
            }
        }
    };
}

same_variants!(
    doc::MediaType,
    types::MediaType { PhotoVertical, PhotoHorizontal, VideoVertical, VideoHorizontal, ProjectDoc, ProjectRender }
);
same_variants!(doc::Area, keys::Area { Raw, Processed, Thumb, Zip });
same_variants!(doc::ListingField, types::ListingField { ListingId, ListingIdentityId });

same_fields!(doc::PixelSize, types::PixelSize { width, height });
same_fields!(doc::Problem, types::Problem { state, code, message });
same_fields!(doc::Rendition, types::Rendition { name, key, content_type, bytes, etag, crc32, reused } options { pixels });
same_fields!(doc::Bundle, types::Bundle { name, key, bytes, entries, unpacked_bytes, reused });
same_fields!(doc::Asset, types::Asset {
    key, media_type, content_type, bytes, etag, sha256, crc32, orientation, duration_ms, has_audio, title, sequence,
    verified,
} options { pixels, problem } lists { renditions, attributes });
same_fields!(capability::ObjectInfo, objects::ObjectInfo { key, bytes, etag, content_type, crc32, fingerprint });
same_fields!(capability::ListedObject, own_objects::Listed { key, bytes, etag });
same_fields!(capability::Digests, objects::Digests { sha256, crc32, bytes, etag });
same_fields!(capability::TranscodeOutput, transcoder::Output { name, key, pixels, video_bitrate, audio_bitrate });
same_fields!(capability::TranscodeJob, transcoder::Job { source_key, source_etag } lists { outputs });

/// Converts a failure that a guest returned.
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

impl From<doc::Id> for types::Id {
    fn from(id: doc::Id) -> Self {
        match id {
            doc::Id::Number(number) => Self::Number(number),
            doc::Id::Text(text) => Self::Text(text),
        }
    }
}

impl From<doc::Batch> for types::Batch {
    fn from(batch: doc::Batch) -> Self {
        Self {
            listing: batch.listing.id.into(),
            listing_field: batch.listing.field.into(),
            batch_id: batch.batch_id.map(Into::into),
            job_id: batch.job_id.map(Into::into),
            external_id: batch.external_id,
            traceparent: batch.traceparent,
            assets: batch.assets.into_iter().map(Into::into).collect(),
            bundles: batch.bundles.into_iter().map(Into::into).collect(),
            files: batch.files.into_iter().map(Into::into).collect(),
            attributes: batch.attributes.into_iter().collect(),
            problems: batch.problems.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<batch_stage::Outcome> for Additions {
    fn from(outcome: batch_stage::Outcome) -> Self {
        Self {
            assets: outcome.assets.into_iter().map(Into::into).collect(),
            bundles: outcome.bundles.into_iter().map(Into::into).collect(),
            files: outcome.files.into_iter().map(Into::into).collect(),
            attributes: outcome.attributes,
            failures: outcome.failures.into_iter().map(|f| (f.key, failure_from_guest(f.failure))).collect(),
            note: outcome.note.map(shorten),
        }
    }
}
