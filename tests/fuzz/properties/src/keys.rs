//! Keys of objects, and the names that are made from ids.

use stagehost_batch::{Area, Batch, Id, KeyParts, Listing, ListingField, bundle_key, derive_key};

const GOOD: &str = "51/raw/photo/vertical/2025-11-27/photo-001.jpg";

/// Any lines, as two sources, a suffix, an extension, the name of an archive and an id, give clean keys or errors. A key
/// is written as it was read, and a derived key belongs to one source.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (one, other, suffix, extension, name, id) = (line(), line(), line(), line(), line(), line());
    for source in [one, other] {
        if let Ok(parts) = KeyParts::parse(source) {
            is_clean(source);
            assert_eq!(parts.to_string(), source);
            assert!(
                parts.name.starts_with(parts.stem()) && parts.name.ends_with(parts.extension().unwrap_or_default())
            );
        }
    }
    for (source, suffix, extension) in [(one, suffix, extension), (GOOD, suffix, extension), (one, "320x240", "jpg")] {
        for area in Area::ALL {
            match derive_key(source, area, suffix, extension) {
                Ok(key) => derived_from(&key, source, area, suffix),
                Err(error) => {
                    assert!(error.to_string().len() < 2_000, "a message of {} bytes", error.to_string().len())
                }
            }
        }
    }
    one_source_each(one, other, suffix);
    in_batches(name, id);
}

fn is_clean(key: &str) {
    assert!(key.len() <= 1024, "{} bytes", key.len());
    assert!(!key.contains(char::is_control) && !key.contains('\\'), "{key:?}");
    assert!(key.split('/').all(|segment| !matches!(segment, "" | "." | "..")), "{key:?}");
}

fn derived_from(key: &str, source: &str, area: Area, suffix: &str) {
    is_clean(key);
    let (Ok(from), Ok(to)) = (KeyParts::parse(source), KeyParts::parse(key)) else {
        panic!("{key:?} or its source does not follow the layout");
    };
    assert_ne!(area, Area::Raw, "derived into the uploads");
    assert_eq!((&to.listing, to.area, to.media_type, &to.date), (&from.listing, area, from.media_type, &from.date));
    assert_eq!(to.stem().rsplit_once('_'), Some((from.stem(), suffix)));
}

/// Two sources share a derived key only if nothing but their extensions differs.
fn one_source_each(one: &str, other: &str, suffix: &str) {
    let derived = |source| derive_key(source, Area::Thumb, suffix, "jpg").ok().zip(KeyParts::parse(source).ok());
    if let (Some((key, one)), Some((same, other))) = (derived(one), derived(other)) {
        let stems = one.stem() == other.stem();
        let places = (&one.listing, one.media_type, &one.date) == (&other.listing, other.media_type, &other.date);
        assert_eq!(key == same, stems && places, "{one} and {other}");
    }
}

fn in_batches(name: &str, id: &str) {
    assert_eq!(Id::from_text(id).to_string(), id);
    let listing = Listing { id: Id::from_text(id), field: ListingField::ListingId };
    let mut batch = Batch::new(listing);
    if let Ok(key) = bundle_key(&batch, name) {
        is_clean(&key);
    }
    batch.listing.id = Id::Number(51);
    (batch.batch_id, batch.job_id) = (Some(Id::from_text(id)), Some(Id::from_text(name)));
    match bundle_key(&batch, "complete") {
        Ok(key) => is_clean(&key),
        Err(error) => panic!("an id of the backend has no folder: {error}"),
    }
    let execution = batch.execution_name();
    assert!((1..=80).contains(&execution.len()), "{execution}");
    assert!(execution.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')), "{execution}");
    let mut retried = batch.clone();
    retried.retry += 1;
    assert_ne!(retried.execution_name(), execution);
}
