//! Checks that the objects of a stage's answer are stored. Their keys go to the backend, and later states read them: a rendition
//! that was never written would fail there, or be reported as made.

use stagehost_batch::{Asset, Batch, Bundle, Case, Failure, Rendition};

use crate::additions::MAX_RENDITIONS;
use crate::budget::HostBudget;
use crate::call::{CallInput, CallOutput};
use crate::grants::ListingGrants;
use crate::host::known_objects::KnownObjects;
use crate::text::quoted;

/// Adds the objects of a call's input to those that it knows of.
pub(crate) fn add_input(known: &mut KnownObjects, budget: &HostBudget, input: &CallInput) {
    match input {
        CallInput::Asset(asset) => add_asset(known, budget, asset),
        CallInput::Batch(batch) => add_batch(known, budget, batch),
    }
}

fn add_asset(known: &mut KnownObjects, budget: &HostBudget, asset: &Asset) {
    if let Some(etag) = &asset.etag {
        known.add(budget, &asset.key, etag);
    }
    asset.renditions.iter().for_each(|rendition| known.add(budget, &rendition.key, &rendition.etag));
}

fn add_batch(known: &mut KnownObjects, budget: &HostBudget, batch: &Batch) {
    batch.assets.iter().for_each(|asset| add_asset(known, budget, asset));
    batch.files.iter().for_each(|file| known.add(budget, &file.key, &file.etag));
    batch.bundles.iter().for_each(|bundle| known.add(budget, &bundle.key, ""));
}

/// Checks that the call knows each object of its answer from the host: that it was in the input, or that the call has written
/// it, looked at it, opened it or found it. Objects that the stage may not read, and assets with too many renditions, are left to
/// the checks of [`crate::additions`], which refuse them.
///
/// # Errors
/// `Internal`; the message names the first one that is not stored.
pub(crate) fn check_stored(output: &CallOutput, known: &KnownObjects, grants: &ListingGrants) -> Result<(), Failure> {
    let all = |made: &[Rendition]| made.iter().try_for_each(|one| check(one, known, grants));
    let of_asset =
        |asset: &Asset| if asset.renditions.len() > MAX_RENDITIONS { Ok(()) } else { all(&asset.renditions) };
    match output {
        CallOutput::Asset(asset) => of_asset(asset),
        CallOutput::Batch(additions) => {
            additions.assets.iter().try_for_each(of_asset)?;
            // However many there are: entries for names that the batch has already are not too many for it.
            all(&additions.files)?;
            additions.bundles.iter().try_for_each(|bundle| check_bundle(bundle, known, grants))
        }
    }
}

fn check(rendition: &Rendition, known: &KnownObjects, grants: &ListingGrants) -> Result<(), Failure> {
    let Rendition { name, key, etag, .. } = rendition;
    if grants.may_read(key).is_err() || known.contains(key, Some(etag)) {
        return Ok(());
    }
    let there = match known.contains(key, None) {
        true => format!("{} has another entity tag than {}", quoted(key), quoted(etag)),
        false => format!("it has neither written nor looked at {} in this call", quoted(key)),
    };
    Err(Failure::new(Case::Internal, format!("the stage names the rendition {}, but {there}", quoted(name))))
}

fn check_bundle(bundle: &Bundle, known: &KnownObjects, grants: &ListingGrants) -> Result<(), Failure> {
    if grants.may_read(&bundle.key).is_err() || known.contains(&bundle.key, None) {
        return Ok(());
    }
    let (name, key) = (quoted(&bundle.name), quoted(&bundle.key));
    let message =
        format!("the stage names the bundle {name}, but it has neither written nor looked at {key} in this call");
    Err(Failure::new(Case::Internal, message))
}

#[cfg(test)]
mod tests {
    use stagehost_batch::MediaType;

    use super::*;
    use crate::additions::Additions;
    use crate::grants::Grants;

    const MADE: &str = "51/thumb/photo/vertical/a_320x240.jpg";

    fn grants() -> ListingGrants {
        Grants { write: vec!["{listingId}/".into()], ..Grants::default() }.for_listing("51")
    }

    fn budget() -> HostBudget {
        HostBudget::of_call(16)
    }

    fn rendition(key: &str, etag: &str) -> Rendition {
        Rendition {
            name: "320x240".into(),
            key: key.into(),
            content_type: "image/jpeg".into(),
            pixels: None,
            bytes: 1,
            etag: etag.into(),
            crc32: None,
            reused: false,
        }
    }

    fn photo(renditions: Vec<Rendition>) -> Box<Asset> {
        Box::new(Asset { renditions, ..Asset::new("51/raw/photo/vertical/a.jpg", MediaType::PhotoVertical) })
    }

    fn refused(output: &CallOutput, known: &KnownObjects) -> String {
        check_stored(output, known, &grants()).expect_err("it is refused").message
    }

    #[test]
    fn a_rendition_that_the_call_has_not_written_is_refused() {
        let output = CallOutput::Asset(photo(vec![rendition(MADE, "1")]));
        let mut known = KnownObjects::default();
        assert!(refused(&output, &known).contains("it has neither written nor looked at"));
        known.add(&budget(), MADE, "2");
        assert!(refused(&output, &known).contains("has another entity tag than"));
        known.add(&budget(), MADE, "1");
        assert_eq!(check_stored(&output, &known, &grants()), Ok(()));
    }

    #[test]
    fn what_an_earlier_stage_made_may_be_returned() {
        let mut known = KnownObjects::default();
        add_input(&mut known, &budget(), &CallInput::Asset(photo(vec![rendition(MADE, "1")])));
        let output = CallOutput::Asset(photo(vec![rendition(MADE, "1")]));
        assert_eq!(check_stored(&output, &known, &grants()), Ok(()));
    }

    #[test]
    fn the_upload_itself_may_be_a_rendition() {
        let upload = Asset { etag: Some("1".into()), ..*photo(vec![]) };
        let mut known = KnownObjects::default();
        add_input(&mut known, &budget(), &CallInput::Asset(Box::new(upload.clone())));
        let output = CallOutput::Asset(photo(vec![rendition(&upload.key, "1")]));
        assert_eq!(check_stored(&output, &known, &grants()), Ok(()));
        assert!(refused(&output, &KnownObjects::default()).contains("neither written nor looked at"));
    }

    #[test]
    fn files_and_bundles_of_a_batch_are_checked_as_well() {
        let known = KnownObjects::default();
        let files = Additions { files: vec![rendition("51/thumb/sheet.jpg", "1")], ..Additions::default() };
        assert!(refused(&CallOutput::Batch(files), &known).contains("sheet.jpg"));
        let many = vec![rendition("51/thumb/sheet.jpg", "1"); MAX_RENDITIONS + 1];
        let files = Additions { files: many, ..Additions::default() };
        assert!(refused(&CallOutput::Batch(files), &known).contains("sheet.jpg"));
        let key = "51/zip/photos.zip".to_owned();
        let bundle = Bundle { name: "photos".into(), key, bytes: 1, entries: 1, unpacked_bytes: 1, reused: false };
        let bundles = Additions { bundles: vec![bundle], ..Additions::default() };
        assert!(refused(&CallOutput::Batch(bundles), &known).contains("the bundle \"photos\""));
    }

    #[test]
    fn a_key_that_the_stage_may_not_read_is_left_to_the_check_of_grants() {
        let output = CallOutput::Asset(photo(vec![rendition("52/thumb/theirs.jpg", "1")]));
        assert_eq!(check_stored(&output, &KnownObjects::default(), &grants()), Ok(()));
    }
}
