//! Folders and buckets as commands name them: `s3://bucket/prefix` or a path.

use std::sync::Arc;

use aws_config::BehaviorVersion;
use stagehost_storage::{Bucket, Folder, Location, Storage};

/// Opens a place for documents. Credentials, region and endpoint are those of the AWS CLI's environment and files;
/// nothing is asked of the network yet.
pub async fn open(location: &Location) -> Arc<dyn Storage> {
    match location {
        Location::Folder(path) => Arc::new(Folder::new(path)),
        Location::Bucket { bucket, prefix } => {
            let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
            // Another S3 than Amazon's knows its buckets by path.
            let elsewhere = config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
            let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(elsewhere);
            let key = std::env::var("MEDIA_KMS_KEY_ID").ok().filter(|key| !key.is_empty());
            Arc::new(Bucket::new(aws_sdk_s3::Client::from_conf(s3.build()), bucket, prefix, key))
        }
    }
}
