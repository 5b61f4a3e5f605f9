//! Names made from ids: of executions, and of the folders of archives.
//!
//! Both are pure functions of the batch, so that a message that is delivered twice names the same execution, and a second
//! run overwrites its own archives. An id may be any text, a name may not: an id that does not fit is shortened and gets a
//! digest of the whole, so that different ids never share a name.

use sha2::{Digest, Sha256};

use crate::document::Batch;
use crate::id::Id;

/// The longest name that StartExecution takes, in characters.
const EXECUTION_NAME_MAX: usize = 80;
/// The longest id that is put into a key unchanged.
const PLAIN_ID_MAX: usize = 64;
/// Hexadecimal digits of a digest in a name: 96 bits, enough to exclude accidental collisions.
const DIGEST_DIGITS: usize = 24;

impl Batch {
    /// Returns the name for StartExecution: at most 80 characters of `A-Z a-z 0-9 _ -`, such as
    /// `listing-51_batch-5_job-4_retry-0`.
    ///
    /// Two batches share a name only if listing, batch, job and retry are the same, so Step Functions itself refuses a
    /// duplicate delivery. If the backend names neither batch nor job, the set of files takes their place.
    pub fn execution_name(&self) -> String {
        let mut parts = vec![("listing", self.listing.id.to_string())];
        parts.extend(self.batch_id.as_ref().map(|id| ("batch", id.to_string())));
        parts.extend(self.job_id.as_ref().map(|id| ("job", id.to_string())));
        if parts.len() == 1 {
            parts.push(("assets", self.assets_digest()));
        }
        parts.push(("retry", self.retry.to_string()));

        let plain = parts.iter().all(|(_, value)| is_plain(value));
        let name =
            parts.iter().map(|(label, value)| format!("{label}-{}", plain_part(value))).collect::<Vec<_>>().join("_");
        if plain && name.len() <= EXECUTION_NAME_MAX {
            return name;
        }
        // Plain names end in `_retry-N` and these in `_sha-…`, so the two kinds cannot collide.
        let exact = digest(parts.iter().flat_map(|(label, value)| [*label, value.as_str()]));
        let room = EXECUTION_NAME_MAX - "_sha-".len() - exact.len();
        let start: String = name.chars().take(room).collect();
        format!("{start}_sha-{exact}")
    }

    /// Returns the folder for this batch's archives: `batch-5`, `job-4`, or `assets-<digest>` without either id.
    pub(crate) fn bundle_folder(&self) -> String {
        match (&self.batch_id, &self.job_id) {
            (Some(id), _) => format!("batch-{}", key_part(id)),
            (None, Some(id)) => format!("job-{}", key_part(id)),
            (None, None) => format!("assets-{}", self.assets_digest()),
        }
    }

    /// Returns a digest of the set of keys, independent of their order.
    fn assets_digest(&self) -> String {
        let mut keys: Vec<&str> = self.assets.iter().map(|asset| asset.key.as_str()).collect();
        keys.sort_unstable();
        digest(keys)
    }
}

/// Returns an id as a part of a key's segment.
fn key_part(id: &Id) -> String {
    let text = id.to_string();
    if is_plain(&text) && text.len() <= PLAIN_ID_MAX {
        return text;
    }
    let start: String = plain_part(&text).chars().take(PLAIN_ID_MAX / 2).collect();
    format!("{start}_{}", digest([text.as_str()]))
}

/// Returns whether a text has only letters, digits and `-`. `_` is excluded, because it separates the parts of a name.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn plain_part(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    text.chars().map(plain).collect()
}

/// Returns a digest that is short enough for a name.
fn digest<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut digest = list_digest(texts);
    digest.truncate(DIGEST_DIGITS);
    digest
}

/// Returns the SHA-256 of a list of texts in lower-case hexadecimal: 64 digits. Each text is hashed after its length, so that
/// `["ab"]` and `["a", "b"]` differ. Ids and keys that are stored are made of it, so it can never change.
pub fn list_digest<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut sha256 = Sha256::new();
    for text in texts {
        sha256.update((text.len() as u64).to_be_bytes());
        sha256.update(text);
    }
    hex::encode(sha256.finalize())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::{Asset, Listing, ListingField, MediaType};

    fn batch(listing: Id, batch: Option<Id>, job: Option<Id>, retry: u32) -> Batch {
        let mut result = Batch::new(Listing { id: listing, field: ListingField::ListingId });
        (result.batch_id, result.job_id, result.retry) = (batch, job, retry);
        result
    }

    fn is_execution_name(name: &str) -> bool {
        (1..=80).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    }

    #[test]
    fn the_usual_name_is_readable() {
        let batch = batch(Id::Number(51), Some(Id::Number(5)), Some(Id::Number(4)), 2);
        assert_eq!(batch.execution_name(), "listing-51_batch-5_job-4_retry-2");
    }

    #[test]
    fn a_long_id_is_shortened_and_gets_a_digest() {
        let long = |tail: &str| batch(Id::Number(51), Some(Id::Text("x".repeat(200) + tail)), None, 0);
        let (one, other) = (long("a").execution_name(), long("b").execution_name());
        assert!(is_execution_name(&one), "{one}");
        assert!(one.starts_with("listing-51_batch-xxx"), "{one}");
        assert_ne!(one, other);
    }

    #[test]
    fn without_batch_and_job_the_name_depends_on_the_set_of_files() {
        let with = |keys: &[&str]| {
            let mut batch = batch(Id::Number(51), None, None, 0);
            batch.assets = keys.iter().map(|key| Asset::new(*key, MediaType::ProjectDoc)).collect();
            batch.execution_name()
        };
        assert_eq!(with(&["a", "b"]), with(&["b", "a"]));
        assert_ne!(with(&["a", "b"]), with(&["ab"]));
    }

    fn id() -> impl Strategy<Value = Id> {
        prop_oneof![
            any::<u64>().prop_map(Id::Number),
            any::<String>().prop_map(|text| Id::from_text(&text)),
            "[a-z_/-]{1,90}".prop_map(Id::Text),
        ]
    }

    proptest! {
        #[test]
        fn a_name_is_always_allowed_and_differs_if_the_job_does(
            one in (id(), proptest::option::of(id()), id(), 0..3u32),
            other in (id(), proptest::option::of(id()), id(), 0..3u32),
        ) {
            let name = |(listing, batch_id, job, retry): &(Id, Option<Id>, Id, u32)| {
                batch(listing.clone(), batch_id.clone(), Some(job.clone()), *retry).execution_name()
            };
            prop_assert!(is_execution_name(&name(&one)));
            prop_assert_eq!(name(&one), name(&one));
            prop_assert_eq!(name(&one) == name(&other), one == other);
        }
    }
}
