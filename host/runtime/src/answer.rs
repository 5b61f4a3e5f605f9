//! Limits on the size of a stage's answer, which is held outside of the guest's memory until it is merged, and then
//! stays in the document.

use crate::bindings::exports::toq::media::batch_stage::Outcome;
use crate::bindings::toq::media::types;
use crate::budget::MAX_LIFTED;

/// The most bytes of the answer for one file.
const MAX_FILE_ANSWER: usize = 256 << 10;
/// The most bytes of the answers for all files of a batch together. A batch of more than 682 files may have more,
/// because each file may always have [`MIN_FILE_ANSWER`].
const MAX_FILE_ANSWERS: usize = 16 << 20;
/// What the answer for one file may always have, however many files there are: 64 renditions with long keys.
const MIN_FILE_ANSWER: usize = 24 << 10;
/// What each file adds to the answer for a batch, in bytes.
const BATCH_ANSWER_PER_FILE: usize = 4 << 10;
/// The most bytes of the answer for a batch of any size.
const MAX_BATCH_ANSWER: usize = 4 << 20;

const _: () = assert!(MAX_FILE_ANSWER < MAX_LIFTED && MAX_BATCH_ANSWER < MAX_LIFTED);

/// Returns the most bytes of the answer for one file of a batch of `files`.
fn max_file_answer(files: usize) -> usize {
    (MAX_FILE_ANSWERS / files.max(1)).clamp(MIN_FILE_ANSWER, MAX_FILE_ANSWER)
}

/// Returns the most bytes of the answer for a batch of `files`.
fn max_batch_answer(files: usize) -> usize {
    MAX_FILE_ANSWER.saturating_add(files.saturating_mul(BATCH_ANSWER_PER_FILE)).min(MAX_BATCH_ANSWER)
}

/// Returns an answer for one file of a batch of `files` if it is small enough. Errors: `TooLarge`.
pub(crate) fn checked_asset(asset: types::Asset, files: usize) -> Result<types::Asset, types::Failure> {
    check(weight_of_asset(&asset), max_file_answer(files))?;
    Ok(asset)
}

/// Returns an answer for a batch of `files` if it is small enough. Errors: `TooLarge`.
pub(crate) fn checked_outcome(outcome: Outcome, files: usize) -> Result<Outcome, types::Failure> {
    let assets = outcome.assets.iter().map(weight_of_asset).sum::<usize>();
    let bundles = outcome.bundles.iter().map(|b| size_of_val(b) + b.name.len() + b.key.len()).sum::<usize>();
    let made = outcome.files.iter().map(weight_of_rendition).sum::<usize>();
    let attributes = weight_of_pairs(&outcome.attributes);
    let failures = outcome.failures.iter().map(|f| size_of_val(f) + f.key.len() + message(&f.failure).len());
    let note = outcome.note.as_ref().map_or(0, String::len);
    check(assets + bundles + made + attributes + failures.sum::<usize>() + note, max_batch_answer(files))?;
    Ok(outcome)
}

fn check(weight: usize, limit: usize) -> Result<(), types::Failure> {
    if weight <= limit {
        return Ok(());
    }
    let message = format!("the stage's answer takes {weight} bytes; at most {limit} are accepted");
    Err(types::Failure::TooLarge(message))
}

/// Returns the bytes that an asset takes.
fn weight_of_asset(asset: &types::Asset) -> usize {
    let texts = [&asset.content_type, &asset.etag, &asset.sha256, &asset.title];
    let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
    let renditions = asset.renditions.iter().map(weight_of_rendition);
    let problem = asset.problem.as_ref().map_or(0, |p| p.state.len() + p.code.len() + p.message.len());
    size_of_val(asset)
        + asset.key.len()
        + texts
        + renditions.sum::<usize>()
        + weight_of_pairs(&asset.attributes)
        + problem
}

fn weight_of_rendition(rendition: &types::Rendition) -> usize {
    let types::Rendition { name, key, content_type, etag, .. } = rendition;
    size_of_val(rendition) + name.len() + key.len() + content_type.len() + etag.len()
}

fn weight_of_pairs(pairs: &[(String, String)]) -> usize {
    pairs.iter().map(|pair| size_of_val(pair) + pair.0.len() + pair.1.len()).sum()
}

fn message(failure: &types::Failure) -> &str {
    use types::Failure as F;
    match failure {
        F::InvalidInput(m) | F::Missing(m) | F::Mismatch(m) | F::Unsupported(m) | F::Corrupt(m) => m,
        F::TooLarge(m) | F::Denied(m) | F::Transient(m) | F::Internal(m) => m,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use stagehost_batch::{Asset, MediaType};

    use super::*;

    fn asset(title: usize) -> types::Asset {
        let mut asset = Asset::new("51/raw/photo/vertical/a.jpg", MediaType::PhotoVertical);
        asset.title = Some("t".repeat(title));
        asset.into()
    }

    fn outcome(assets: Vec<types::Asset>) -> Outcome {
        let (bundles, files, attributes, failures) = Default::default();
        Outcome { assets, bundles, files, attributes, failures, note: None }
    }

    #[test]
    fn an_answer_for_a_file_has_at_most_256_kib() {
        assert!(checked_asset(asset(250 << 10), 60).is_ok());
        let Err(types::Failure::TooLarge(message)) = checked_asset(asset(60 << 20), 60) else { panic!("taken") };
        assert!(message.ends_with("at most 262144 are accepted"), "{message}");
    }

    #[test]
    fn the_answers_for_a_large_batch_are_smaller_but_always_have_room_for_sixty_four_renditions() {
        assert_eq!([1, 64, 128, 1_000_000].map(max_file_answer), [256 << 10, 256 << 10, 128 << 10, 24 << 10]);
        let mut full = asset(100);
        full.renditions = (0..64)
            .map(|number| types::Rendition {
                name: format!("{number}x{number}"),
                key: "k".repeat(120),
                content_type: "image/jpeg".into(),
                pixels: None,
                bytes: 1,
                etag: "e".repeat(32),
                crc32: None,
                reused: false,
            })
            .collect();
        assert!(checked_asset(full, 1_000_000).is_ok());
    }

    #[test]
    fn an_answer_for_a_batch_grows_with_the_batch() {
        assert!(checked_outcome(outcome(vec![asset(300 << 10)]), 60).is_ok());
        assert!(checked_outcome(outcome(vec![asset(300 << 10)]), 1).is_err());
        assert_eq!([1, 60, 1_000_000].map(max_batch_answer), [260 << 10, 496 << 10, 4 << 20]);
    }

    #[test]
    fn every_text_of_an_answer_counts() {
        let long = || "x".repeat(300 << 10);
        let mut keyed = asset(1);
        keyed.key = long();
        assert!(checked_asset(keyed, 1).is_err());
        let mut attributed = asset(1);
        attributed.attributes.push(("n".into(), long()));
        assert!(checked_asset(attributed, 1).is_err());
        let named = Outcome { attributes: vec![(long(), "v".into())], ..outcome(Vec::new()) };
        assert!(checked_outcome(named, 1).is_err());
        let noted = Outcome { note: Some(long()), ..outcome(Vec::new()) };
        assert!(checked_outcome(noted, 1).is_err());
        let failure = crate::bindings::exports::toq::media::batch_stage::AssetFailure {
            key: "k".into(),
            failure: types::Failure::Corrupt(long()),
        };
        assert!(checked_outcome(Outcome { failures: vec![failure], ..outcome(Vec::new()) }, 1).is_err());
    }
}
