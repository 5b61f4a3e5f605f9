//! Merges what stages add, and what parallel branches made, into one document.
//!
//! Stages return additions; the host merges them by the asset's key. So no path in the state machine can lose a field, and
//! no branch hides the results of another.

use crate::document::{Asset, Batch, Bundle, Problem, Rendition};
use crate::media::MediaType;

/// Why two documents cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// A stage answered with another file than it was given.
    #[error("`{returned}` was returned in place of `{key}`: a stage must give an asset's key back unchanged")]
    KeyChanged {
        /// The file that it was given.
        key: String,
        /// The file that it answered with.
        returned: String,
    },
    /// A stage changed what a file was uploaded as.
    #[error("`{key}` was uploaded as {was} and returned as {returned}: its media type follows from its key")]
    TypeChanged {
        /// The file.
        key: String,
        /// The type before.
        was: MediaType,
        /// The returned type.
        returned: MediaType,
    },
    /// The list of branches is empty.
    #[error("there is no branch to merge: the list of batch documents is empty")]
    NoBranches,
    /// The branches do not belong to one batch.
    #[error("branch {branch} has another {field} than branch 0: only branches of one batch can be merged")]
    OtherBatch {
        /// Counted from 0.
        branch: usize,
        /// The field in which they differ.
        field: &'static str,
    },
}

impl Asset {
    /// Adds what a stage found or made. A field that is set in `additions` replaces the earlier value; renditions and
    /// attributes are matched by name; a verified file stays verified; a second problem is added to the first.
    ///
    /// # Errors
    /// If `additions` has another key or another media type; nothing is changed then.
    pub fn merge_from(&mut self, additions: Asset) -> Result<(), MergeError> {
        if additions.key != self.key {
            return Err(MergeError::KeyChanged { key: self.key.clone(), returned: additions.key });
        }
        if additions.media_type != self.media_type {
            return Err(MergeError::TypeChanged {
                key: self.key.clone(),
                was: self.media_type,
                returned: additions.media_type,
            });
        }
        // Destructured without `..`, so that the compiler reports a new field that is not merged.
        let Asset {
            key: _,
            media_type: _,
            content_type,
            bytes,
            etag,
            sha256,
            crc32,
            pixels,
            orientation,
            duration_ms,
            has_audio,
            title,
            sequence,
            verified,
            renditions,
            attributes,
            problem,
        } = additions;
        set(&mut self.content_type, content_type);
        set(&mut self.bytes, bytes);
        set(&mut self.etag, etag);
        set(&mut self.sha256, sha256);
        set(&mut self.crc32, crc32);
        set(&mut self.pixels, pixels);
        set(&mut self.orientation, orientation);
        set(&mut self.duration_ms, duration_ms);
        set(&mut self.has_audio, has_audio);
        set(&mut self.title, title);
        set(&mut self.sequence, sequence);
        self.verified |= verified;
        for rendition in renditions {
            self.add_rendition(rendition);
        }
        self.attributes.extend(attributes);
        if let Some(problem) = problem {
            self.add_problem(problem);
        }
        Ok(())
    }

    /// Adds a rendition, or replaces the one with the same name.
    pub fn add_rendition(&mut self, rendition: Rendition) {
        replace_or_push(&mut self.renditions, rendition, |one| &one.name);
    }

    /// Records a failure. A second failure is added to the message of the first, which is usually its cause.
    pub fn add_problem(&mut self, problem: Problem) {
        let Some(first) = &mut self.problem else {
            self.problem = Some(problem);
            return;
        };
        let includes = |longer: &Problem, shorter: &Problem| {
            let rest = longer.message.strip_prefix(&shorter.message);
            longer.state == shorter.state
                && longer.code == shorter.code
                && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("; then "))
        };
        if includes(first, &problem) {
            return;
        }
        if includes(&problem, first) {
            *first = problem;
            return;
        }
        let also = format!("{}: {}: {}", problem.state, problem.code, problem.message);
        if !first.message.contains(&also) {
            first.message = format!("{}; then {also}", first.message);
        }
    }
}

impl Batch {
    /// Adds an archive, or replaces the one with the same name.
    pub fn add_bundle(&mut self, bundle: Bundle) {
        replace_or_push(&mut self.bundles, bundle, |one| &one.name);
    }

    /// Adds a file of the batch as a whole, or replaces the one with the same name.
    pub fn add_file(&mut self, file: Rendition) {
        replace_or_push(&mut self.files, file, |one| &one.name);
    }

    /// Records that a state failed as a whole. The same problem is recorded once.
    pub fn add_problem(&mut self, problem: Problem) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Adds what a stage made of one file.
    ///
    /// # Errors
    /// As [`Asset::merge_from`]; also if the file is not in the batch.
    pub fn merge_asset(&mut self, additions: Asset) -> Result<(), MergeError> {
        match self.assets.iter_mut().find(|one| one.key == additions.key) {
            Some(asset) => asset.merge_from(additions),
            None => Err(MergeError::KeyChanged { key: "any file of the batch".into(), returned: additions.key }),
        }
    }
}

/// Merges the results of the branches of a Parallel state, in their order: assets by key, archives, files and
/// attributes by name, problems united. Every branch began with the same batch, so a branch that did nothing removes nothing.
///
/// # Errors
/// If there is no branch, or they belong to different batches.
pub fn merge_branches(branches: Vec<Batch>) -> Result<Batch, MergeError> {
    let mut branches = branches.into_iter();
    let mut merged = branches.next().ok_or(MergeError::NoBranches)?;
    for (index, branch) in branches.enumerate() {
        merge_branch(&mut merged, branch, index + 1)?;
    }
    merged.recount();
    Ok(merged)
}

fn merge_branch(merged: &mut Batch, branch: Batch, index: usize) -> Result<(), MergeError> {
    let Batch {
        listing,
        batch_id,
        job_id,
        external_id,
        retry,
        traceparent,
        execution,
        revision,
        assets,
        bundles,
        files,
        attributes,
        problems,
        counts: _,
    } = branch;
    let same = [
        ("listing", listing == merged.listing),
        ("batchId", batch_id == merged.batch_id),
        ("jobId", job_id == merged.job_id),
        ("retry", retry == merged.retry),
    ];
    if let Some((field, _)) = same.into_iter().find(|(_, same)| !same) {
        return Err(MergeError::OtherBatch { branch: index, field });
    }
    set(&mut merged.external_id, external_id);
    set(&mut merged.traceparent, traceparent);
    set(&mut merged.execution, execution);
    // They differ if the execution's first revision was revoked while a branch was running.
    merged.revision = merged.revision.max(revision);
    for asset in assets {
        match merged.assets.iter_mut().find(|one| one.key == asset.key) {
            Some(known) => known.merge_from(asset)?,
            None => merged.assets.push(asset),
        }
    }
    for bundle in bundles {
        merged.add_bundle(bundle);
    }
    for file in files {
        merged.add_file(file);
    }
    merged.attributes.extend(attributes);
    for problem in problems {
        merged.add_problem(problem);
    }
    Ok(())
}

fn set<T>(place: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *place = value;
    }
}

fn replace_or_push<T>(list: &mut Vec<T>, item: T, name: impl Fn(&T) -> &str) {
    match list.iter_mut().find(|one| name(one) == name(&item)) {
        Some(place) => *place = item,
        None => list.push(item),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;
    use crate::arbitrary;

    const KEY: &str = "51/raw/photo/vertical/a.jpg";

    fn photo() -> Asset {
        Asset::new(KEY, MediaType::PhotoVertical)
    }

    fn rendition(name: &str, bytes: u64) -> Rendition {
        Rendition {
            name: name.into(),
            key: format!("51/thumb/photo/vertical/a_{name}.jpg"),
            content_type: "image/jpeg".into(),
            pixels: None,
            bytes,
            etag: "e".into(),
            crc32: None,
            reused: false,
        }
    }

    fn problem(state: &str, message: &str) -> Problem {
        Problem { state: state.into(), code: "Stage.Corrupt".into(), message: message.into() }
    }

    #[test]
    fn only_fields_that_are_set_replace_earlier_values() {
        let mut asset = photo();
        (asset.bytes, asset.title) = (Some(1), Some("Kitchen".into()));
        let mut additions = photo();
        (additions.bytes, additions.crc32) = (Some(2), Some(3));
        asset.merge_from(additions).unwrap();
        assert_eq!((asset.bytes, asset.crc32), (Some(2), Some(3)));
        assert_eq!(asset.title.as_deref(), Some("Kitchen"));
    }

    #[test]
    fn renditions_are_matched_by_name() {
        let mut asset = photo();
        asset.renditions = vec![rendition("320x240", 1), rendition("640x480", 1)];
        let mut additions = photo();
        additions.renditions = vec![rendition("640x480", 2), rendition("1280x960", 2)];
        asset.merge_from(additions).unwrap();
        let made: Vec<_> = asset.renditions.iter().map(|one| (one.name.as_str(), one.bytes)).collect();
        assert_eq!(made, [("320x240", 1), ("640x480", 2), ("1280x960", 2)]);
    }

    #[test]
    fn attributes_are_matched_by_name_and_never_removed() {
        let named = |pairs: &[(&str, &str)]| pairs.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
        let mut asset = photo();
        asset.attributes = named(&[("thumbhash", "old"), ("colour", "red")]);
        let mut additions = photo();
        additions.attributes = named(&[("thumbhash", "new"), ("faces", "2")]);
        asset.merge_from(additions).unwrap();
        asset.merge_from(photo()).unwrap();
        assert_eq!(asset.attributes, named(&[("colour", "red"), ("faces", "2"), ("thumbhash", "new")]));
    }

    #[test]
    fn files_and_attributes_of_the_batch_come_from_all_branches() {
        let (mut one, mut other) = (branch(51, 4), branch(51, 4));
        one.add_file(rendition("contact-sheet", 1));
        one.attributes.insert("cover".into(), "a.jpg".into());
        other.add_file(rendition("poster", 2));
        other.attributes.insert("rooms".into(), "5".into());
        let merged = merge_branches(vec![one, other]).unwrap();
        assert_eq!(merged.files.iter().map(|file| &*file.name).collect::<Vec<_>>(), ["contact-sheet", "poster"]);
        assert_eq!(merged.attributes.keys().collect::<Vec<_>>(), ["cover", "rooms"]);
    }

    #[test]
    fn a_verified_or_failed_file_stays_so() {
        let mut asset = photo();
        (asset.verified, asset.problem) = (true, Some(problem("A", "one")));
        asset.merge_from(photo()).unwrap();
        assert!(asset.verified);
        assert_eq!(asset.problem, Some(problem("A", "one")));
    }

    #[test]
    fn a_second_problem_is_added_to_the_first_once() {
        let mut asset = photo();
        asset.add_problem(problem("A", "one"));
        for _ in 0..2 {
            asset.add_problem(problem("A", "one"));
            asset.add_problem(problem("B", "two"));
        }
        let both = problem("A", "one; then B: Stage.Corrupt: two");
        assert_eq!(asset.problem, Some(both.clone()));

        let mut untouched = photo();
        untouched.add_problem(problem("A", "one"));
        untouched.merge_from(asset).unwrap();
        assert_eq!(untouched.problem, Some(both));
    }

    #[test]
    fn another_key_or_type_is_refused_and_changes_nothing() {
        let mut asset = photo();
        for mut wrong in [
            Asset::new("51/raw/photo/vertical/b.jpg", MediaType::PhotoVertical),
            Asset::new(KEY, MediaType::ProjectDoc),
        ] {
            wrong.verified = true;
            let error = asset.merge_from(wrong).unwrap_err().to_string();
            assert!(error.contains(KEY), "{error}");
        }
        assert_eq!(asset, photo());
    }

    #[test]
    fn a_file_that_is_not_in_the_batch_is_refused() {
        let mut batch = branch(51, 4);
        let error = batch.merge_asset(photo()).unwrap_err();
        assert!(matches!(error, MergeError::KeyChanged { .. }));
        batch.assets.push(photo());
        let mut additions = photo();
        additions.verified = true;
        batch.merge_asset(additions).unwrap();
        assert!(batch.assets[0].verified);
    }

    fn branch(listing: u64, job: u64) -> Batch {
        let mut batch =
            Batch::new(crate::Listing { id: crate::Id::Number(listing), field: crate::ListingField::ListingId });
        batch.job_id = Some(crate::Id::Number(job));
        batch
    }

    #[test]
    fn only_branches_of_one_batch_are_merged() {
        assert_eq!(merge_branches(Vec::new()), Err(MergeError::NoBranches));
        for (other, field) in [(branch(52, 4), "listing"), (branch(51, 5), "jobId")] {
            let error = merge_branches(vec![branch(51, 4), branch(51, 4), other]).unwrap_err();
            assert_eq!(error, MergeError::OtherBatch { branch: 2, field });
        }
    }

    proptest! {
        #[test]
        fn merging_a_batch_with_itself_changes_nothing(batch in arbitrary::batch()) {
            let merged = merge_branches(vec![batch.clone(), batch.clone()]).unwrap();
            prop_assert_eq!(merged, batch);
        }

        #[test]
        fn a_branch_that_did_nothing_removes_nothing(
            worked in arbitrary::batch(),
            first in any::<bool>(),
        ) {
            let mut idle = worked.clone();
            for asset in &mut idle.assets {
                *asset = Asset::new(asset.key.clone(), asset.media_type);
            }
            (idle.bundles, idle.files, idle.problems) = (Vec::new(), Vec::new(), Vec::new());
            idle.attributes.clear();
            let branches = if first { vec![idle, worked.clone()] } else { vec![worked.clone(), idle] };
            prop_assert_eq!(merge_branches(branches).unwrap(), worked);
        }

        #[test]
        fn results_of_different_branches_are_all_kept(
            batch in arbitrary::batch(),
            made in proptest::collection::vec((any::<Index>(), arbitrary::rendition()), 0..6),
        ) {
            prop_assume!(!batch.assets.is_empty());
            let mut expected = batch.clone();
            let mut branches = vec![batch.clone(), batch];
            for (index, rendition) in made {
                let place = index.index(expected.assets.len());
                expected.assets[place].add_rendition(rendition.clone());
                branches[place % 2].assets[place].add_rendition(rendition);
            }
            let by_name = |batch: &Batch| {
                let mut renditions: Vec<_> = batch.assets.iter().flat_map(|one| one.renditions.clone()).collect();
                renditions.sort_by(|one, other| (&one.name, &one.key).cmp(&(&other.name, &other.key)));
                renditions
            };
            let made = by_name(&expected);
            let merged = merge_branches(branches).unwrap();
            prop_assert_eq!(by_name(&merged).len(), made.len());
        }
    }
}
