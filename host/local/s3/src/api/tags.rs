//! Tags: the tagging operations, and the tag header of requests that write objects.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use s3s::dto::*;
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::context::Api;
use super::request::check_version;
use crate::error::{custom_error, refuse};
use crate::http::body::blocking;

/// S3's limits: the number of tags, and the characters of a name and of a value.
const TAGS_MAX: usize = 10;
const NAME_MAX: usize = 128;
const VALUE_MAX: usize = 256;

impl Api {
    pub(super) async fn get_object_tagging(
        &self,
        request: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        let (store, input) = (self.store.clone(), request.input);
        check_version(input.version_id.as_deref())?;
        let record = blocking(move || store.describe(&input.bucket, &input.key)).await?;
        let tags = record.tags.into_iter().map(|(key, value)| Tag { key: Some(key), value: Some(value) });
        Ok(S3Response::new(GetObjectTaggingOutput { tag_set: tags.collect(), version_id: None }))
    }

    pub(super) async fn put_object_tagging(
        &self,
        request: S3Request<PutObjectTaggingInput>,
    ) -> S3Result<S3Response<PutObjectTaggingOutput>> {
        let (store, input) = (self.store.clone(), request.input);
        check_version(input.version_id.as_deref())?;
        let tags = input.tagging.tag_set.into_iter();
        let tags = checked(tags.map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())).collect())?;
        blocking(move || store.set_tags(&input.bucket, &input.key, tags)).await?;
        Ok(S3Response::new(PutObjectTaggingOutput { version_id: None }))
    }

    pub(super) async fn delete_object_tagging(
        &self,
        request: S3Request<DeleteObjectTaggingInput>,
    ) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
        let (store, input) = (self.store.clone(), request.input);
        check_version(input.version_id.as_deref())?;
        blocking(move || store.set_tags(&input.bucket, &input.key, Vec::new())).await?;
        Ok(S3Response::new(DeleteObjectTaggingOutput { version_id: None }))
    }
}

/// Parses the tags of an `x-amz-tagging` header, which has the form of a query.
pub fn parse_tag_header(header: Option<&str>) -> S3Result<Vec<(String, String)>> {
    let pairs = header.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let mut tags = Vec::new();
    for pair in pairs {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        tags.push((decode(name)?, decode(value)?));
    }
    checked(tags)
}

fn decode(text: &str) -> S3Result<String> {
    let text = text.replace('+', " ");
    match percent_decode_str(&text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => refuse(S3ErrorCode::InvalidArgument, "The header 'x-amz-tagging' shall be encoded as UTF-8"),
    }
}

/// Checks tags against the limits.
fn checked(tags: Vec<(String, String)>) -> S3Result<Vec<(String, String)>> {
    if tags.len() > TAGS_MAX {
        return Err(custom_error(
            "BadRequest",
            hyper::StatusCode::BAD_REQUEST,
            "Object tags cannot be greater than 10",
        ));
    }
    let mut names = BTreeSet::new();
    for (name, value) in &tags {
        if name.is_empty() || name.chars().count() > NAME_MAX {
            return refuse(S3ErrorCode::InvalidTag, "The TagKey you have provided is invalid");
        }
        if value.chars().count() > VALUE_MAX {
            return refuse(S3ErrorCode::InvalidTag, "The TagValue you have provided is invalid");
        }
        if !names.insert(name) {
            return refuse(S3ErrorCode::InvalidTag, format!("Cannot provide multiple Tags with the same key: {name}"));
        }
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_header_is_read_like_a_query() {
        let tags = parse_tag_header(Some("stage=raw&a%20b=c+d&empty=&alone")).unwrap();
        let expected = [("stage", "raw"), ("a b", "c d"), ("empty", ""), ("alone", "")];
        assert_eq!(tags, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(parse_tag_header(None).unwrap().is_empty());
    }

    #[test]
    fn a_name_given_twice_and_more_than_ten_tags_are_refused() {
        assert_eq!(parse_tag_header(Some("a=1&a=2")).unwrap_err().code(), &S3ErrorCode::InvalidTag);
        let eleven: Vec<String> = (0..11).map(|number| format!("t{number}=x")).collect();
        assert_eq!(parse_tag_header(Some(&eleven.join("&"))).unwrap_err().code().as_str(), "BadRequest");
        assert!(parse_tag_header(Some("%FF=x")).is_err());
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_refused(header in "\\PC{0,60}") {
            let _ = parse_tag_header(Some(&header));
        }
    }
}
