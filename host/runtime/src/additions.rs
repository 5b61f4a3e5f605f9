//! Checks what a stage returned and merges it into the batch.

use std::collections::BTreeMap;

use stagehost_batch::{Asset, Batch, Bundle, Case, Failure, MAX_ATTRIBUTES, Problem, Rendition, attribute_fault};

use crate::grants::ListingGrants;
use crate::text::{quoted, recorded, shorten};

/// The most renditions of one file. A document with more would not fit Step Functions' payload limit.
pub(crate) const MAX_RENDITIONS: usize = 64;
/// The most archives of one batch, for the same reason.
const MAX_BUNDLES: usize = 64;
/// The most files of one batch as a whole, for the same reason.
const MAX_FILES: usize = 64;

/// What a batch stage returned, in the document's types.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Additions {
    /// The assets that changed.
    pub assets: Vec<Asset>,
    /// Archives that it made or found up to date.
    pub bundles: Vec<Bundle>,
    /// Files of the batch as a whole that it made or found up to date.
    pub files: Vec<Rendition>,
    /// What it found out about the batch as a whole, as it returned it.
    pub attributes: Vec<(String, String)>,
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
    check_renditions(&additions.renditions, &asset.renditions, grants)?;
    check_attributes(additions.attributes.iter(), &asset.attributes)?;
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
    check_files(&additions.files, &batch.files, grants)?;
    check_attributes(additions.attributes.iter().map(|(name, value)| (name, value)), &batch.attributes)?;
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
    for file in additions.files {
        batch.add_file(file);
    }
    batch.attributes.extend(additions.attributes);
    Ok(additions.note)
}

/// Checks that the stage may read every rendition's key, because the key goes to the backend and into archives. A
/// rendition that an earlier stage made and this one returns unchanged is not checked again. Errors: `Internal` if
/// there are too many, `Denied` for a key without a grant.
fn check_renditions(renditions: &[Rendition], known: &[Rendition], grants: &ListingGrants) -> Result<(), Failure> {
    if renditions.len() > MAX_RENDITIONS {
        return Err(Failure::new(
            Case::Internal,
            format!("the stage claims {} renditions; at most {MAX_RENDITIONS} are accepted", renditions.len()),
        ));
    }
    let mut added = renditions.iter().filter(|rendition| !known.contains(rendition));
    added.try_for_each(|rendition| grants.may_read(&rendition.key))
}

/// Checks the batch's files like renditions, because their keys go to the backend as well.
fn check_files(files: &[Rendition], known: &[Rendition], grants: &ListingGrants) -> Result<(), Failure> {
    let new = files.iter().filter(|file| known.iter().all(|known| known.name != file.name)).count();
    // Branches that were merged may have more together; a stage that adds none to them is not at fault.
    if new > 0 && known.len() + new > MAX_FILES {
        let message =
            format!("with those of this stage the batch has {} files; at most {MAX_FILES}", known.len() + new);
        return Err(Failure::new(Case::Internal, message));
    }
    files.iter().filter(|file| !known.contains(file)).try_for_each(|file| grants.may_read(&file.key))
}

fn check_attributes<'a>(
    added: impl Iterator<Item = (&'a String, &'a String)>,
    known: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    let mut new = 0;
    for (name, value) in added {
        if let Some(fault) = attribute_fault(name, value) {
            return Err(Failure::new(
                Case::Internal,
                format!("the attribute {} cannot be accepted: {fault}", quoted(name)),
            ));
        }
        new += usize::from(!known.contains_key(name));
    }
    let count = known.len() + new;
    // Merged branches may have more, as for files above.
    if new > 0 && count > MAX_ATTRIBUTES {
        let message =
            format!("with those of this stage there are {count} attributes; at most {MAX_ATTRIBUTES} are accepted");
        return Err(Failure::new(Case::Internal, message));
    }
    Ok(())
}

fn check_bundles(bundles: &[Bundle], grants: &ListingGrants) -> Result<(), Failure> {
    if bundles.len() > MAX_BUNDLES {
        return Err(Failure::new(
            Case::Internal,
            format!("the stage claims {} bundles; at most {MAX_BUNDLES} are accepted", bundles.len()),
        ));
    }
    bundles.iter().try_for_each(|bundle| grants.may_read(&bundle.key))
}

fn find<'a>(batch: &'a mut Batch, key: &str) -> Result<&'a mut Asset, Failure> {
    batch.assets.iter_mut().find(|asset| asset.key == key).ok_or_else(|| {
        Failure::new(Case::Internal, format!("the stage answered for {}, which is not in the batch", quoted(key)))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use stagehost_batch::{Id, Listing, ListingField, MediaType};

    use super::*;
    use crate::grants::Grants;

    const KEY: &str = "51/raw/photo/vertical/a.jpg";

    fn grants() -> ListingGrants {
        Grants { write: vec!["{listingId}/processed/".into()], ..Grants::default() }.for_listing("51")
    }

    fn rendition(name: &str, key: &str) -> Rendition {
        Rendition {
            name: name.into(),
            key: key.into(),
            content_type: "image/jpeg".into(),
            pixels: None,
            bytes: 1,
            etag: "e".into(),
            crc32: None,
            reused: false,
        }
    }

    fn photo() -> Asset {
        Asset::new(KEY, MediaType::PhotoVertical)
    }

    fn batch() -> Batch {
        let mut batch = Batch::new(Listing { id: Id::Number(51), field: ListingField::ListingId });
        batch.assets.push(photo());
        batch
    }

    fn with_attributes(count: usize) -> Additions {
        let attributes = (0..count).map(|number| (format!("a{number}"), "v".to_owned())).collect();
        Additions { attributes, ..Additions::default() }
    }

    #[test]
    fn a_rendition_of_an_earlier_stage_needs_no_grant_and_a_new_one_does() {
        let mut asset = photo();
        asset.renditions.push(rendition("320x240", "51/thumb/photo/vertical/a_320x240.jpg"));
        let same = asset.clone();
        merge_asset(&mut asset, same, &grants()).unwrap();
        let mut claimed = asset.clone();
        claimed.renditions[0].key = "52/thumb/photo/vertical/a_320x240.jpg".into();
        assert_eq!(merge_asset(&mut asset, claimed, &grants()).unwrap_err().case, Case::Denied);
    }

    #[test]
    fn attributes_are_bounded_in_number_and_form() {
        let mut batch = batch();
        merge_batch(&mut batch, with_attributes(32), "State", &grants()).unwrap();
        merge_batch(&mut batch, with_attributes(32), "State", &grants()).unwrap();
        assert_eq!(batch.attributes.len(), 32);
        let one_more = Additions { attributes: vec![("b".into(), String::new())], ..Additions::default() };
        let refused = merge_batch(&mut batch, one_more, "State", &grants()).unwrap_err();
        assert!(refused.message.contains("33 attributes; at most 32"), "{refused}");

        let mut asset = photo();
        let mut named = photo();
        named.attributes.insert("two words".into(), "v".into());
        let refused = merge_asset(&mut asset, named, &grants()).unwrap_err();
        assert!(refused.message.contains("the attribute \"two words\" cannot be accepted: its name"), "{refused}");
    }

    #[test]
    fn a_stage_is_not_refused_for_what_merged_branches_have_together() {
        let mut batch = batch();
        batch.attributes.extend(with_attributes(40).attributes);
        batch.files.extend((0..70).map(|number| rendition(&format!("f{number}"), "51/processed/f.jpg")));
        merge_batch(&mut batch, with_attributes(0), "State", &grants()).unwrap();
        merge_batch(&mut batch, with_attributes(1), "State", &grants()).unwrap();
        let one_more = Additions { files: vec![rendition("g", "51/processed/g.jpg")], ..Additions::default() };
        let refused = merge_batch(&mut batch, one_more, "State", &grants()).unwrap_err();
        assert!(refused.message.contains("71 files; at most 64"), "{refused}");

        let mut asset = photo();
        asset.attributes.extend(with_attributes(40).attributes);
        let same = asset.clone();
        merge_asset(&mut asset, same, &grants()).unwrap();
        assert_eq!(asset.attributes.len(), 40);
    }

    #[test]
    fn files_of_the_batch_are_matched_by_name_and_need_a_grant() {
        let mut batch = batch();
        let add = |name: &str, key: &str| Additions { files: vec![rendition(name, key)], ..Additions::default() };
        merge_batch(&mut batch, add("sheet", "51/processed/sheet.jpg"), "State", &grants()).unwrap();
        merge_batch(&mut batch, add("sheet", "51/processed/sheet-2.jpg"), "State", &grants()).unwrap();
        assert_eq!(batch.files.iter().map(|file| &*file.key).collect::<Vec<_>>(), ["51/processed/sheet-2.jpg"]);
        let refused = merge_batch(&mut batch, add("other", "52/processed/x.jpg"), "State", &grants()).unwrap_err();
        assert_eq!(refused.case, Case::Denied);
    }
}
