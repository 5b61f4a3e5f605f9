//! Both versions of ListObjects.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use s3s::dto::*;
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::context::Api;
use super::paging::{KeyEncoding, limit};
use super::response::{etag, storage_class};
use crate::error::{AtPath, refuse};
use crate::http::body::blocking;
use crate::storage::listing::{Item, Page, Query, page};
use crate::storage::store::ObjectStore;

/// A page in the types of the response.
struct PageContents {
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
        let keys = KeyEncoding::new(input.encoding_type.as_ref())?;
        let limit = limit(input.max_keys)?;
        let continued = input.continuation_token.as_deref().map(from_token).transpose()?;
        let query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after_item: continued.is_some(),
            after: continued.or_else(|| input.start_after.clone()).unwrap_or_default(),
            limit,
        };
        let page = self.page(input.bucket.clone(), query, &keys).await?;
        let count = page.contents.len() + page.prefixes.len();
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(keys.encode(&input.prefix.unwrap_or_default())),
            max_keys: i32::try_from(limit).ok(),
            key_count: i32::try_from(count).ok(),
            continuation_token: input.continuation_token,
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next.map(|next| URL_SAFE_NO_PAD.encode(next)),
            contents: Some(page.contents),
            common_prefixes: Some(page.prefixes),
            delimiter: input.delimiter.map(|delimiter| keys.encode(&delimiter)),
            encoding_type: input.encoding_type,
            start_after: input.start_after.map(|after| keys.encode(&after)),
            request_charged: None,
        }))
    }

    pub(super) async fn list_objects(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let input = request.input;
        let keys = KeyEncoding::new(input.encoding_type.as_ref())?;
        let limit = limit(input.max_keys)?;
        let query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            after: input.marker.clone().unwrap_or_default(),
            after_item: true,
            limit,
        };
        let page = self.page(input.bucket.clone(), query, &keys).await?;
        Ok(S3Response::new(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(keys.encode(&input.prefix.unwrap_or_default())),
            marker: Some(keys.encode(&input.marker.unwrap_or_default())),
            max_keys: i32::try_from(limit).ok(),
            is_truncated: Some(page.next.is_some()),
            // Without a delimiter, S3 omits the marker and callers use the last key.
            next_marker: page.next.filter(|_| input.delimiter.is_some()).map(|next| keys.encode(&next)),
            contents: Some(page.contents),
            common_prefixes: Some(page.prefixes),
            delimiter: input.delimiter.map(|delimiter| keys.encode(&delimiter)),
            encoding_type: input.encoding_type,
            request_charged: None,
        }))
    }

    async fn page(&self, bucket: String, query: Query, keys: &KeyEncoding) -> S3Result<PageContents> {
        let (store, keys) = (self.store.clone(), keys.clone());
        blocking(move || {
            let folder = store.bucket(&bucket)?;
            let page = page(&store.tree, &folder, &query).at(&folder)?;
            page_contents(&store, &bucket, page, &keys)
        })
        .await
    }
}

/// Looks up the objects of a page.
fn page_contents(store: &ObjectStore, bucket: &str, page: Page, keys: &KeyEncoding) -> S3Result<PageContents> {
    let next = page.next().map(str::to_owned);
    let (mut contents, mut prefixes) = (Vec::new(), Vec::new());
    for item in page.items {
        match item {
            Item::Prefix(prefix) => prefixes.push(CommonPrefix { prefix: Some(keys.encode(&prefix)) }),
            Item::Key(key) => match store.describe(bucket, &key) {
                Ok(record) => contents.push(Object {
                    checksum_algorithm: Some(record.checksums.0.keys().map(|algorithm| algorithm.to_dto()).collect()),
                    checksum_type: Some(record.checksum_kind.to_dto()),
                    e_tag: Some(etag(&record.etag)),
                    key: Some(keys.encode(&key)),
                    last_modified: Some(record.stamp.modified_second().into()),
                    size: i64::try_from(record.stamp.size).ok(),
                    storage_class: Some(ObjectStorageClass::from(storage_class(&record))),
                    ..Default::default()
                }),
                // Removed since the walk, or a file that is still being copied: not an object at this moment.
                Err(error) if matches!(error.code(), S3ErrorCode::NoSuchKey | S3ErrorCode::ServiceUnavailable) => {}
                Err(error) => return Err(error),
            },
        }
    }
    Ok(PageContents { contents, prefixes, next })
}

fn from_token(token: &str) -> S3Result<String> {
    let key = URL_SAFE_NO_PAD.decode(token).ok().and_then(|key| String::from_utf8(key).ok());
    match key {
        Some(key) => Ok(key),
        None => refuse(S3ErrorCode::InvalidArgument, "The continuation token provided is incorrect"),
    }
}
