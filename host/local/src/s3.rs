//! S3 as one of the services.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use stagehost_s3::{Options, S3Service};

use crate::endpoint::CREDENTIALS;
use crate::options::LocalOptions;

/// Why objects cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(#[from] stagehost_s3::FolderError),
    /// The media bucket cannot be created.
    #[error("the bucket {bucket:?} cannot be created: {reason}")]
    Bucket {
        /// The name of the bucket.
        bucket: String,
        /// The error of the store.
        reason: String,
    },
}

/// Opens the folder and creates the media bucket. Blocks on the disk.
///
/// # Errors
/// [`StoreError`].
pub(crate) fn open(options: &LocalOptions) -> Result<S3Service, StoreError> {
    let settings =
        Options { region: options.region.clone(), form_secret: Some(CREDENTIALS.1.to_owned()), ..Options::default() };
    let s3 = S3Service::new(&options.root, settings)?;
    s3.ensure_bucket(&options.bucket)
        .map_err(|error| StoreError::Bucket { bucket: options.bucket.clone(), reason: error.to_string() })?;
    Ok(s3)
}

/// Returns a router that passes every request to S3.
pub(crate) fn router(s3: S3Service) -> Router {
    Router::new().fallback(serve).with_state(s3)
}

async fn serve(State(s3): State<S3Service>, request: Request) -> Response {
    s3.handle(request).await.map(axum::body::Body::new)
}
