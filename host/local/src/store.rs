//! The store of objects, as one of the services.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use stagehost_s3::{Options, S3Service};

use crate::options::LocalOptions;

/// Why objects cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder.
    #[error(transparent)]
    Folder(#[from] stagehost_s3::StartError),
    /// The media bucket.
    #[error("the bucket {bucket:?} cannot be made: {reason}")]
    Bucket {
        /// Its name.
        bucket: String,
        /// What the store says.
        reason: String,
    },
}

/// Opens the folder and makes the media bucket. Blocks on the disk.
pub(crate) fn open(options: &LocalOptions) -> Result<S3Service, StoreError> {
    let s3 = S3Service::new(&options.root, Options { region: options.region.clone(), ..Options::default() })?;
    s3.ensure_bucket(&options.bucket)
        .map_err(|error| StoreError::Bucket { bucket: options.bucket.clone(), reason: error.to_string() })?;
    Ok(s3)
}

/// Hands every request on.
pub(crate) fn router(s3: S3Service) -> Router {
    Router::new().fallback(serve).with_state(s3)
}

async fn serve(State(s3): State<S3Service>, request: Request) -> Response {
    s3.handle(request).await.map(axum::body::Body::new)
}
