//! The S3 user metadata that the host writes on every object.
//!
//! S3 carries user metadata in HTTP headers: printable ASCII, 2 KiB in all. Other text is written in base64 behind a
//! marker, so that it is read back unchanged.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::NewObject;

const FINGERPRINT: &str = "fingerprint";
const STAGE: &str = "stage";
const MARKER: &str = "b64:";

/// The most bytes of all names and values together, within S3's 2 KiB.
const MAX_TOTAL: usize = 2000;

/// The most bytes of one value.
const MAX_VALUE: usize = 700;

/// Returns the metadata of a new object: its fingerprint, and the stage that made it.
///
/// Errors: `InvalidInput` if a value or all of them together are too long.
pub(crate) fn of(object: &NewObject) -> Result<HashMap<String, String>, Failure> {
    let provenance = &object.provenance;
    let mut all = HashMap::with_capacity(4);
    let values = [
        (FINGERPRINT, object.fingerprint.as_deref().unwrap_or_default()),
        (STAGE, &provenance.stage),
        ("stage-version", &provenance.version),
        ("stage-digest", &provenance.digest),
    ];
    let mut total = 0;
    for (name, value) in values {
        if value.is_empty() {
            continue;
        }
        let value = encode(value);
        total += name.len() + value.len();
        if value.len() > MAX_VALUE || total > MAX_TOTAL {
            return Err(Failure::new(
                Case::InvalidInput,
                format!("{}: the metadata {name:?} is too long; S3 stores at most 2 KiB with an object", object.key),
            ));
        }
        all.insert(name.to_owned(), value);
    }
    Ok(all)
}

/// Returns the fingerprint in an object's metadata.
pub(crate) fn fingerprint(metadata: &HashMap<String, String>) -> Option<String> {
    metadata.get(FINGERPRINT).map(|value| decode(value))
}

/// Returns the name of the stage that made an object, from its metadata.
pub(crate) fn maker(metadata: &HashMap<String, String>) -> Option<String> {
    metadata.get(STAGE).map(|value| decode(value))
}

fn encode(value: &str) -> String {
    let plain =
        value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && value.trim() == value && !value.starts_with(MARKER);
    if plain { value.to_owned() } else { format!("{MARKER}{}", URL_SAFE_NO_PAD.encode(value)) }
}

/// Reads a value that [`encode`] wrote. Any other value is returned as it is: objects from elsewhere may have such
/// metadata, too.
fn decode(value: &str) -> String {
    value
        .strip_prefix(MARKER)
        .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_else(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use proptest::prelude::*;
    use stagehost_runtime::capability::Provenance;

    use super::*;

    fn object(fingerprint: &str) -> NewObject {
        NewObject {
            key: "51/thumb/a.jpg".into(),
            content_type: "image/jpeg".into(),
            fingerprint: Some(fingerprint.into()),
            replaces: Default::default(),
            provenance: Arc::new(Provenance {
                stage: "thumbnails".into(),
                version: "1.0.0".into(),
                digest: format!("sha256:{}", "0".repeat(64)),
            }),
        }
    }

    #[test]
    fn an_objects_metadata_names_the_stage_that_made_it() {
        let all = of(&object("abc")).unwrap();
        assert_eq!(all["stage"], "thumbnails");
        assert_eq!(all["stage-version"], "1.0.0");
        assert!(all["stage-digest"].starts_with("sha256:"));
    }

    #[test]
    fn a_fingerprint_that_does_not_fit_into_the_headers_is_refused() {
        assert_eq!(of(&object(&"x".repeat(5000))).unwrap_err().case, Case::InvalidInput);
    }

    proptest! {
        #[test]
        fn any_fingerprint_is_sent_as_ascii_and_read_back_unchanged(text in "\\PC{1,60}|[ -~]{1,60}|b64:.{0,20}") {
            let all = of(&object(&text)).unwrap();
            prop_assert!(all.values().all(|value| value.is_ascii() && value.trim() == value));
            prop_assert_eq!(fingerprint(&all).unwrap(), text);
        }

        #[test]
        fn metadata_from_elsewhere_is_read_without_panic(text in ".{0,60}") {
            let _ = decode(&text);
        }
    }
}
