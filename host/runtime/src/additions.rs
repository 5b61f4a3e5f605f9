//! What a stage returned, checked and merged into the batch.

use stagehost_batch::{Asset, Batch, Bundle, Case, Failure, Problem, Rendition};

use crate::grants::ListingGrants;
use crate::text::{quoted, recorded, shorten};

/// The most renditions of one file. A document with more would not fit Step Functions' payload limit.
const MAX_RENDITIONS: usize = 64;
/// The most archives of one batch, for the same reason.
const MAX_BUNDLES: usize = 64;

/// What a batch stage returned, in the document's types.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Additions {
    /// The assets that changed.
    pub assets: Vec<Asset>,
    /// Archives that it made or found up to date.
    pub bundles: Vec<Bundle>,
    /// Failures, each with the asset's key.
    pub failures: Vec<(String, Failure)>,
    /// One line for the log.
    pub note: Option<String>,
}

/// Returns a failure as the document records it.
pub(crate) fn problem(state: &str, failure: &Failure) -> Problem {
    Problem {
        state: state.to_owned(),
        code: failure.case.name().to_owned(),
        message: recorded(failure.message.clone()),
    }
}

/// Merges what a stage found out about an asset.
pub(crate) fn merge_asset(asset: &mut Asset, additions: Asset, grants: &ListingGrants) -> Result<(), Failure> {
    check_renditions(&additions.renditions, grants)?;
    asset.merge_from(additions).map_err(|e| Failure::new(Case::Internal, shorten(e.to_string())))
}

/// Merges what a batch stage returned; returns its note.
pub(crate) fn merge_batch(
    batch: &mut Batch,
    additions: Additions,
    state: &str,
    grants: &ListingGrants,
) -> Result<Option<String>, Failure> {
    check_bundles(&additions.bundles, grants)?;
    for addition in additions.assets {
        let asset = find(batch, &addition.key)?;
        merge_asset(asset, addition, grants)?;
    }
    for (key, failure) in additions.failures {
        find(batch, &key)?.problem.get_or_insert_with(|| problem(state, &failure));
    }
    for bundle in additions.bundles {
        batch.bundles.retain(|known| known.name != bundle.name);
        batch.bundles.push(bundle);
    }
    Ok(additions.note)
}

/// A rendition's key goes to the backend and into archives, so it must be one that the stage may read.
fn check_renditions(renditions: &[Rendition], grants: &ListingGrants) -> Result<(), Failure> {
    if renditions.len() > MAX_RENDITIONS {
        return Err(Failure::new(
            Case::Internal,
            format!("the stage claims {} renditions; at most {MAX_RENDITIONS} are taken", renditions.len()),
        ));
    }
    renditions.iter().try_for_each(|rendition| grants.may_read(&rendition.key))
}

fn check_bundles(bundles: &[Bundle], grants: &ListingGrants) -> Result<(), Failure> {
    if bundles.len() > MAX_BUNDLES {
        return Err(Failure::new(
            Case::Internal,
            format!("the stage claims {} bundles; at most {MAX_BUNDLES} are taken", bundles.len()),
        ));
    }
    bundles.iter().try_for_each(|bundle| grants.may_read(&bundle.key))
}

fn find<'a>(batch: &'a mut Batch, key: &str) -> Result<&'a mut Asset, Failure> {
    batch.assets.iter_mut().find(|asset| asset.key == key).ok_or_else(|| {
        Failure::new(Case::Internal, format!("the stage answered for {}, which is not in the batch", quoted(key)))
    })
}
