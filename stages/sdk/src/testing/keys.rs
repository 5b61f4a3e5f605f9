//! The layout of keys, as far as tests of stages need it: the host's own checks are stricter.

use crate::bindings::toq::media::keys::{Area, Parts};
use crate::bindings::toq::media::types::{Failure, MediaType};

/// Splits `{listing}/{area}/{media}/{date}/{name}`; the date may be missing.
pub(crate) fn parse(key: &str) -> Result<Parts, Failure> {
    let refuse = || Failure::InvalidInput(format!("{key:?} does not follow the layout of keys"));
    let segments: Vec<_> = key.split('/').collect();
    let (listing, area, family, kind, date, name) = match segments[..] {
        [listing, area, family, kind, name] => (listing, area, family, kind, None, name),
        [listing, area, family, kind, date, name] => (listing, area, family, kind, Some(date), name),
        _ => return Err(refuse()),
    };
    let area = AREAS.iter().find(|(_, text)| *text == area).map(|(area, _)| *area).ok_or_else(refuse)?;
    let media_type = match (family, kind) {
        ("photo", "vertical") => MediaType::PhotoVertical,
        ("photo", "horizontal") => MediaType::PhotoHorizontal,
        ("video", "vertical") => MediaType::VideoVertical,
        ("video", "horizontal") => MediaType::VideoHorizontal,
        ("project", "doc") => MediaType::ProjectDoc,
        ("project", "render") => MediaType::ProjectRender,
        _ => return Err(refuse()),
    };
    if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
        return Err(refuse());
    }
    let (listing, date, name) = (listing.to_owned(), date.map(str::to_owned), name.to_owned());
    Ok(Parts { listing, area, media_type, date, name })
}

const AREAS: [(Area, &str); 4] =
    [(Area::Raw, "raw"), (Area::Processed, "processed"), (Area::Thumb, "thumb"), (Area::Zip, "zip")];

/// Returns the key of a file made from `source`.
pub(crate) fn derive(source: &str, area: Area, suffix: &str, extension: &str) -> Result<String, Failure> {
    parse(source)?;
    let plain = |text: &str| !text.is_empty() && !text.contains(['/', '\\']);
    if !plain(suffix) || !plain(extension) {
        return Err(Failure::InvalidInput(format!("{suffix:?} or {extension:?} cannot be part of a key")));
    }
    let area = AREAS.iter().find(|(known, _)| *known == area).map_or("processed", |(_, text)| text);
    let mut segments: Vec<_> = source.split('/').collect();
    let name = segments.pop().unwrap_or_default();
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let name = format!("{stem}_{suffix}.{extension}");
    if let Some(place) = segments.get_mut(1) {
        *place = area;
    }
    segments.push(&name);
    Ok(segments.join("/"))
}

/// Returns the key of an archive of the batch.
pub(crate) fn bundle(listing: &str, name: &str) -> Result<String, Failure> {
    if name.is_empty() || name.contains(['/', '\\']) {
        return Err(Failure::InvalidInput(format!("{name:?} cannot be part of a key")));
    }
    Ok(format!("{listing}/zip/batch/{name}.zip"))
}
