//! How what a stage adds, and what parallel branches made, becomes one document again.
//!
//! Stages return additions, never the whole truth; the host merges them here, by the asset's key. So no path in the state
//! machine can lose a field, and no branch hides what another one made.

use crate::{Asset, Batch, Bundle, Problem, Rendition};

/// Two things that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// A stage answered with another file than it was given.
    #[error(
        "`{returned}` was returned in place of `{key}`: a stage must give an asset's key back unchanged"
    )]
    KeyChanged {
        /// The file it was given.
        key: String,
        /// The one it answered with.
        returned: String,
    },
    /// A stage changed what a file was uploaded as.
    #[error(
        "`{key}` was uploaded as {was} and returned as {returned}: its media type follows from its key"
    )]
    TypeChanged {
        /// The file.
        key: String,
        /// As it was uploaded.
        was: crate::MediaType,
        /// As it was returned.
        returned: crate::MediaType,
    },
    /// There is nothing to merge.
    #[error("there is no branch to merge: the list of batch documents is empty")]
    NoBranches,
    /// The branches do not belong to one batch.
    #[error(
        "branch {branch} has another {field} than branch 0: only branches of one batch can be merged"
    )]
    OtherBatch {
        /// Counted from 0.
        branch: usize,
        /// The field in which they differ.
        field: &'static str,
    },
}

impl Asset {
    /// Adds what a stage found or made. A field that is set in `additions` replaces the earlier one, one that is not
    /// leaves it; renditions are matched by name; once verified stays verified; a second problem is added to the first.
    ///
    /// Fails, and changes nothing, if `additions` is about another file or another media type.
    pub fn merge_from(&mut self, additions: Asset) -> Result<(), MergeError> {
        if additions.key != self.key {
            return Err(MergeError::KeyChanged {
                key: self.key.clone(),
                returned: additions.key,
            });
        }
        if additions.media_type != self.media_type {
            return Err(MergeError::TypeChanged {
                key: self.key.clone(),
                was: self.media_type,
                returned: additions.media_type,
            });
        }
        // Taken apart without `..`, so that a field which is added to the type cannot be forgotten here.
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
        if let Some(problem) = problem {
            self.add_problem(problem);
        }
        Ok(())
    }

    /// Adds a rendition, in place of an earlier one of that name.
    pub fn add_rendition(&mut self, rendition: Rendition) {
        replace_or_push(&mut self.renditions, rendition, |one| &one.name);
    }

    /// Records a failure. The first one stays in front, because it is usually the cause of the next; what another one
    /// says is added to its message.
    pub fn add_problem(&mut self, problem: Problem) {
        let Some(first) = &mut self.problem else {
            self.problem = Some(problem);
            return;
        };
        let same_kind = first.state == problem.state && first.code == problem.code;
        if same_kind && problem.message.starts_with(&first.message) {
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
    /// Adds an archive, in place of an earlier one of that name.
    pub fn add_bundle(&mut self, bundle: Bundle) {
        replace_or_push(&mut self.bundles, bundle, |one| &one.name);
    }

    /// Records that a state failed as a whole; once, however often it is told.
    pub fn add_problem(&mut self, problem: Problem) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Adds what a stage made of one file; a file that is not in the batch yet is refused as
    /// [`MergeError::KeyChanged`].
    pub fn merge_asset(&mut self, additions: Asset) -> Result<(), MergeError> {
        match self.assets.iter_mut().find(|one| one.key == additions.key) {
            Some(asset) => asset.merge_from(additions),
            None => Err(MergeError::KeyChanged {
                key: "any file of the batch".into(),
                returned: additions.key,
            }),
        }
    }
}

/// Makes one batch of what the branches of a Parallel state returned, in their order: assets by key, archives by name,
/// problems united. Every branch began with the same batch, so one that skipped its work takes nothing away.
///
/// Fails if there is none, or if they are not branches of one batch.
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
        return Err(MergeError::OtherBatch {
            branch: index,
            field,
        });
    }
    set(&mut merged.external_id, external_id);
    set(&mut merged.traceparent, traceparent);
    set(&mut merged.execution, execution);
    set(&mut merged.revision, revision);
    for asset in assets {
        match merged.assets.iter_mut().find(|one| one.key == asset.key) {
            Some(known) => known.merge_from(asset)?,
            None => merged.assets.push(asset),
        }
    }
    for bundle in bundles {
        merged.add_bundle(bundle);
    }
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
