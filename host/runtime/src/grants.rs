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
    /// Secrets that the host puts into requests over HTTP. Left out of documents if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<HttpSecret>,
}

/// A secret that the host puts into a header of every request to one HTTP host. A pin has its name; the value is a setting
/// of the host, and neither the stage nor a record sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpSecret {
    /// The secret's name in the host's settings: `chat-token`.
    pub name: String,
    /// The only host name that it is sent to. It must be among the grants' `http`.
    pub host: String,
    /// The header that it goes into: `Authorization`.
    pub header: String,
    /// The text before the value in the header: `Bearer `.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub prefix: String,
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
    /// A secret whose name, header or prefix cannot be used.
    #[error("the secret \"{name}\" cannot be granted: {reason}")]
    Secret {
        /// The name as written.
        name: String,
        /// What is wrong with it, and what it should be.
        reason: String,
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
        self.check_secrets()?;
        match self.tags.iter().find(|tag| !is_tag_text(tag, TAG_NAME)) {
            Some(tag) => Err(GrantError::Tag { tag: tag.clone() }),
            None => Ok(()),
        }
    }

    fn check_secrets(&self) -> Result<(), GrantError> {
        for (index, secret) in self.secrets.iter().enumerate() {
            let fault = secret_fault(secret, &self.http).or_else(|| {
                let same = |other: &HttpSecret| {
                    other.host.eq_ignore_ascii_case(&secret.host) && other.header.eq_ignore_ascii_case(&secret.header)
                };
                let twice = self.secrets.iter().skip(index + 1).any(same);
                twice.then(|| format!("the header {} for {} has two secrets; keep one", secret.header, secret.host))
            });
            if let Some(reason) = fault {
                return Err(GrantError::Secret { name: secret.name.clone(), reason });
            }
        }
        Ok(())
    }

    /// Returns the grants for one listing.
    pub(crate) fn for_listing(&self, listing: &str) -> ListingGrants {
        let fill = |prefixes: &[String]| prefixes.iter().map(|p| p.replace("{listingId}", listing)).collect();
        ListingGrants {
            read: fill(&self.read),
            write: fill(&self.write),
            http: self.http.clone(),
            tags: self.tags.clone(),
            secrets: self.secrets.clone(),
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
    secrets: Vec<HttpSecret>,
}

impl ListingGrants {
    pub(crate) fn may_read(&self, key: &str) -> Result<(), Failure> {
        // A stage may read what it may write: it has to find out whether its outputs are up to date.
        if [&self.read, &self.write].into_iter().any(|prefixes| covers(prefixes, key)) {
            return Ok(());
        }
        Err(denied("read", key, &self.read))
    }

    /// Checks that what begins with a prefix may be listed: it must begin with a granted one.
    pub(crate) fn may_list(&self, prefix: &str) -> Result<(), Failure> {
        let within = |granted: &String| prefix.strip_prefix(granted.as_str()).is_some_and(safe_beginning);
        if self.read.iter().chain(&self.write).any(within) {
            return Ok(());
        }
        Err(denied("read", prefix, &self.read))
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
                "the pin does not allow HTTP calls to {}; granted in `grants.http`: {:?}",
                quoted(authority),
                self.http
            ),
        ))
    }

    /// Returns the secrets for requests to a host.
    ///
    /// Errors: `InvalidInput` if the stage sets a header itself that one of them goes into.
    pub(crate) fn secrets_for(
        &self,
        authority: &str,
        headers: &[(String, String)],
    ) -> Result<Vec<HttpSecret>, Failure> {
        let secrets: Vec<_> =
            self.secrets.iter().filter(|secret| secret.host.eq_ignore_ascii_case(authority)).cloned().collect();
        let filled = |secret: &&HttpSecret| headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(&secret.header));
        match secrets.iter().find(filled) {
            Some(secret) => Err(Failure::new(
                Case::InvalidInput,
                format!("the pin fills the header {} with a secret; the stage must not set it", secret.header),
            )),
            None => Ok(secrets),
        }
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
                "the pin does not allow the stage to set the tag {}; granted in `grants.tags`: {:?}",
                quoted(name),
                self.tags
            ),
        ))
    }
}

/// Returns why a secret cannot be granted beside the grants for these hosts.
fn secret_fault(secret: &HttpSecret, http: &[String]) -> Option<String> {
    let HttpSecret { name, host, header, prefix } = secret;
    if !is_secret_name(name) {
        return Some("its name must have 1 to 64 characters of a-z, 0-9 and '-'".into());
    }
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !(1..=64).contains(&header.len()) || !header.bytes().all(token) {
        return Some(format!("{} is not the name of a header", quoted(header)));
    }
    if is_connection_header(header) {
        return Some(format!("the host sets the header {} itself", quoted(header)));
    }
    if prefix.len() > 64 || !prefix.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Some("its prefix must have at most 64 visible ASCII characters and spaces".into());
    }
    let granted = http.iter().any(|granted| granted.eq_ignore_ascii_case(host));
    (!granted).then(|| format!("it is for {}, which is not among the granted http hosts {http:?}", quoted(host)))
}

/// Returns whether a header belongs to the connection, so that the host alone sets it. Upper and lower case are the same.
pub fn is_connection_header(name: &str) -> bool {
    [
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
    ]
    .iter()
    .any(|own| name.eq_ignore_ascii_case(own))
}

/// Returns whether a text can be the name of a secret.
pub fn is_secret_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
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

/// Returns whether the beginning of a rest stays below its prefix. Its last segment may be incomplete.
fn safe_beginning(rest: &str) -> bool {
    rest.rsplit_once('/').is_none_or(|(folders, _)| safe(folders))
}

fn denied(verb: &str, key: &str, prefixes: &[String]) -> Failure {
    let key = quoted(key);
    let message = format!("the pin does not allow the stage to {verb} {key}; granted in `grants.{verb}`: {prefixes:?}");
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
            ..Grants::default()
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
    fn a_listing_stays_below_the_granted_prefixes() {
        for prefix in ["51/raw/", "51/raw/photo/", "51/raw/photo/vertical/kit", "51/thumb/"] {
            assert!(grants().may_list(prefix).is_ok(), "{prefix}");
        }
        let foreign = ["", "51", "51/", "51/raw", "51/zip/", "510/raw/", "52/raw/", "pipeline/", "/51/raw/"];
        let hostile = ["51/raw/../zip/", "51/raw/photo/../../zip/", "51/raw//", "51/raw/./a"];
        for prefix in foreign.into_iter().chain(hostile) {
            assert!(grants().may_list(prefix).is_err(), "{prefix}");
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
        let message =
            "the pin does not allow the stage to set the tag \"tier\"; granted in `grants.tags`: [\"lifecycle\"]";
        assert_eq!(refused, Some(Failure::new(Case::Denied, message)));
    }

    fn secret(name: &str, host: &str, header: &str, prefix: &str) -> HttpSecret {
        HttpSecret { name: name.into(), host: host.into(), header: header.into(), prefix: prefix.into() }
    }

    fn with_secrets(secrets: Vec<HttpSecret>) -> Grants {
        Grants { http: vec!["chat.example".into(), "mail.example:8443".into()], secrets, ..Grants::default() }
    }

    #[test]
    fn a_secret_goes_to_its_own_host_and_the_stage_cannot_set_its_header() {
        let token = secret("chat-token", "chat.example", "Authorization", "Bearer ");
        let grants = with_secrets(vec![token.clone()]).for_listing("51");
        let header = |name: &str| [(name.to_owned(), "x".to_owned())];
        assert_eq!(grants.secrets_for("CHAT.example", &header("Accept")), Ok(vec![token]));
        assert_eq!(grants.secrets_for("mail.example:8443", &header("Authorization")), Ok(Vec::new()));
        let refused = grants.secrets_for("chat.example", &header("AUTHORIZATION")).err();
        assert!(refused.is_some_and(|refused| refused.case == Case::InvalidInput));
    }

    #[test]
    fn a_secret_that_could_not_be_sent_cannot_be_granted() {
        let reason = |secrets: Vec<HttpSecret>| match with_secrets(secrets).check() {
            Err(GrantError::Secret { reason, .. }) => reason,
            other => format!("{other:?}"),
        };
        let good = secret("chat-token", "chat.example", "X-Key", "");
        assert_eq!(reason(vec![good.clone()]), "Ok(())");
        assert!(reason(vec![secret("Chat", "chat.example", "X-Key", "")]).contains("its name must have"));
        assert!(reason(vec![secret("chat", "chat.example", "X Key", "")]).contains("not the name of a header"));
        assert!(reason(vec![secret("chat", "chat.example", "HOST", "")]).contains("the host sets the header"));
        assert!(reason(vec![secret("chat", "chat.example", "X-Key", "a\r\nb: ")]).contains("its prefix must have"));
        assert!(
            reason(vec![secret("chat", "other.example", "X-Key", "")]).contains("not among the granted http hosts")
        );
        assert!(reason(vec![good, secret("other", "CHAT.example", "x-key", "")]).contains("has two secrets"));
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
