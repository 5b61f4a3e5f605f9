//! What a trial did, as a document that a person reads: for every file what changed, then every effect. Digests and entity
//! tags are left out, and of pictures the length, because another version of an encoder changes them.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use stagehost_batch::{Asset, Batch, Case, Failure, Problem};
use stagehost_testing::Effect;

use super::picture::pixels_of;
use crate::authoring::trial::Tried;

/// The longest text that is shown as it is, in bytes.
const LONGEST_TEXT: usize = 4 << 10;

/// Fields of assets and renditions that follow from the bytes of a file.
const FROM_BYTES: [&str; 3] = ["etag", "crc32", "sha256"];

/// What a trial did.
pub struct Snapshot {
    /// The document.
    pub document: Value,
    /// The pictures that were stored, by the name of their file.
    pub pictures: Vec<(String, Vec<u8>)>,
}

/// Returns what a trial did to the files of `before`.
pub fn snapshot(before: &Batch, tried: &Tried, effects: &[Effect]) -> Snapshot {
    let outcome = match &tried.outcome {
        Ok(outcome) => {
            let changed = outcome.batch.assets.iter().map(|after| asset(before.asset(&after.key), after));
            let mut document = json!({ "assets": changed.collect::<Vec<_>>() });
            if !outcome.batch.bundles.is_empty() {
                document["bundles"] = json!(outcome.batch.bundles);
            }
            if !outcome.batch.files.is_empty() {
                document["files"] = json!(outcome.batch.files.iter().map(trimmed).collect::<Vec<_>>());
            }
            if !outcome.batch.attributes.is_empty() {
                document["attributes"] = json!(outcome.batch.attributes);
            }
            if let Some(note) = &outcome.note {
                document["note"] = json!(note);
            }
            document
        }
        Err(failure) => json!({ "stateFailed": failed(failure) }),
    };
    let mut ordered: Vec<_> = effects.iter().collect();
    // Files are worked on side by side; what concerns one of them stays in its order.
    ordered.sort_by(|a, b| a.concerns().cmp(b.concerns()));
    let mut pictures = Vec::new();
    let effects: Vec<_> = ordered.into_iter().map(|effect| shown(effect, &mut pictures)).collect();
    Snapshot { document: json!({"outcome": outcome, "effects": effects}), pictures }
}

/// Returns the fields of an asset that changed, and what was made of it.
fn asset(before: Option<&Asset>, after: &Asset) -> Value {
    let fields = |asset: &Asset| match serde_json::to_value(asset) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let old = before.map(fields).unwrap_or_default();
    let mut changed = fields(after);
    changed.retain(|name, value| {
        !FROM_BYTES.contains(&name.as_str())
            && name != "problem"
            && name != "renditions"
            && old.get(name) != Some(&*value)
    });
    let mut document = Map::new();
    document.insert("key".into(), json!(after.key));
    document.extend(changed);
    let known = before.map(|before| before.renditions.as_slice()).unwrap_or_default();
    let made: Vec<_> = after.renditions.iter().filter(|one| !known.contains(one)).map(trimmed).collect();
    if !made.is_empty() {
        document.insert("renditions".into(), json!(made));
    }
    if let Some(problem) = &after.problem {
        document.insert("problem".into(), recorded(problem));
    }
    Value::Object(document)
}

fn trimmed(rendition: &stagehost_batch::Rendition) -> Value {
    let mut document = json!(rendition);
    if let Some(fields) = document.as_object_mut() {
        let picture = rendition.content_type.starts_with("image/");
        let changes = |name: &str| FROM_BYTES.contains(&name) || (picture && name == "bytes");
        fields.retain(|name, _| !changes(name));
    }
    document
}

fn failed(failure: &Failure) -> Value {
    named(failure.case.name(), &failure.message)
}

fn recorded(problem: &Problem) -> Value {
    named(&problem.code, &problem.message)
}

/// Returns a failure. Messages of the host about how a component broke name functions and times, which change.
fn named(code: &str, message: &str) -> Value {
    let broke = [Case::Trapped, Case::Timeout, Case::OutOfMemory].iter().any(|case| case.name() == code);
    if broke { json!({ "code": code }) } else { json!({"code": code, "message": message}) }
}

fn shown(effect: &Effect, pictures: &mut Vec<(String, Vec<u8>)>) -> Value {
    match effect {
        Effect::Stored { key, content_type, fingerprint, bytes } => {
            let mut document = json!({"stored": key, "contentType": content_type});
            if let Some(fingerprint) = fingerprint {
                document["fingerprint"] = json!(fingerprint);
            }
            if let Some((width, height)) = pixels_of(bytes) {
                let name = format!("{}-{}", pictures.len() + 1, key.rsplit('/').next().unwrap_or("picture"));
                document["picture"] = json!(format!("{width}×{height}"));
                document["file"] = json!(name);
                pictures.push((name, bytes.to_vec()));
                return document;
            }
            let content = content(bytes);
            if let (Some(document), Some(content)) = (document.as_object_mut(), content.as_object()) {
                document.extend(content.clone());
            }
            document
        }
        Effect::Deleted { key } => json!({"deleted": key}),
        Effect::Tagged { key, name, value } => json!({"tagged": key, "name": name, "value": value}),
        Effect::Submitted(job) => json!({"submitted": job}),
        Effect::Delivered(body) => json!({"delivered": content(body)}),
        Effect::Called { method, url, headers, body } => {
            let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            json!({"called": format!("{method} {url}"), "headers": headers, "body": content(body)})
        }
    }
}

/// Returns a short text as it is, JSON as JSON, and anything else by its length and digest.
fn content(bytes: &[u8]) -> Value {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= LONGEST_TEXT);
    match text {
        Some(text) => match serde_json::from_str::<Value>(text) {
            Ok(document @ (Value::Object(_) | Value::Array(_))) => json!({ "json": document }),
            _ => json!({ "text": text }),
        },
        None => json!({"bytes": bytes.len(), "sha256": hex::encode(Sha256::digest(bytes))}),
    }
}

#[cfg(test)]
mod tests {
    use stagehost_batch::MediaType;

    use super::*;

    #[test]
    fn of_an_asset_only_what_changed_is_shown() {
        let before = Asset::new("1/raw/photo/vertical/2026-01-02/a.jpg", MediaType::PhotoVertical);
        let mut after = before.clone();
        after.title = Some("A hall".into());
        after.etag = Some("other".into());
        assert_eq!(asset(Some(&before), &after), json!({"key": before.key, "title": "A hall"}));
        let (state, code) = ("Run".to_owned(), "Stage.Trapped".to_owned());
        after.problem = Some(Problem { state, code, message: "in function 17".into() });
        assert_eq!(asset(Some(&before), &after)["problem"], json!({"code": "Stage.Trapped"}));
    }

    #[test]
    fn what_was_stored_is_shown_as_text_as_json_or_by_its_digest() {
        assert_eq!(content(b"a line\n"), json!({"text": "a line\n"}));
        assert_eq!(content(b"{\"a\": 1}"), json!({"json": {"a": 1}}));
        assert_eq!(content(&[0xff; 3])["bytes"], 3);
        assert_eq!(content(&[b'x'; LONGEST_TEXT + 1])["bytes"], LONGEST_TEXT + 1);
    }

    #[test]
    fn effects_of_files_that_were_worked_on_side_by_side_are_in_the_order_of_their_keys() {
        let tag = |key: &str, value: &str| Effect::Tagged { key: key.into(), name: "n".into(), value: value.into() };
        let failure = Failure::new(Case::Denied, "no");
        let tried = Tried { outcome: Err(failure), calls: Vec::new(), took: std::time::Duration::ZERO };
        let effects = [tag("b", "1"), tag("a", "2"), tag("a", "1")];
        let document = snapshot(&crate::authoring::trial::empty_batch(), &tried, &effects).document;
        let tagged: Vec<_> =
            document["effects"].as_array().into_iter().flatten().map(|e| e["value"].as_str()).collect();
        assert_eq!(tagged, [Some("2"), Some("1"), Some("1")]);
        assert_eq!(document["outcome"]["stateFailed"]["code"], "Stage.Denied");
    }
}
