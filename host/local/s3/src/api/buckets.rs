//! Buckets, which are the folders in the root.

use s3s::dto::*;
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::context::Api;
use crate::error::{AtPath, refuse};
use crate::http::body::blocking;

impl Api {
    pub(super) async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        let (store, bucket) = (self.store.clone(), request.input.bucket);
        let location = format!("/{bucket}");
        blocking(move || {
            if !store.tree.create_bucket(&bucket).at(bucket.as_ref())? {
                return refuse(S3ErrorCode::BucketAlreadyOwnedByYou, "The bucket you tried to create already exists");
            }
            Ok(())
        })
        .await?;
        Ok(S3Response::new(CreateBucketOutput { location: Some(location) }))
    }

    pub(super) async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        let store = self.store.clone();
        blocking(move || store.bucket(&request.input.bucket)).await?;
        Ok(S3Response::new(HeadBucketOutput { bucket_region: Some(self.region.clone()), ..Default::default() }))
    }

    pub(super) async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        let store = self.store.clone();
        blocking(move || store.bucket(&request.input.bucket)).await?;
        // S3 returns no location constraint for us-east-1.
        let region = Some(self.region.clone()).filter(|region| region != "us-east-1");
        Ok(S3Response::new(GetBucketLocationOutput { location_constraint: region.map(BucketLocationConstraint::from) }))
    }

    pub(super) async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        let store = self.store.clone();
        blocking(move || store.bucket(&request.input.bucket)).await?;
        // Without a status: a bucket whose versioning was never enabled.
        Ok(S3Response::new(GetBucketVersioningOutput::default()))
    }

    pub(super) async fn list_buckets(
        &self,
        request: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let input = request.input;
        let store = self.store.clone();
        let all = blocking(move || store.tree.buckets().at("the root".as_ref())).await?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let after = input.continuation_token.clone().unwrap_or_default();
        let limit = usize::try_from(input.max_buckets.unwrap_or(10_000)).unwrap_or(0).max(1);
        let mut matching = all.into_iter().filter(|(name, _)| name.starts_with(&prefix) && *name > after);
        let buckets: Vec<Bucket> = matching
            .by_ref()
            .take(limit)
            .map(|(name, metadata)| Bucket {
                bucket_region: Some(self.region.clone()),
                creation_date: metadata.created().or_else(|_| metadata.modified()).ok().map(Timestamp::from),
                name: Some(name),
            })
            .collect();
        let more = matching.next().is_some();
        let last = buckets.last().and_then(|bucket| bucket.name.clone());
        Ok(S3Response::new(ListBucketsOutput {
            continuation_token: last.filter(|_| more),
            buckets: Some(buckets),
            owner: None,
            prefix: input.prefix,
        }))
    }

    pub(super) async fn delete_bucket(
        &self,
        request: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        let store = self.store.clone();
        blocking(move || store.delete_bucket(&request.input.bucket)).await?;
        Ok(S3Response::new(DeleteBucketOutput::default()))
    }
}
