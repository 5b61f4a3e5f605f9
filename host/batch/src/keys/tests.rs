#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;
use crate::{Asset, Id, Listing, ListingField};

const DATED: &str = "51/raw/photo/vertical/2025-11-27/photo-001.jpg";
const UNDATED: &str = "28/raw/photo/horizontal/horizontal-01-IMG.jpg";

fn is_clean(key: &str) -> bool {
    key.len() <= KEY_MAX
        && !key.contains(char::is_control)
        && key.split('/').all(|segment| !["", ".", ".."].contains(&segment))
}

#[test]
fn a_key_with_a_date_is_parsed() {
    let parts = KeyParts::parse(DATED).unwrap();
    assert_eq!(parts.listing, "51");
    assert_eq!(parts.area, Area::Raw);
    assert_eq!(parts.media_type, MediaType::PhotoVertical);
    assert_eq!(parts.date.as_deref(), Some("2025-11-27"));
    assert_eq!(parts.name, "photo-001.jpg");
    assert_eq!((parts.stem(), parts.extension()), ("photo-001", Some("jpg")));
}

#[test]
fn a_key_without_a_date_is_parsed() {
    let parts = KeyParts::parse(UNDATED).unwrap();
    assert_eq!(parts.date, None);
    assert_eq!(parts.to_string(), UNDATED);
}

#[test]
fn a_key_that_does_not_follow_the_layout_is_refused_with_the_reason() {
    for (key, reason) in [
        ("", "empty segment"),
        ("photo.jpg", "too few segments"),
        ("51/raw/photo/vertical", "too few segments"),
        ("51/raw/photo/vertical/", "empty segment"),
        ("51//photo/vertical/a.jpg", "empty segment"),
        ("/51/raw/photo/vertical/a.jpg", "empty segment"),
        ("51/raw/photo/vertical/../a.jpg", "`.` or `..`"),
        ("../raw/photo/vertical/a.jpg", "`.` or `..`"),
        ("51/raw/photo/vertical/a\n.jpg", "control character"),
        ("51/raw/photo/vertical/..\\a.jpg", "backslash"),
        ("51/cooked/photo/vertical/a.jpg", "not an area"),
        ("51/raw/photo/diagonal/a.jpg", "media type"),
        ("51/raw/PHOTO/VERTICAL/a.jpg", "media type"),
        ("51/raw/photo/vertical/2025-02-30/a.jpg", "not a date"),
        ("51/raw/photo/vertical/x/a.jpg", "not a date"),
        ("51/raw/photo/vertical/2025-11-27/x/a.jpg", "too many"),
        ("5 1/raw/photo/vertical/a.jpg", "listing"),
        ("51/zip/batch-5/complete.zip", "too few"),
    ] {
        let error = KeyParts::parse(key).unwrap_err().to_string();
        assert!(error.contains(reason), "{key:?}: {error}");
    }
}

#[test]
fn a_derived_key_has_the_sources_listing_type_and_date_and_its_own_extension() {
    assert_eq!(
        derive_key(DATED, Area::Thumb, "320x240", "webp").unwrap(),
        "51/thumb/photo/vertical/2025-11-27/photo-001_320x240.webp"
    );
    assert_eq!(
        derive_key(UNDATED, Area::Processed, "1080p", "MP4").unwrap(),
        "28/processed/photo/horizontal/horizontal-01-IMG_1080p.mp4"
    );
}

#[test]
fn a_name_without_a_stem_or_extension_gives_a_clean_derived_key() {
    for (name, derived) in [
        ("plain", "plain_s.jpg"),
        (".jpg", ".jpg_s.jpg"),
        ("a.", "a_s.jpg"),
        ("...", ".._s.jpg"),
        ("a.tar.gz", "a.tar_s.jpg"),
    ] {
        let source = format!("51/raw/photo/vertical/{name}");
        let key = derive_key(&source, Area::Thumb, "s", "jpg").unwrap();
        assert_eq!(key, format!("51/thumb/photo/vertical/{derived}"));
    }
}

#[test]
fn no_key_can_be_derived_into_the_uploads() {
    assert_eq!(derive_key(DATED, Area::Raw, "small", "jpg"), Err(KeyError::IntoRaw));
}

#[test]
fn a_suffix_or_extension_that_would_change_the_path_is_refused() {
    for suffix in ["", "a/b", "../x", "a_b", ".", "x.", "é", "a\0", "a b"] {
        assert!(derive_key(DATED, Area::Thumb, suffix, "jpg").is_err(), "{suffix:?}");
    }
    for extension in ["", ".jpg", "jp/g", "tar.gz", "verylongextension"] {
        assert!(derive_key(DATED, Area::Thumb, "s", extension).is_err(), "{extension:?}");
    }
}

#[test]
fn a_derived_key_that_is_too_long_for_s3_is_refused() {
    let source = format!("51/raw/photo/vertical/{}", "x".repeat(1000));
    assert!(KeyParts::parse(&source).is_ok());
    let error = derive_key(&source, Area::Thumb, "1280x960", "jpg").unwrap_err();
    assert!(matches!(error, KeyError::TooLong { .. }), "{error}");
}

fn batch(listing: Id) -> Batch {
    Batch::new(Listing { id: listing, field: ListingField::ListingId })
}

#[test]
fn every_batch_has_its_own_folder_of_archives() {
    let mut one = batch(Id::Number(51));
    one.job_id = Some(Id::Number(4));
    assert_eq!(bundle_key(&one, "complete").unwrap(), "51/zip/job-4/complete.zip");
    one.batch_id = Some(Id::Number(5));
    assert_eq!(bundle_key(&one, "complete").unwrap(), "51/zip/batch-5/complete.zip");
    assert!(bundle_key(&one, "../complete").is_err());
    assert!(bundle_key(&batch(Id::Text("a/b".into())), "complete").is_err());
}

#[test]
fn without_ids_the_folder_of_archives_depends_on_the_files() {
    let mut one = batch(Id::Number(51));
    let empty = bundle_key(&one, "complete").unwrap();
    one.assets.push(crate::Asset::new(DATED, MediaType::PhotoVertical));
    assert_ne!(bundle_key(&one, "complete").unwrap(), empty);
}

fn never_unclean(text: &str) -> Result<(), TestCaseError> {
    if let Ok(parts) = KeyParts::parse(text) {
        prop_assert!(is_clean(text));
        prop_assert_eq!(parts.to_string(), text);
    }
    let named = format!("51/raw/photo/vertical/{text}");
    for source in [text, named.as_str()] {
        if let Ok(key) = derive_key(source, Area::Thumb, "320x240", "jpg") {
            prop_assert!(is_clean(&key), "{:?}", key);
            let parts = KeyParts::parse(&key);
            prop_assert!(parts.is_ok(), "{:?}", key);
        }
    }
    for word in [
        derive_key(DATED, Area::Thumb, text, "jpg"),
        derive_key(DATED, Area::Thumb, "s", text),
        bundle_key(&batch(Id::Number(51)), text),
        bundle_key(&batch(Id::from_text(text)), "complete"),
    ] {
        prop_assert!(word.is_err() || is_clean(&word.unwrap()));
    }
    let mut odd = batch(Id::Number(51));
    odd.batch_id = Some(Id::from_text(text));
    prop_assert!(is_clean(&bundle_key(&odd, "complete").unwrap()));
    Ok(())
}

fn name() -> impl Strategy<Value = String> {
    "[^/\\\\\\p{C}]{1,40}".prop_filter("a name", |name| !matches!(name.as_str(), "." | ".."))
}

fn batch_of(names: &[String]) -> Batch {
    let mut batch = Batch::new(Listing { id: Id::Number(51), field: ListingField::ListingId });
    let key = |name: &String| format!("51/raw/photo/vertical/2025-11-27/{name}");
    batch.assets = names.iter().map(|name| Asset::new(key(name), MediaType::PhotoVertical)).collect();
    batch
}

#[test]
fn files_that_differ_in_their_extension_only_keep_it_in_derived_names_and_no_other_file_does() {
    let names = ["kitchen.jpg", "kitchen.png", "IMG_1.HEIC", "IMG_1.JPG", "Plan.jpg", "plan.jpg", "hall.jpg"];
    let batch = batch_of(&names.map(str::to_owned));
    let derived: Vec<_> = batch
        .assets
        .iter()
        .map(|asset| derive_key_in(&batch, &asset.key, Area::Thumb, "320x240", "jpg").unwrap())
        .map(|key| key.rsplit('/').next().unwrap().to_owned())
        .collect();
    assert_eq!(
        derived,
        [
            "kitchen.jpg_320x240.jpg",
            "kitchen.png_320x240.jpg",
            "IMG_1.HEIC_320x240.jpg",
            "IMG_1.JPG_320x240.jpg",
            "Plan_320x240.jpg",
            "plan_320x240.jpg",
            "hall_320x240.jpg",
        ]
    );
    // A file of the same name in another folder is not a twin.
    let mut apart = batch_of(&["kitchen.jpg".to_owned()]);
    apart.assets.push(Asset::new("51/raw/photo/vertical/2025-11-28/kitchen.png", MediaType::PhotoVertical));
    let key = derive_key_in(&apart, &apart.assets[0].key, Area::Thumb, "320x240", "jpg").unwrap();
    assert_eq!(key, derive_key(&apart.assets[0].key, Area::Thumb, "320x240", "jpg").unwrap());
}

proptest! {
    #[test]
    fn no_two_files_of_a_batch_share_a_derived_key_in_any_order(
        names in proptest::collection::btree_set("[ab]{1,2}(\\.[ab]){0,3}", 1..12), turn in 0usize..12,
    ) {
        let mut names: Vec<String> = names.into_iter().collect();
        let derive = |names: &[String]| -> std::collections::BTreeMap<String, String> {
            let batch = batch_of(names);
            let key = |asset: &Asset| derive_key_in(&batch, &asset.key, Area::Thumb, "320x240", "jpg").unwrap();
            batch.assets.iter().map(|asset| (asset.key.clone(), key(asset))).collect()
        };
        let keys = derive(&names);
        let different: std::collections::BTreeSet<_> = keys.values().collect();
        prop_assert_eq!(different.len(), names.len(), "{:?}", keys);
        let count = names.len();
        names.rotate_left(turn % count);
        prop_assert_eq!(derive(&names), keys);
    }

    #[test]
    fn any_text_gives_a_clean_key_or_an_error(text in ".*") {
        never_unclean(&text)?;
    }

    #[test]
    fn texts_that_nearly_follow_the_layout_give_a_clean_key_or_an_error(
        text in "(51|a b|\\.\\.|)/(raw|zip|x)/(photo|video|project)/(vertical|doc|\\.\\.)/(2025-1[0-9]-[0-3][0-9]/)?[a-z./\\\\\u{0}\u{7f} ]{0,12}"
    ) {
        never_unclean(&text)?;
    }

    #[test]
    fn every_valid_key_is_parsed_and_written_unchanged(
        listing in "[A-Za-z0-9_-]{1,64}",
        area in proptest::sample::select(Area::ALL.to_vec()),
        media_type in proptest::sample::select(MediaType::ALL.to_vec()),
        dated in any::<bool>(),
        name in name(),
    ) {
        let date = dated.then(|| "2025-11-27".to_owned());
        let parts = KeyParts { listing, area, media_type, date, name };
        prop_assert_eq!(KeyParts::parse(&parts.to_string()).unwrap(), parts);
    }

    #[test]
    fn different_stems_or_suffixes_never_share_a_derived_key(
        one in ("[a_0-9]{1,6}", "[a0-9-]{1,4}"),
        other in ("[a_0-9]{1,6}", "[a0-9-]{1,4}"),
    ) {
        let key = |(stem, suffix): &(String, String)| {
            let source = format!("51/raw/photo/vertical/{stem}.jpg");
            derive_key(&source, Area::Thumb, suffix, "jpg").unwrap()
        };
        prop_assert_eq!(key(&one) == key(&other), one == other);
    }
}

#[test]
fn well_known_naughty_strings_give_a_clean_key_or_an_error() {
    // A public list that is not part of the repository.
    let Some(list) = stagehost_needs::media("naughty-strings.txt") else { return };
    let list = std::fs::read(list).unwrap();
    for line in String::from_utf8_lossy(&list).lines() {
        never_unclean(line).unwrap();
    }
}
