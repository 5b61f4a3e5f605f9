//! ListObjects, both versions.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::*;
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::Api;
use super::objects::{etag, storage_class};
use crate::body::blocking;
use crate::failure::{AtPath, refuse};
use crate::list::{Item, PAGE_MAX, Page, Query, page};
use crate::store::Store;

/// What `encoding-type=url` leaves as it is.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b'*');

/// A page as both versions of the operation show it.
struct Shown {
    contents: Vec<Object>,
    prefixes: Vec<CommonPrefix>,
    next: Option<String>,
}

impl Api {
    pub(super) async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let text = Texts::new(input.encoding_type.as_ref())?;
        let limit = limit(input.max_keys)?;
        let continued = input.continuation_token.as_deref().map(from_token).transpose()?;
        let query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after_item: continued.is_some(),
            after: continued.or_else(|| input.start_after.clone()).unwrap_or_default(),
            limit,
        };
        let shown = self.show(input.bucket.clone(), query, &text).await?;
        let count = shown.contents.len() + shown.prefixes.len();
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(text.of(&input.prefix.unwrap_or_default())),
            max_keys: i32::try_from(limit).ok(),
            key_count: i32::try_from(count).ok(),
            continuation_token: input.continuation_token,
            is_truncated: Some(shown.next.is_some()),
            next_continuation_token: shown.next.map(|next| URL_SAFE_NO_PAD.encode(next)),
            contents: Some(shown.contents),
            common_prefixes: Some(shown.prefixes),
            delimiter: input.delimiter.map(|delimiter| text.of(&delimiter)),
            encoding_type: input.encoding_type,
            start_after: input.start_after.map(|after| text.of(&after)),
            request_charged: None,
        }))
    }

    pub(super) async fn list_objects(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let input = request.input;
        let text = Texts::new(input.encoding_type.as_ref())?;
        let limit = limit(input.max_keys)?;
        let query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after: input.marker.clone().unwrap_or_default(),
            after_item: true,
            limit,
        };
        let shown = self.show(input.bucket.clone(), query, &text).await?;
        Ok(S3Response::new(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(text.of(&input.prefix.unwrap_or_default())),
            marker: Some(text.of(&input.marker.unwrap_or_default())),
            max_keys: i32::try_from(limit).ok(),
            is_truncated: Some(shown.next.is_some()),
            // Without a delimiter S3 leaves it out, and callers take the last key.
            next_marker: shown.next.filter(|_| input.delimiter.is_some()).map(|next| text.of(&next)),
            contents: Some(shown.contents),
            common_prefixes: Some(shown.prefixes),
            delimiter: input.delimiter.map(|delimiter| text.of(&delimiter)),
            encoding_type: input.encoding_type,
            request_charged: None,
        }))
    }

    async fn show(&self, bucket: String, query: Query, text: &Texts) -> S3Result<Shown> {
        let (store, text) = (self.store.clone(), text.clone());
        blocking(move || {
            let folder = store.bucket(&bucket)?;
            let page = page(&store.tree, &folder, &query).at(&folder)?;
            shown(&store, &bucket, page, &text)
        })
        .await
    }
}

fn shown(store: &Store, bucket: &str, page: Page, text: &Texts) -> S3Result<Shown> {
    let next = page.next().map(str::to_owned);
    let (mut contents, mut prefixes) = (Vec::new(), Vec::new());
    for item in page.items {
        match item {
            Item::Prefix(prefix) => prefixes.push(CommonPrefix { prefix: Some(text.of(&prefix)) }),
            Item::Key(key) => match store.describe(bucket, &key) {
                Ok(record) => contents.push(Object {
                    checksum_algorithm: Some(
                        record.checksums.0.keys().map(|name| ChecksumAlgorithm::from_static(name.name())).collect(),
                    ),
                    checksum_type: Some(ChecksumType::from_static(record.checksum_kind.name())),
                    e_tag: Some(etag(&record.etag)),
                    key: Some(text.of(&key)),
                    last_modified: Some(record.stamp.modified_second().into()),
                    size: i64::try_from(record.stamp.size).ok(),
                    storage_class: Some(ObjectStorageClass::from(storage_class(&record))),
                    ..Default::default()
                }),
                // Removed since the walk, or still being copied here by hand: not an object at this moment.
                Err(error) if matches!(error.code(), S3ErrorCode::NoSuchKey | S3ErrorCode::ServiceUnavailable) => {}
                Err(error) => return Err(error),
            },
        }
    }
    Ok(Shown { contents, prefixes, next })
}

/// How keys are written in the answer.
#[derive(Clone)]
pub struct Texts {
    encoded: bool,
}

impl Texts {
    /// By the request's `encoding-type`.
    pub fn new(encoding: Option<&EncodingType>) -> S3Result<Self> {
        match encoding.map(EncodingType::as_str) {
            None => Ok(Self { encoded: false }),
            Some("url") => Ok(Self { encoded: true }),
            Some(_) => refuse(S3ErrorCode::InvalidArgument, "Invalid Encoding Method specified in Request"),
        }
    }

    /// A key or a part of one.
    pub fn of(&self, text: &str) -> String {
        if self.encoded { utf8_percent_encode(text, KEPT).to_string() } else { text.to_owned() }
    }
}

/// How many items a page has at most, from a request that may say nothing or too much.
pub fn limit(asked: Option<i32>) -> S3Result<usize> {
    match usize::try_from(asked.unwrap_or(PAGE_MAX).min(PAGE_MAX)) {
        Ok(limit) => Ok(limit),
        Err(_) => refuse(S3ErrorCode::InvalidArgument, "Argument maxKeys must be an integer between 0 and 2147483647"),
    }
}

fn from_token(token: &str) -> S3Result<String> {
    let key = URL_SAFE_NO_PAD.decode(token).ok().and_then(|key| String::from_utf8(key).ok());
    match key {
        Some(key) => Ok(key),
        None => refuse(S3ErrorCode::InvalidArgument, "The continuation token provided is incorrect"),
    }
}
