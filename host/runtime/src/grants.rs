//! What a pin grants a stage within its world: keys and HTTP hosts.

use serde::{Deserialize, Serialize};
use stagehost_batch::{Case, Failure};

use crate::text::quoted;

/// The longest name of a tag, in characters, as S3 has it.
const TAG_NAME: usize = 128;

/// Key prefixes and hosts, as written in a pin. `{listingId}` stands for the batch's listing, so that a call for one
/// listing cannot touch another's files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Grants {
    /// Prefixes of keys that may be read.
    pub read: Vec<String>,
    /// Prefixes of keys that may be written.
    pub write: Vec<String>,
    /// Host names that may be called over HTTP, exactly as in the URL, with the port if it is not the default.
    pub http: Vec<String>,
    /// Names of tags that may be set, on objects that may be read. Left out of documents if there are none, so that older
    /// hosts can read them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// Why a grant is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// It has a placeholder other than `{listingId}`.
    #[error("the grant \"{grant}\" has an unknown placeholder; only {{listingId}} is known")]
    UnknownPlaceholder {
        /// The grant as written.
        grant: String,
    },
    /// An empty prefix would grant the whole bucket.
    #[error("an empty prefix would grant every object of the bucket; name one, such as \"{{listingId}}/raw/\"")]
    EmptyPrefix,
    /// It would grant the host's own documents, which include the pins.
    #[error("the grant \"{grant}\" is below pipeline/, which is the host's own")]
    HostsOwn {
        /// The grant as written.
        grant: String,
    },
    /// A prefix that does not end with `/` would also grant keys beside the folder.
    #[error("the grant \"{grant}\" must end with \"/\", or it would also grant keys beside it")]
    OpenPrefix {
        /// The grant as written.
        grant: String,
    },
    /// S3 would not take it.
    #[error("the tag \"{tag}\" cannot be granted: a tag's name has 1 to 128 visible ASCII characters")]
    Tag {
        /// The name as written.
        tag: String,
    },
}

impl Grants {
    /// Checks the grants as written.
    ///
    /// # Errors
    /// The first invalid grant.
    pub fn check(&self) -> Result<(), GrantError> {
        for grant in self.read.iter().chain(&self.write) {
            if grant.is_empty() {
                return Err(GrantError::EmptyPrefix);
            }
            if grant.starts_with("pipeline/") {
                return Err(GrantError::HostsOwn { grant: grant.clone() });
            }
            if !grant.ends_with('/') {
                return Err(GrantError::OpenPrefix { grant: grant.clone() });
            }
            let rest = grant.replace("{listingId}", "");
            if rest.contains(['{', '}']) {
                return Err(GrantError::UnknownPlaceholder { grant: grant.clone() });
            }
        }
        match self.tags.iter().find(|tag| !is_tag_text(tag, TAG_NAME)) {
            Some(tag) => Err(GrantError::Tag { tag: tag.clone() }),
            None => Ok(()),
        }
    }

    /// Returns the grants for one listing.
    pub(crate) fn for_listing(&self, listing: &str) -> ListingGrants {
        let fill = |prefixes: &[String]| prefixes.iter().map(|p| p.replace("{listingId}", listing)).collect();
        ListingGrants {
            read: fill(&self.read),
            write: fill(&self.write),
            http: self.http.clone(),
            tags: self.tags.clone(),
        }
    }
}

/// Grants for one listing: the placeholders are filled in.
#[derive(Clone, Debug)]
pub(crate) struct ListingGrants {
    read: Vec<String>,
    write: Vec<String>,
    http: Vec<String>,
    tags: Vec<String>,
}

impl ListingGrants {
    pub(crate) fn may_read(&self, key: &str) -> Result<(), Failure> {
        // A stage may read what it may write: it has to find out whether its outputs are up to date.
        if [&self.read, &self.write].into_iter().any(|prefixes| covers(prefixes, key)) {
            return Ok(());
        }
        Err(denied("read", key, &self.read))
    }

    pub(crate) fn may_write(&self, key: &str) -> Result<(), Failure> {
        if covers(&self.write, key) {
            return Ok(());
        }
        Err(denied("write", key, &self.write))
    }

    pub(crate) fn may_call(&self, authority: &str) -> Result<(), Failure> {
        if self.http.iter().any(|host| host.eq_ignore_ascii_case(authority)) {
            return Ok(());
        }
        Err(Failure::new(
            Case::Denied,
            format!(
                "the pin does not grant HTTP calls to {}; granted in `grants.http`: {:?}",
                quoted(authority),
                self.http
            ),
        ))
    }

    pub(crate) fn may_tag(&self, key: &str, name: &str) -> Result<(), Failure> {
        // A tag changes no byte of the object, so it need not be one that may be written.
        self.may_read(key)?;
        if self.tags.iter().any(|tag| tag == name) {
            return Ok(());
        }
        Err(Failure::new(
            Case::Denied,
            format!(
                "the pin does not grant to set the tag {}; granted in `grants.tags`: {:?}",
                quoted(name),
                self.tags
            ),
        ))
    }
}

/// Returns whether a text can be the name or the value of a tag.
pub(crate) fn is_tag_text(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn covers(prefixes: &[String], key: &str) -> bool {
    prefixes.iter().any(|prefix| key.strip_prefix(prefix.as_str()).is_some_and(safe))
}

/// Returns whether the rest of a key stays below its prefix. S3 does not interpret `..`; other stores and people do.
fn safe(rest: &str) -> bool {
    !rest.is_empty() && rest.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}

fn denied(verb: &str, key: &str, prefixes: &[String]) -> Failure {
    let key = quoted(key);
    let message = format!("the pin does not grant to {verb} {key}; granted in `grants.{verb}`: {prefixes:?}");
    Failure::new(Case::Denied, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants() -> ListingGrants {
        Grants {
            read: vec!["{listingId}/raw/".into()],
            write: vec!["{listingId}/thumb/".into()],
            http: vec!["api.example.org".into()],
            tags: vec!["lifecycle".into()],
        }
        .for_listing("51")
    }

    #[test]
    fn a_stage_reads_only_its_listings_files() {
        assert!(grants().may_read("51/raw/photo/vertical/a.jpg").is_ok());
        assert!(grants().may_read("52/raw/photo/vertical/a.jpg").is_err());
        assert!(grants().may_read("510/raw/photo/vertical/a.jpg").is_err());
        assert!(grants().may_read("pins.json").is_err());
    }

    #[test]
    fn a_write_grant_includes_reading_but_a_read_grant_does_not_include_writing() {
        assert!(grants().may_read("51/thumb/photo/a.jpg").is_ok());
        assert!(grants().may_write("51/thumb/photo/a.jpg").is_ok());
        assert!(grants().may_write("51/raw/photo/a.jpg").is_err());
    }

    #[test]
    fn keys_that_lead_out_of_their_prefix_are_refused() {
        for key in ["51/raw/../../52/raw/a.jpg", "51/raw//a", "51/raw/./a", "51/raw/", "51/raw"] {
            assert!(grants().may_read(key).is_err(), "{key}");
        }
    }

    #[test]
    fn http_hosts_must_match_completely() {
        assert!(grants().may_call("API.example.org").is_ok());
        assert!(grants().may_call("api.example.org.evil.test").is_err());
        assert!(grants().may_call("api.example.org:8080").is_err());
    }

    #[test]
    fn a_tag_needs_a_grant_of_its_name_and_a_readable_object() {
        assert!(grants().may_tag("51/raw/photo/vertical/a.jpg", "lifecycle").is_ok());
        assert!(grants().may_tag("52/raw/photo/vertical/a.jpg", "lifecycle").is_err());
        let refused = grants().may_tag("51/raw/photo/vertical/a.jpg", "tier").err();
        let message = "the pin does not grant to set the tag \"tier\"; granted in `grants.tags`: [\"lifecycle\"]";
        assert_eq!(refused, Some(Failure::new(Case::Denied, message)));
    }

    #[test]
    fn a_refusal_does_not_grow_with_the_key() {
        let key = format!("52/raw/{}", "a".repeat(1 << 20));
        assert!(grants().may_read(&key).is_err_and(|refused| refused.message.len() < 1024));
        assert!(grants().may_call(&key).is_err_and(|refused| refused.message.len() < 1024));
        assert!(grants().may_tag("51/raw/a.jpg", &key).is_err_and(|refused| refused.message.len() < 1024));
    }

    #[test]
    fn a_tag_that_s3_would_not_take_cannot_be_granted() {
        let tag = |name: &str| Grants { tags: vec![name.into()], ..Grants::default() }.check();
        assert_eq!(tag("lifecycle"), Ok(()));
        for name in ["", "two words", "naïve", &"t".repeat(129)] {
            assert_eq!(tag(name), Err(GrantError::Tag { tag: name.into() }));
        }
    }

    #[test]
    fn grants_without_tags_are_written_as_before() {
        let document = serde_json::to_string(&Grants::default());
        assert_eq!(document.ok().as_deref(), Some(r#"{"read":[],"write":[],"http":[]}"#));
    }

    #[test]
    fn grants_that_cover_too_much_are_refused() {
        let grant = |read: &str| Grants { read: vec![read.into()], ..Grants::default() }.check();
        assert_eq!(grant(""), Err(GrantError::EmptyPrefix));
        assert!(matches!(grant("{listingId}/raw"), Err(GrantError::OpenPrefix { .. })));
        assert!(matches!(grant("{listing}/raw/"), Err(GrantError::UnknownPlaceholder { .. })));
        assert_eq!(grant("{listingId}/raw/"), Ok(()));
    }
}
