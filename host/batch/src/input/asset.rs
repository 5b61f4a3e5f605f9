//! One file of the input: a key, or an object with a key.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::error::{InputError, describe};
use super::fault::{FIRST_STATE, fault};
use super::fields::{Fields, whole};
use crate::document::{Asset, Listing, Problem};
use crate::failure::Case;
use crate::keys::{Area, KeyParts, quote};
use crate::media::{Family, MediaType};

const ACCEPTED: &str = "the file's key is accepted, or an object with it in `key`";
/// The type of a file whose real type is unknown. Documents are the type that the fewest stages touch.
const PLACEHOLDER: MediaType = MediaType::ProjectDoc;

/// Reads one file of `listing`. Faults are recorded in its `problem`.
///
/// # Errors
/// If no file is named, as by an empty key, so that the backend could not be told which one failed.
pub(super) fn read(value: &Value, path: &str, listing: &Listing) -> Result<Asset, InputError> {
    let mut faults = Vec::new();
    let asset = match value {
        Value::String(key) if !key.is_empty() => from_key(key, None, listing, &mut faults),
        Value::Object(object) => {
            let fields = Fields::new(object, path);
            let key = key_of(&fields, &mut faults)?;
            let declared = fields.get("type");
            let mut asset = from_key(&key, declared, listing, &mut faults);
            read_details(&fields, &mut asset, &mut faults);
            asset.problem = earlier_fault(&fields);
            asset
        }
        other => return Err(InputError::unexpected(path, other, ACCEPTED)),
    };
    Ok(with_faults(asset, faults))
}

fn with_faults(mut asset: Asset, faults: Vec<String>) -> Asset {
    // A fault that was recorded when the message was first read stays as it is.
    if asset.problem.is_none() && !faults.is_empty() {
        asset.problem = Some(fault(faults.join("; ")));
    }
    asset
}

/// Returns the file's key. If the object has two keys, the one of an upload is used.
fn key_of(fields: &Fields, faults: &mut Vec<String>) -> Result<String, InputError> {
    let text = |name: &str| match fields.get(name) {
        Some(Value::String(key)) if !key.is_empty() => Ok(Some(key.clone())),
        None | Some(Value::String(_)) => Ok(None),
        Some(other) => Err(InputError::unexpected(fields.path_of(name), other, "the file's key is accepted, as text")),
    };
    let is_raw = |key: &str| KeyParts::parse(key).is_ok_and(|parts| parts.area == Area::Raw);
    match (text("key")?, text("sourceKey")?) {
        (Some(key), None) | (None, Some(key)) => Ok(key),
        (Some(key), Some(source)) if key == source => Ok(key),
        (Some(key), Some(source)) if is_raw(&source) && !is_raw(&key) => Ok(source),
        (Some(key), Some(source)) => {
            faults.push(format!("it has key {} and sourceKey {}: one upload is accepted", quote(&key), quote(&source)));
            Ok(key)
        }
        (None, None) => Err(InputError::Missing { path: fields.path_of("key"), accepted: ACCEPTED }),
    }
}

fn from_key(key: &str, declared: Option<&Value>, listing: &Listing, faults: &mut Vec<String>) -> Asset {
    let by_key = match KeyParts::parse(key) {
        Ok(parts) => {
            if parts.area != Area::Raw {
                faults.push(format!("key {} is in the area `{}`: uploads are in `raw`", quote(key), parts.area));
            }
            if parts.listing != listing.id.to_string() {
                faults.push(format!(
                    "key {} belongs to listing {}, the batch to {}",
                    quote(key),
                    parts.listing,
                    listing.id
                ));
            }
            Some(parts.media_type)
        }
        Err(error) => {
            faults.push(error.to_string());
            None
        }
    };
    let by_type = declared.and_then(|declared| read_type(declared, by_key, faults));
    Asset::new(key, by_key.or(by_type).unwrap_or(PLACEHOLDER))
}

/// Returns the declared type. If its orientation contradicts the key, the key is right. A video declared as a photo is a
/// fault.
fn read_type(declared: &Value, by_key: Option<MediaType>, faults: &mut Vec<String>) -> Option<MediaType> {
    const KNOWN: &str = "PHOTO_VERTICAL, PHOTO_HORIZONTAL, VIDEO_VERTICAL, VIDEO_HORIZONTAL, PROJECT_DOC and PROJECT_RENDER are accepted";
    let Value::String(text) = declared else {
        faults.push(format!("type is {}: {KNOWN}", describe(declared)));
        return None;
    };
    let name = text.trim().to_ascii_uppercase().replace(['/', '-', ' '], "_");
    let exact = MediaType::from_name(&name);
    let Some(family) = exact.map(MediaType::family).or_else(|| Family::from_name(&name)) else {
        let made = matches!(name.as_str(), "THUMBNAIL" | "ZIP");
        let why = if made { " is made here, never uploaded" } else { " is unknown" };
        faults.push(format!("type {}{why}: {KNOWN}", quote(text)));
        return None;
    };
    match by_key {
        Some(by_key) if by_key.family() != family => {
            faults.push(format!("type {} contradicts the key, which says {by_key}", quote(text)));
            None
        }
        Some(_) => exact,
        None => exact.or_else(|| {
            let of_family = |one: &MediaType| one.family() == family;
            MediaType::ALL.into_iter().find(of_family)
        }),
    }
}

/// Reads the other fields that an uploader can know.
fn read_details(fields: &Fields, asset: &mut Asset, faults: &mut Vec<String>) {
    asset.content_type = text(fields, "contentType", faults)
        .map(|text| text.trim().to_ascii_lowercase())
        .filter(|text| !text.is_empty());
    asset.etag = text(fields, "etag", faults)
        .map(|text| text.trim_matches(|c: char| c == '"' || c.is_whitespace()).to_owned())
        .filter(|text| !text.is_empty());
    asset.title = text(fields, "title", faults);
    asset.bytes = number(fields, &["bytes", "size"], faults);
    asset.sequence = number(fields, &["sequence"], faults);
    asset.sha256 = checksum(fields, faults);
}

fn text(fields: &Fields, name: &str, faults: &mut Vec<String>) -> Option<String> {
    match fields.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        other => {
            faults.push(format!("{name} is {}: a text is accepted", describe(other)));
            None
        }
    }
}

fn number<T: TryFrom<u64>>(fields: &Fields, names: &[&str], faults: &mut Vec<String>) -> Option<T> {
    let (name, value) = names.iter().find_map(|name| Some((name, fields.get(name)?)))?;
    let number = whole(value).and_then(|number| T::try_from(number).ok());
    if number.is_none() {
        faults.push(format!("{name} is {}: a whole number that is not negative is accepted", describe(value)));
    }
    number
}

/// Returns the declared SHA-256, under any of its names, as lower-case hexadecimal.
fn checksum(fields: &Fields, faults: &mut Vec<String>) -> Option<String> {
    let mut found: Option<String> = None;
    for name in ["sha256", "checksumSha256", "checksum"] {
        let Some(value) = fields.get(name) else {
            continue;
        };
        let Some(digest) = value.as_str().and_then(sha256_hex) else {
            faults.push(format!(
                "{name} is {}: a SHA-256 is accepted, as 64 hexadecimal digits or in base64",
                describe(value)
            ));
            continue;
        };
        match &found {
            Some(other) if *other != digest => {
                faults.push(format!("{name} contradicts the other checksum: one SHA-256 is accepted"));
            }
            _ => found = Some(digest),
        }
    }
    found
}

/// Reads 32 bytes in hexadecimal or in base64 (S3's form), with or without padding, with or without a prefix that names the
/// algorithm.
fn sha256_hex(text: &str) -> Option<String> {
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let text = text.trim();
    let digest = ["sha256:", "sha256-", "sha256="]
        .iter()
        .find_map(|prefix| {
            let (start, rest) = text.split_at_checked(prefix.len())?;
            start.eq_ignore_ascii_case(prefix).then_some(rest)
        })
        .unwrap_or(text);
    let bytes = match digest.len() {
        64 => hex::decode(digest).ok()?,
        43 | 44 => BASE64.decode(digest).ok()?,
        _ => return None,
    };
    (bytes.len() == 32).then(|| hex::encode(bytes))
}

/// Returns the fault that was recorded when this file was read before; the invalid text itself is no longer in the
/// document. All other problems in a document from outside are ignored.
fn earlier_fault(fields: &Fields) -> Option<Problem> {
    let problem: Problem = serde_json::from_value(fields.get("problem")?.clone()).ok()?;
    (problem.state == FIRST_STATE && problem.code == Case::InvalidInput.name()).then_some(problem)
}
